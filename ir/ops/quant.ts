// Quantization along the last axis. Every rule comes from the quantizer's entry in the table (ir/quant/table.ts).
// A scale is the distance between neighbouring levels: the spec's `step`.
import { either, float as floatAttribute, int, nameIn, oneOf, withDefault } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { type Dim, divideDims, shapesEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { codeFields } from "../packing.ts";
import { decodeCode } from "../quant/grid.ts";
import { hasMask, maskRules, type Outer } from "../quant/quantizer.ts";
import { codeOf, maskOf } from "../quant/sparsity.ts";
import { isSurrogate, surrogateOf, surrogateRules } from "../quant/surrogate.ts";
import { quantizerNamed, quantizerNames } from "../quant/table.ts";
import { unitsOfGroup } from "../sparse.ts";
import {
  type CodeLayout,
  codeLayouts,
  codes as codesType,
  printType,
  type TensorType,
  type Type,
  tensor,
  widestCode,
  withDims,
} from "../type.ts";
import { div, mul, neg, sub } from "./arithmetic.ts";
import { broadcast, sum } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { requireScalar } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";
import { scaleTensor } from "./scale-tensor.ts";
import { reshape } from "./views.ts";

const scheme = nameIn("a quantizer", quantizerNames);
const group = withDefault(
  either(oneOf("row"), int, (v) => v === "row"),
  "row" as "row" | number,
);
const outer = withDefault(
  either(oneOf(...maskRules, ...surrogateRules), floatAttribute, (v) => typeof v === "string"),
  "trust" as Outer,
);

/** How codes lie in memory: `auto` is the packing rule's own layout. */
const layout = withDefault(oneOf("auto", ...codeLayouts), "auto" as "auto" | CodeLayout);

export const quantCenter = signature({
  name: "quant.center",
  summary: "x less a number for each row, in front of its rounding. The numbers are added back behind it.",
  operands: ["x", "center"],
  forms: ["quantized", "differentiated"],
});
export const quantCenterOp = define(quantCenter, {
  infer([x, center]) {
    const type = requireScalar("quant.center", "x", x, ["f32"]);
    requireScalar("quant.center", "center", center, ["f32"]);
    if (x.dims.length === 0 || !shapesEqual(center.dims, [...x.dims.slice(0, -1), 1]))
      reject(`\`quant.center\` takes one number for each row of ${printType(x)}, got ${printType(center)}`);
    return type;
  },
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [, center]) => {
    const ofRows = b.emit(reshape, [b.emit(sum, [ct], { axes: [ct.type.dims.length - 1] })], { type: center.type });
    return [ct, b.emit(neg, [ofRows])];
  }),
  lower: { kind: "expand", expand: (b, [x, center]) => b.emit(sub, [x, b.emit(broadcast, [center], { type: x.type })]) },
});

export const quantScale = signature({
  name: "quant.scale",
  summary: "The distance between levels for each row, or for each group of consecutive elements of it, from the row's statistic.",
  operands: ["x"],
  attrs: { scheme, bits: int, group },
});
export const quantScaleOp = define(quantScale, {
  infer([x], { scheme: name, bits, group: width }) {
    const { columns, type } = checkRows("quant.scale", x, name, bits);
    const groups = width === "row" ? 1 : divideDims(columns, width);
    if (groups === undefined) return reject(`groups of ${width} do not divide the last axis of ${printType(x)}`);
    return tensor("f32", [...type.dims.slice(0, -1), groups]);
  },
  evaluate: ([x], { scheme: name, bits }, [type]) => scaleTensor(quantizerNamed(name), x, bits, type),
  // A scale that is computed from the row takes part in no gradient (QuEST, section 3.2).
  vjp: "none",
  lower: { kind: "kernel", family: "rows" },
});

export const quantEncode = signature({
  name: "quant.encode",
  summary: "Codes of the nearest levels. `outer` says which mask belongs to them, if any: the kernel that makes the codes makes it too.",
  operands: ["x", "s"],
  attrs: { scheme, bits: int, outer, layout },
});
export const quantEncodeOp = define(quantEncode, {
  infer([x, s], { scheme: name, bits, outer: edge, layout: form }) {
    checkRows("quant.encode", x, name, bits, edge);
    checkScale("quant.encode", x, s);
    const type = codesType(bits, quantizerNamed(name).grid, x.dims, form === "auto" ? undefined : form);
    codeFields(type);
    return type;
  },
  evaluate: "from lower",
  vjp: "none",
  lower: { kind: "pointwise", body: ([x, s], { scheme: name, bits }) => codeOf(quantizerNamed(name), x, s, bits) },
});

export const quantMask = signature({
  name: "quant.mask",
  summary: "Where the gradient passes the rounding.",
  operands: ["x", "s"],
  attrs: { scheme, bits: int, outer },
});
export const quantMaskOp = define(quantMask, {
  infer([x, s], { scheme: name, bits, outer: edge }) {
    checkRows("quant.mask", x, name, bits, edge);
    if (!hasMask(edge)) {
      const passes = edge === "all" ? "every gradient passes" : "gradients are weighed";
      reject(`\`quant.mask\` with \`outer = ${edge}\`: where ${passes} there is no mask`);
    }
    checkScale("quant.mask", x, s);
    return tensor("b1", x.dims);
  },
  evaluate: "from lower",
  vjp: "none",
  lower: { kind: "pointwise", body: ([x, s], { scheme: name, bits, outer: edge }) => maskOf(quantizerNamed(name), x, s, bits, edge) },
});

