// The functions of the language: those that follow from the table of ops, and here those that are more than one op as it stands.
import { reject } from "../../ir/diagnostic.ts";
import { dimsEqual, divideDims, multiplyDims, printDim, productOf } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import type { Op } from "../../ir/op.ts";
import { maximum, minimum } from "../../ir/ops/arithmetic.ts";
import { attention } from "../../ir/ops/attention.ts";
import { equal } from "../../ir/ops/compare.ts";
import { concat } from "../../ir/ops/concat.ts";
import { dot } from "../../ir/ops/dot.ts";
import { crossEntropy } from "../../ir/ops/loss.ts";
import { maxOp, minOp } from "../../ir/ops/reductions.ts";
import { rope } from "../../ir/ops/rope.ts";
import { iota } from "../../ir/ops/source.ts";
import { opNamed } from "../../ir/ops/table.ts";
import { reshape, transpose } from "../../ir/ops/views.ts";
import { printType, tensor, withDims } from "../../ir/type.ts";
import { Arguments, type GivenArgument } from "./arguments.ts";
import { pairOf } from "./arithmetic.ts";
import type { EntryContext } from "./entry-context.ts";
import { type Meaning, tensorMeaning } from "./meaning.ts";
import { type Builtin, lastAxis, lowerOp, opFunctions } from "./op-functions.ts";

/** `max(x, axis = -1)` is a reduction, `max(x, y)` is elementwise. */
const extreme = (reduction: Op, elementwise: typeof minimum | typeof maximum): Builtin => ({
  parameters: ["x", "y?", "axis?", "keep?"],
  summary: `Of two tensors the ${elementwise.name} of each pair; of one: ${reduction.signature.summary}`,
  lower(cx, args, hint) {
    if (!args.has("y")) return lowerOp(cx, reduction, args, hint);
    return cx.emit(elementwise, pairOf(cx, elementwise.name, args.any("x"), args.any("y")), {}, hint);
  },
});

const written: Readonly<Record<string, Builtin>> = {
  dot: {
    parameters: ["x", "weight"],
    summary: "Contracts the last axis of both: f32[.., n], f32[m, n] -> f32[.., m].",
    lower: (cx, args, hint) => lowerDot(cx, args, hint),
  },
  matmul: {
    parameters: ["x", "y"],
    summary: "Matrix products over common leading axes: f32[.., m, k], f32[.., k, n] -> f32[.., m, n].",
    lower: (cx, args, hint) => lowerMatmul(cx, args.tensor("x"), args.tensor("y"), hint),
  },
  equal: {
    parameters: ["x", "y"],
    summary: "Whether x = y, elementwise.",
    lower: (cx, args, hint) => cx.emit(equal, pairOf(cx, "equal", args.any("x"), args.any("y")), {}, hint),
  },
  max: extreme(maxOp, maximum),
  min: extreme(minOp, minimum),
  cross_entropy: {
    parameters: ["logits", "labels"],
    summary: crossEntropy.summary,
    lower(cx, args, hint) {
      const [logits, labels] = [args.tensor("logits"), args.tensor("labels")];
      const loss = cx.emit(crossEntropy, [logits, labels], {}, hint);
      cx.classifications.push({ logits, labels });
      return loss;
    },
  },
  reshape: {
    parameters: ["x", "shape"],
    summary: reshape.summary,
    lower(cx, args, hint) {
      const x = args.tensor("x");
      return cx.emit(reshape, [x], { type: withDims(x.type, args.dims("shape")) }, hint);
    },
  },
  split: {
    parameters: ["x", "axis", "sizes"],
    summary: "Makes several axes of one: f32[.., 512] |> split(-1, [8, 64]) -> f32[.., 8, 64].",
    lower(cx, args, hint) {
      const x = args.tensor("x");
      const axis = args.axis("axis", x);
      const sizes = args.dims("sizes");
      const whole = x.type.dims[axis] ?? 0;
      if (!dimsEqual(productOf(sizes), whole)) {
        const fitting = divideDims(whole, productOf(sizes.slice(1)));
        const help = fitting === undefined ? [] : [`[${[fitting, ...sizes.slice(1)].map(printDim).join(", ")}] would fit`];
        return reject(
          `\`split\` into [${sizes.map(printDim).join(", ")}] of axis ${axis} of ${printType(x.type)}, which has size ${printDim(whole)}`,
          help,
        );
      }
      return cx.emit(reshape, [x], { type: withDims(x.type, x.type.dims.toSpliced(axis, 1, ...sizes)) }, hint);
    },
  },
  merge: {
    parameters: ["x", "axis"],
    summary: "Makes one axis of the named one and the next: f32[.., 8, 64] |> merge(-2) -> f32[.., 512].",
    lower(cx, args, hint) {
      const x = args.tensor("x");
      const axis = args.axis("axis", x);
      const [first, second] = [x.type.dims[axis], x.type.dims[axis + 1]];
      if (first === undefined || second === undefined)
        return reject(`\`merge\` of the last axis of ${printType(x.type)}: it takes the first axis of two`);
      return cx.emit(reshape, [x], { type: withDims(x.type, x.type.dims.toSpliced(axis, 2, multiplyDims(first, second))) }, hint);
    },
  },
  attention: {
    parameters: ["q", "k", "v", "causal?", "scale?"],
    summary: `${attention.summary} The scale is 1 / sqrt(n) where none is named.`,
    lower(cx, args, hint) {
      const scale = args.has("scale") ? args.number("scale") : ("auto" as const);
      const operands = [args.tensor("q"), args.tensor("k"), args.tensor("v")] as const;
      const causal = args.flag("causal");
      // What looks ahead cannot be cached: it stays as it is here, and no entries are made of it.
      if (cx.cache !== undefined && causal) return cx.cache.attend(cx.builder, cx.instance, operands, scale, hint);
      return cx.emitOp(opNamed(attention.name), operands, { causal, scale }, hint);
    },
  },
  concat: {
    parameters: ["parts", "axis?"],
    summary: "Tensors one behind the other along an axis, the last one where none is named: concat([a, b]).",
    lower: (cx, args, hint) => lowerConcat(cx, args, hint),
  },
  positions: {
    parameters: ["length"],
    summary: "i32[length]: the position of each token in its sequence.",
    lower(cx, args, hint = "positions") {
      const length = args.dim("length");
      if (cx.cache !== undefined) return cx.cache.positions(cx.builder, length, hint);
      return cx.emit(iota, [], { axis: 0, type: tensor("i32", [length]) }, hint);
    },
  },
  rope: {
    parameters: ["x", "positions", "theta"],
    summary: "Rotary position embedding of x[.., T, heads, n] at positions[T]: channels i and i + n/2 turn by position * theta^(-2 i / n).",
    lower(cx, args, hint) {
      const operands = [args.tensor("x"), args.tensor("positions")] as const;
      return cx.emit(rope, operands, { theta: args.number("theta"), context: cx.cache?.capacity ?? 0 }, hint);
    },
  },
  transpose: {
    parameters: ["x", "axis?", "other?"],
    summary: "Swaps two axes, the last two where none are named.",
    lower(cx, args, hint) {
      const x = args.tensor("x");
      const rank = x.type.dims.length;
      if (rank < 2) return reject(`\`transpose\` of ${printType(x.type)}, which has fewer than two axes`);
      const [a, b] = [args.has("axis") ? args.axis("axis", x) : rank - 2, args.has("other") ? args.axis("other", x) : rank - 1];
      const permutation = x.type.dims.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
      return cx.emit(transpose, [x], { permutation }, hint);
    },
  },
};

