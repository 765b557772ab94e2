// Scalar expressions: one DAG for what a kernel computes at one element and for the index arithmetic that finds it.
// An op's body, its reference semantics and its WGSL all follow from the same expression; nodes are shared by identity.
import type { Type } from "./type.ts";

export type ScalarType = "f32" | "i32" | "u32" | "bool";

export const unaryOps = [
  "neg",
  "abs",
  "exp",
  "log",
  "sqrt",
  "rsqrt",
  "tanh",
  "floor",
  "ceil",
  "round",
  "not",
  "is_finite",
  "bitcast_u32",
  "bitcast_f32",
  "to_f16",
] as const;
/** `to_f16` is the nearest f16, as an f32. `round` is half to even. `is_finite` looks at exponent bits (drivers fold `x != x`). `not` is logical. */
export type UnaryOp = (typeof unaryOps)[number];

export const binaryOps = [
  "add",
  "sub",
  "mul",
  "div",
  "rem",
  "min",
  "max",
  "pow",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "and",
  "or",
  "xor",
  "shl",
  "shr",
] as const;
/** `div` and `rem` of integers truncate; `and`, `or` are logical on bool and bitwise on integers; `shr` keeps the sign of i32. */
export type BinaryOp = (typeof binaryOps)[number];

/**
 * How elements lie in a buffer.
 * - `dense`: element number `column` (row is 0), 4 bytes each; f16 has 2, is loaded as the f32 that it is and stored as the nearest f16.
 * - `packed`: `bits` bits an element, rows of `pitch` 32-bit words. Layout `linear`: bits (column*bits) mod 32 of word floor(column*bits/32),
 *   low end first, two's complement (an f32-free i32 is loaded, sign-extended; for 1-bit masks load type `bool`).
 *   Layout `planes`: `bits` bit planes of pitch/bits words each, plane i holding bit i of q + 2^(bits-1).
 */
export type Storage =
  | { readonly kind: "dense"; readonly scalar: DenseScalar }
  | {
      readonly kind: "packed";
      readonly bits: number;
      readonly layout: "linear" | "planes";
      readonly pitch: number;
      readonly signed: boolean;
    };

export type ScalarExpr =
  | { readonly kind: "const"; readonly type: ScalarType; readonly value: number }
  /** The value of operand `index` at this element (an op's body), or of an accumulator (an epilogue). */
  | { readonly kind: "input"; readonly type: ScalarType; readonly index: number }
  /** A coordinate, u32 in [0, bound). */
  | { readonly kind: "variable"; readonly type: "u32"; readonly name: string; readonly bound: number }
  | { readonly kind: "unary"; readonly type: ScalarType; readonly op: UnaryOp; readonly a: ScalarExpr }
  | { readonly kind: "binary"; readonly type: ScalarType; readonly op: BinaryOp; readonly a: ScalarExpr; readonly b: ScalarExpr }
  | {
      readonly kind: "select";
      readonly type: ScalarType;
      readonly condition: ScalarExpr;
      readonly yes: ScalarExpr;
      readonly no: ScalarExpr;
    }
  /** Value conversion; float to integer truncates, bool is 0 or 1. */
  | { readonly kind: "cast"; readonly type: ScalarType; readonly a: ScalarExpr }
  /**
   * Whether the element is one of those that stay where a row is pruned to half (N:M sparsity): each `4 * unit` neighbours along the row are four units of
   * `unit` elements, and the two units with the largest sums of `a` stay, of equal ones the later. Four units end where a row ends.
   */
  | { readonly kind: "kept"; readonly type: "bool"; readonly unit: SparseUnit; readonly a: ScalarExpr }
  /** An element of the buffer at a dispatch's binding. `row` is 0 for dense storage. */
  | {
      readonly kind: "load";
      readonly type: ScalarType;
      readonly binding: number;
      readonly storage: Storage;
      readonly row: ScalarExpr;
      readonly column: ScalarExpr;
    };

/** Elements that are pruned together. */
export type SparseUnit = 1 | 2;

export type DenseScalar = "f32" | "f16" | "i32" | "u32";
/** What an element of dense storage is once it is loaded. */
export const loadedAs = { f32: "f32", f16: "f32", i32: "i32", u32: "u32" } as const satisfies Record<DenseScalar, ScalarType>;
/** Bytes of an element of dense storage. */
export const denseBytes = { f32: 4, f16: 2, i32: 4, u32: 4 } as const satisfies Record<DenseScalar, number>;

