// Checks that `infer` rules share: each rejects with a message that names the op and what it got.
import { reject } from "../diagnostic.ts";
import { type Dim, shapesEqual } from "../dim.ts";
import { printType, type Scalar, type TensorType, type Type } from "../type.ts";

export const floats = ["f32", "f16", "bf16"] as const satisfies readonly Scalar[];
export const numbers = ["f32", "f16", "bf16", "i32", "u32", "i8", "u8"] as const satisfies readonly Scalar[];
export const bits = ["bool", "b1"] as const satisfies readonly Scalar[];

const orList = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

/** The operand as a tensor of one of the given scalar types. */
export function requireScalar(op: string, operand: string, type: Type, allowed: readonly Scalar[]): TensorType {
  if (type.kind === "tensor" && allowed.includes(type.scalar)) return type;
  return reject(`\`${op}\` takes ${orList(allowed)} as \`${operand}\`, got ${printType(type)}`);
}

export function requireRankZero(op: string, operand: string, type: Type): void {
  if (type.dims.length > 0) reject(`\`${op}\` takes a scalar as \`${operand}\`, got ${printType(type)}`);
}

export function requireSameDims(op: string, types: readonly Type[]): void {
  const [first] = types;
  for (const type of types) {
    if (first !== undefined && !shapesEqual(type.dims, first.dims)) {
      reject(`\`${op}\` takes operands of one shape, got ${printType(first)} and ${printType(type)}`);
    }
  }
}

/** The size of an axis, given as its non-negative number. */
export function requireAxis(op: string, type: Type, axis: number): Dim {
  const size = axis < 0 ? undefined : type.dims[axis];
  return size ?? reject(`\`${op}\` along axis ${axis} of ${printType(type)}, which has ${type.dims.length} axes`);
}

/** Axes that exist, in ascending order, none twice. */
export function requireAxes(op: string, type: Type, axes: readonly number[]): void {
  for (const [i, axis] of axes.entries()) {
    requireAxis(op, type, axis);
    if (i > 0 && axis <= (axes[i - 1] ?? -1)) reject(`the axes of \`${op}\` ascend, got [${axes.join(", ")}]`);
  }
}

/** The dims that are left when some axes are taken away. */
export const withoutAxes = <T>(dims: readonly T[], axes: readonly number[]): readonly T[] => dims.filter((_, axis) => !axes.includes(axis));