export const builtins: ReadonlyMap<string, Builtin> = new Map([...opFunctions, ...Object.entries(written)]);
if (builtins.size < opFunctions.size + Object.keys(written).length) throw new Error("a callable op has the name of another function");

/** Call a builtin that exists. Rejects arguments that do not fit. */
export function lowerBuiltin(cx: EntryContext, name: string, given: readonly GivenArgument[], hint: string | undefined): Meaning {
  const builtin = builtins.get(name);
  if (builtin === undefined) throw new Error(`no builtin ${name}`);
  return tensorMeaning(builtin.lower(cx, new Arguments(name, builtin, given), hint));
}

function lowerConcat(cx: EntryContext, args: Arguments, hint: string | undefined): Value {
  const parts = args.tensors("parts");
  const [first] = parts;
  if (first === undefined) return reject("`concat` takes a list of one or more tensors");
  return cx.emit(concat, parts, { axis: args.has("axis") ? args.axis("axis", first) : lastAxis(first) }, hint);
}

function lowerDot(cx: EntryContext, args: Arguments, hint: string | undefined): Value {
  const [x, weight] = [args.tensor("x"), args.tensor("weight")];
  const [left, right] = [lastAxis(x), lastAxis(weight)];
  const [a, b] = [x.type.dims[left] ?? 0, weight.type.dims[right] ?? 0];
  if (!dimsEqual(a, b)) {
    return reject(
      `\`dot\` contracts the last axes, which differ: ${printDim(a)} of ${printType(x.type)}, ${printDim(b)} of ${printType(weight.type)}`,
      ["a weight is f32[outputs, inputs]; `matmul(x, y)` takes f32[.., m, k] and f32[.., k, n]"],
    );
  }
  const meaning = args.any("weight");
  const parameter = meaning.kind === "tensor" ? meaning.parameter : undefined;
  const marks = parameter === undefined ? {} : cx.marksOf(parameter.owner, b);
  return cx.emit(dot, [x, weight], { contract: [[left], [right]], batch: [[], []] }, hint, marks);
}

function lowerMatmul(cx: EntryContext, x: Value, y: Value, hint: string | undefined): Value {
  const [rankX, rankY] = [x.type.dims.length, y.type.dims.length];
  const common = rankX - 2;
  const fits = rankX >= 2 && rankX === rankY && x.type.dims.slice(0, common).every((d, i) => dimsEqual(d, y.type.dims[i] ?? -1));
  const [a, b] = [x.type.dims[rankX - 1] ?? 0, y.type.dims[rankY - 2] ?? 0];
  if (!fits || !dimsEqual(a, b))
    return reject(`\`matmul\` takes f32[.., m, k] and f32[.., k, n], got ${printType(x.type)} and ${printType(y.type)}`);
  const batch = x.type.dims.slice(0, common).map((_, axis) => axis);
  return cx.emit(dot, [x, y], { contract: [[rankX - 1], [rankY - 2]], batch: [batch, batch] }, hint);
}
