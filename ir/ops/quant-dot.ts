// The contraction of two quantized tensors, from their codes.
import { ints, oneOf, pairOf, withDefault } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { divideDims, printDim, shapesEqual } from "../dim.ts";
import { define, signature } from "../op.ts";
import { codeFields } from "../packing.ts";
import { type IntegerLevels, integerLevels } from "../quant/grid.ts";
import { contiguous, denseTensor, type Tensor } from "../tensor.ts";
import { type CodesType, printType, type Type, tensor } from "../type.ts";
import { requireScalar } from "./checks.ts";
import { dotTensors } from "./dot-tensors.ts";

/**
 * How the sums are made. `floats`: levels become floats as they are loaded. `planes`: bit by bit, by xor and popcount, from codes laid
 * out as planes. `bytes`: four bytes at a time, from codes in fields of 4 or 8 bits. The last two are exact. (`auto` is none yet: what
 * suits the target is chosen when it is known.)
 */
export const arithmetics = ["floats", "planes", "bytes"] as const;
export type CodeArithmetic = (typeof arithmetics)[number];

export const quantDot = signature({
  name: "quant.dot",
  summary: "The contraction of decoded codes along the last axes: products of codes are summed as integers and scaled once a result.",
  operands: ["lhs", "lhs_scale", "rhs", "rhs_scale"],
  attrs: {
    contract: pairOf(ints),
    batch: pairOf(ints),
    arithmetic: withDefault(oneOf("auto", ...arithmetics), "auto" as "auto" | CodeArithmetic),
  },
});

export const quantDotOp = define(quantDot, {
  infer([lhs, lhsScale, rhs, rhsScale], { contract, batch, arithmetic }) {
    const [left, right] = [checkSide("lhs", lhs, lhsScale, contract[0]), checkSide("rhs", rhs, rhsScale, contract[1])];
    if (batch[0].length > 0 || batch[1].length > 0) return reject("`quant.dot` has no batch axes");
    const [k, other] = [left.dims.at(-1) ?? 0, right.dims.at(-1) ?? 0];
    if (divideDims(k, other) !== 1) return reject(`\`quant.dot\` contracts ${printType(lhs)} with ${printType(rhs)}`);
    for (const type of [left, right]) {
      const fits = fitsArithmetic(type, arithmetic);
      if (!fits) reject(`\`quant.dot\` by ${arithmetic} does not take ${printType(type)}`);
    }
    if (isInteger(arithmetic) && !sumsFit(left, right))
      return reject(`\`quant.dot\` by ${arithmetic}: sums over ${printDim(k)} products of ${left.bits} by ${right.bits} bits pass an i32`);
    return tensor("f32", [...left.dims.slice(0, -1), ...right.dims.slice(0, -1)]);
  },
  evaluate([lhs, lhsScale, rhs, rhsScale], { contract, batch }, _results, [left, , right]) {
    const [a, b] = [levelsOf(left), levelsOf(right)];
    const sums = dotTensors(levelTensor(lhs, a), levelTensor(rhs, b), contract, batch);
    const [rowScales, columnScales] = [contiguous(lhsScale), contiguous(rhsScale)];
    const unit = a.unit * b.unit;
    const data = contiguous(sums);
    const columns = columnScales.length;
    return denseTensor(
      sums.shape,
      Float64Array.from(data, (sum, i) => sum * unit * (rowScales[Math.floor(i / columns)] ?? 0) * (columnScales[i % columns] ?? 0)),
    );
  },
  // lower-quant makes it when gradients are there already.
  vjp: "none",
  lower: { kind: "kernel", family: "dot" },
});

/** Whether codes lie as an arithmetic reads them. */
export function fitsArithmetic(type: CodesType, arithmetic: "auto" | CodeArithmetic): boolean {
  const { bits, layout } = codeFields(type);
  switch (arithmetic) {
    case "auto":
    case "floats":
      return true;
    case "planes":
      // Only on the half grid is a level the sum of its bits as +1 and -1.
      return layout === "planes" && type.grid === "half";
    case "bytes":
      return layout === "linear" && (bits === 4 || bits === 8);
    default:
      return arithmetic satisfies never;
  }
}

export const isInteger = (arithmetic: "auto" | CodeArithmetic): boolean => arithmetic === "planes" || arithmetic === "bytes";

/** Whether sums of products of levels, as multiples of their units, stay within an i32 along the whole axis. */
export function sumsFit(lhs: CodesType, rhs: CodesType): boolean {
  const k = lhs.dims.at(-1);
  return typeof k !== "number" || largestLevel(lhs) * largestLevel(rhs) * k <= largestI32;
}

const largestI32 = 2 ** 31 - 1;

/** The largest level that codes may have, as a multiple of its unit. */
function largestLevel(type: CodesType): number {
  const { factor, offset } = levelsOf(type);
  return Math.abs(factor * -(2 ** (type.bits - 1)) + offset);
}

function checkSide(name: string, type: Type, scale: Type, contract: readonly number[]): CodesType {
  if (type.kind !== "codes" || integerLevels(type.grid) === undefined)
    return reject(`\`quant.dot\` takes codes of a grid of whole multiples as \`${name}\`, got ${printType(type)}`);
  requireScalar("quant.dot", `${name}_scale`, scale, ["f32"]);
  if (contract.length !== 1 || contract[0] !== type.dims.length - 1) return reject(`\`quant.dot\` contracts the last axis of \`${name}\``);
  if (!shapesEqual(scale.dims, [...type.dims.slice(0, -1), 1]))
    return reject(`\`quant.dot\` takes one scale for each row of ${printType(type)}, got ${printType(scale)}`);
  return type;
}

function levelsOf(type: Type): IntegerLevels {
  const levels = type.kind === "codes" ? integerLevels(type.grid) : undefined;
  if (levels === undefined) throw new Error(`quant.dot of ${printType(type)}`);
  return levels;
}

const levelTensor = (codes: Tensor, { factor, offset }: IntegerLevels): Tensor =>
  denseTensor(
    codes.shape,
    Float64Array.from(contiguous(codes), (code) => factor * code + offset),
  );