/** What an element of a value is inside an expression: narrow floats are f32, narrow integers and codes 32 bits wide, b1 is bool. */
export function scalarTypeOf(type: Type): ScalarType {
  if (type.kind === "codes") return "i32";
  switch (type.scalar) {
    case "f32":
    case "f16":
    case "bf16":
      return "f32";
    case "i32":
    case "i8":
      return "i32";
    case "u32":
    case "u8":
      return "u32";
    case "bool":
    case "b1":
      return "bool";
    default:
      return type.scalar satisfies never;
  }
}

const comparisons: ReadonlySet<BinaryOp> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);

export const constant = (type: ScalarType, value: number): ScalarExpr => ({ kind: "const", type, value });
export const float = (value: number): ScalarExpr => constant("f32", value);
export const uint = (value: number): ScalarExpr => constant("u32", value);
export const int = (value: number): ScalarExpr => constant("i32", value);
export const input = (index: number, type: ScalarType): ScalarExpr => ({ kind: "input", type, index });
export const variable = (name: string, bound: number): ScalarExpr => ({ kind: "variable", type: "u32", name, bound });

export function unary(op: UnaryOp, a: ScalarExpr): ScalarExpr {
  const type = op === "is_finite" || op === "not" ? "bool" : op === "bitcast_u32" ? "u32" : op === "bitcast_f32" ? "f32" : a.type;
  return { kind: "unary", type, op, a };
}

/** Both sides must have the same type (shifts: the right side is u32). */
export function binary(op: BinaryOp, a: ScalarExpr, b: ScalarExpr): ScalarExpr {
  const shift = op === "shl" || op === "shr";
  if (shift ? b.type !== "u32" : a.type !== b.type) throw new Error(`${op} of ${a.type} and ${b.type}`);
  return { kind: "binary", type: comparisons.has(op) ? "bool" : a.type, op, a, b };
}

export function select(condition: ScalarExpr, yes: ScalarExpr, no: ScalarExpr): ScalarExpr {
  if (condition.type !== "bool" || yes.type !== no.type) throw new Error(`select of ${condition.type}, ${yes.type}, ${no.type}`);
  return { kind: "select", type: yes.type, condition, yes, no };
}

export const cast = (type: ScalarType, a: ScalarExpr): ScalarExpr => (a.type === type ? a : { kind: "cast", type, a });

export const keptAmongFour = (unit: SparseUnit, score: ScalarExpr): ScalarExpr => ({ kind: "kept", type: "bool", unit, a: score });

export function load(type: ScalarType, binding: number, storage: Storage, column: ScalarExpr, row: ScalarExpr = uint(0)): ScalarExpr {
  return { kind: "load", type, binding, storage, row, column };
}

export const plus = (a: ScalarExpr, b: ScalarExpr): ScalarExpr => binary("add", a, b);
export const minus = (a: ScalarExpr, b: ScalarExpr): ScalarExpr => binary("sub", a, b);
export const times = (a: ScalarExpr, b: ScalarExpr): ScalarExpr => binary("mul", a, b);
export const over = (a: ScalarExpr, b: ScalarExpr): ScalarExpr => binary("div", a, b);

export function childrenOf(e: ScalarExpr): readonly ScalarExpr[] {
  switch (e.kind) {
    case "const":
    case "input":
    case "variable":
      return [];
    case "unary":
    case "cast":
    case "kept":
      return [e.a];
    case "binary":
      return [e.a, e.b];
    case "select":
      return [e.condition, e.yes, e.no];
    case "load":
      return [e.row, e.column];
    default:
      return e satisfies never;
  }
}

/** The same node over other children (in the order of {@link childrenOf}); the node itself where none changed. */
export function withChildren(e: ScalarExpr, children: readonly ScalarExpr[]): ScalarExpr {
  if (childrenOf(e).every((c, i) => c === children[i])) return e;
  const [x, y, z] = children;
  switch (e.kind) {
    case "unary":
    case "cast":
    case "kept":
      return x === undefined ? e : { ...e, a: x };
    case "binary":
      return x === undefined || y === undefined ? e : { ...e, a: x, b: y };
    case "select":
      return x === undefined || y === undefined || z === undefined ? e : { ...e, condition: x, yes: y, no: z };
    case "load":
      return x === undefined || y === undefined ? e : { ...e, row: x, column: y };
    case "const":
    case "input":
    case "variable":
      return e;
    default:
      return e satisfies never;
  }
}