export const quantSurrogate = signature({
  name: "quant.surrogate",
  summary: "What the gradient of the rounding is multiplied by, where `outer` is a surrogate of its derivative.",
  operands: ["x", "s"],
  attrs: { scheme, bits: int, outer },
});
export const quantSurrogateOp = define(quantSurrogate, {
  infer([x, s], { scheme: name, bits, outer: edge }) {
    const { type } = checkRows("quant.surrogate", x, name, bits, edge);
    if (!isSurrogate(edge)) reject(`\`quant.surrogate\` with \`outer = ${edge}\`, which is none: ${surrogateRules.join(", ")}`);
    checkScale("quant.surrogate", x, s);
    return type;
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "pointwise",
    body([x, s], { outer: edge }) {
      if (!isSurrogate(edge)) throw new Error(`no surrogate ${edge}`);
      return surrogateOf(edge, x, s);
    },
  },
});

export const quantDecode = signature({
  name: "quant.decode",
  summary: "The numbers that codes stand for on their grid.",
  operands: ["codes", "s"],
});
export const quantDecodeOp = define(quantDecode, {
  infer([codes, s]) {
    if (codes.kind !== "codes") return reject(`\`quant.decode\` takes codes, got ${printType(codes)}`);
    checkScale("quant.decode", codes, s);
    return tensor("f32", codes.dims);
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "pointwise",
    body([code, s], _attrs, { operands: [type] }) {
      if (type.kind !== "codes") throw new Error(`quant.decode of ${printType(type)}`);
      return decodeCode(type, code, s);
    },
  },
});

export const quantFake = signature({
  name: "quant.fake",
  summary:
    "x rounded to the nearest levels. Its gradient passes straight through where the quantizer's mask holds, or weighed by a surrogate; a learned scale has one too.",
  operands: ["x", "s"],
  attrs: { scheme, bits: int, outer },
  forms: ["quantized", "differentiated"],
});
export const quantFakeOp = define(quantFake, {
  infer([x, s], { scheme: name, bits, outer: edge }) {
    const { type } = checkRows("quant.fake", x, name, bits, edge);
    checkScale("quant.fake", x, s);
    return type;
  },
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x, s], rounded, { scheme: name, bits, outer: edge }) => {
    const { scaleGradient } = quantizerNamed(name);
    const attrs = { scheme: name, bits, outer: edge };
    const passes = isSurrogate(edge)
      ? b.emit(quantSurrogate, [x, s], attrs)
      : hasMask(edge)
        ? b.emit(cast, [b.emit(quantMask, [x, s], attrs)], { to: "f32" })
        : undefined;
    const masked = (value: Value): Value => (passes === undefined ? value : b.emit(mul, [value, passes]));
    if (scaleGradient === "none") return [masked(ct), undefined];
    // x^ and M come from the codes' own kernel: nothing is rounded again here.
    const moved = b.emit(sub, [rounded, masked(scaleGradient.derivative === "rounding" ? x : rounded)]);
    const perScale = sumOfGroups(b, b.emit(mul, [ct, moved]), s);
    return [masked(ct), b.emit(div, [perScale, s])];
  }),
  lower: {
    kind: "expand",
    expand: (b, [x, s], attrs) => b.emit(quantDecode, [b.emit(quantEncode, [x, s], { ...attrs, layout: "auto" }), s]),
  },
});

/** The sums of the elements that each of the scales serves. */
function sumOfGroups(b: Builder, x: Value, s: Value): Value {
  const { dims } = s.type;
  const width = divideDims(x.type.dims.at(-1) ?? 1, dims.at(-1) ?? 1) ?? reject(`groups do not divide ${printType(x.type)}`);
  const grouped = b.emit(reshape, [x], { type: withDims(s.type, [...dims, width]) });
  return b.emit(sum, [grouped], { axes: [dims.length] });
}

/** Rows of f32, and codes and a mask rule that the quantizer has. */
function checkRows(op: string, x: Type, name: string, bits: number, edge?: Outer): { readonly columns: Dim; readonly type: TensorType } {
  const type = requireScalar(op, "x", x, ["f32"]);
  const columns = type.dims.at(-1) ?? reject(`\`${op}\` takes rows, got ${printType(x)}`);
  if (!Number.isInteger(bits) || bits < 1 || bits > widestCode) reject(`\`${op}\` with ${bits} bits: there are 1 to ${widestCode}`);
  const { widths, outers, sparsity } = quantizerNamed(name);
  if (!widths.includes(bits)) reject(`\`${name}\` has codes of ${widths.join(", ")} bits, not of ${bits}`);
  if (edge !== undefined && !outers.includes(typeof edge === "number" ? "clip" : edge))
    reject(`\`${name}\` has no gradient mask \`outer = ${edge}\``);
  if (sparsity !== undefined && divideDims(columns, unitsOfGroup * sparsity.unit) === undefined)
    reject(`\`${name}\` prunes groups of ${unitsOfGroup * sparsity.unit}, which do not divide the last axis of ${printType(x)}`);
  return { columns, type };
}

/** One scale a row, or one for each group of equal size. */
function checkScale(op: string, x: Type, s: Type): void {
  requireScalar(op, "s", s, ["f32"]);
  const [columns, groups] = [x.dims.at(-1), s.dims.at(-1)];
  const rows = s.dims.length === x.dims.length && shapesEqual(x.dims.slice(0, -1), s.dims.slice(0, -1));
  const divides = columns !== undefined && groups !== undefined && (groups === 1 || divideDims(columns, groups) !== undefined);
  if (!rows || !divides) reject(`\`${op}\` takes one scale for each row or group of ${printType(x)}, got ${printType(s)}`);
}
