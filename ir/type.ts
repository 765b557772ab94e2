// Value types: dense tensors of scalars, and quantized tensors that are codes alone (scales and masks are values of their own).
import { bindDim, type Dim, printDim, shapesEqual } from "./dim.ts";

/** `b1` is a packed mask (see packing.ts); `bool` is what comparisons give. Both are stored 32 to a u32. */
export const scalars = ["f32", "f16", "bf16", "i32", "u32", "i8", "u8", "bool", "b1"] as const;
export type Scalar = (typeof scalars)[number];

/**
 * What a code q means, with s the distance between levels:
 * - `half`: (q + 1/2) s, QuEST's grid, which has no zero level
 * - `integer`: q s
 * - `affine`: (q - z) s
 * - `ternary`: q s, q in {-1, 0, 1}
 * - `e2m1`: 4-bit float levels times s
 * - `lloyd`: a table of levels times s
 * - `sparse_half`: q s / 2, q odd or 0: the levels of `half` with 2^(bits-1) codes, and zero for what is pruned
 */
export const grids = ["half", "integer", "affine", "ternary", "e2m1", "lloyd", "sparse_half"] as const;
export type Grid = (typeof grids)[number];

export interface TensorType {
  readonly kind: "tensor";
  readonly scalar: Scalar;
  readonly dims: readonly Dim[];
}

/**
 * How codes lie in a row when not by the packing rule's own choice (packing.ts): as bit planes, or in fields of 4 or 8 bits, which
 * is how kernels that multiply integers read them.
 */
export const codeLayouts = ["planes", "nibbles", "bytes"] as const;
export type CodeLayout = (typeof codeLayouts)[number];

/** Bits of the widest codes: 8, and one more for the zero of `sparse_half`. */
export const widestCode = 9;

/** Codes of `bits` bits, packed along the last axis by the one rule of packing.ts. */
export interface CodesType {
  readonly kind: "codes";
  readonly bits: number;
  readonly grid: Grid;
  /** Absent: the packing rule's own layout. */
  readonly layout?: CodeLayout;
  readonly dims: readonly Dim[];
}

export type Type = TensorType | CodesType;

export const tensor = (scalar: Scalar, dims: readonly Dim[]): TensorType => ({ kind: "tensor", scalar, dims });
export const codes = (bits: number, grid: Grid, dims: readonly Dim[], layout?: CodeLayout): CodesType =>
  layout === undefined ? { kind: "codes", bits, grid, dims } : { kind: "codes", bits, grid, layout, dims };
export const f32 = (...dims: readonly Dim[]): TensorType => tensor("f32", dims);

export const isFloat = (scalar: Scalar): boolean => scalar === "f32" || scalar === "f16" || scalar === "bf16";
export const isInteger = (scalar: Scalar): boolean => scalar === "i32" || scalar === "u32" || scalar === "i8" || scalar === "u8";
/** Stored as packed bits, 32 to a word. */
export const isBits = (type: Type): boolean => type.kind === "codes" || type.scalar === "bool" || type.scalar === "b1";

export function typesEqual(a: Type, b: Type): boolean {
  if (!shapesEqual(a.dims, b.dims)) return false;
  if (a.kind === "tensor") return b.kind === "tensor" && a.scalar === b.scalar;
  return b.kind === "codes" && a.bits === b.bits && a.grid === b.grid && a.layout === b.layout;
}

export function withDims<T extends Type>(type: T, dims: readonly Dim[]): T {
  return { ...type, dims };
}

export function bindType<T extends Type>(type: T, bindings: ReadonlyMap<string, Dim>): T {
  return withDims(
    type,
    type.dims.map((d) => bindDim(d, bindings)),
  );
}

/** The dims as numbers, or undefined where a name is unbound. */
export function concreteShape(type: Type): readonly number[] | undefined {
  const shape: number[] = [];
  for (const d of type.dims) {
    if (typeof d !== "number") return undefined;
    shape.push(d);
  }
  return shape;
}

/** The dims of a type whose names are all bound. Throws otherwise: call it only past the check of `to-plan`. */
export function shapeOf(type: Type): readonly number[] {
  const shape = concreteShape(type);
  if (shape === undefined) throw new Error(`unbound dimension in ${printType(type)}`);
  return shape;
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** `f32[8, 128]`, `f32[]`, `q4[256, 512; grid = half]`, `q2[64, 784; grid = half, layout = planes]`, `b1[64, 784]`. */
export function printType(type: Type): string {
  const dims = type.dims.map(printDim).join(", ");
  if (type.kind === "tensor") return `${type.scalar}[${dims}]`;
  return `q${type.bits}[${dims}; grid = ${type.grid}${type.layout === undefined ? "" : `, layout = ${type.layout}`}]`;
}
