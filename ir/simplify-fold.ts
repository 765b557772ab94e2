// Constant folding, with the wrapping and rounding of the 32-bit types.

import { narrowed } from "./narrow.ts";
import type { BinaryOp, ScalarExpr, ScalarType, UnaryOp } from "./scalar.ts";
import type { SimplifyRule } from "./simplify-rule.ts";

type Const = Extract<ScalarExpr, { kind: "const" }>;
const isConst = (e: ScalarExpr): e is Const => e.kind === "const";

export const foldRules: readonly SimplifyRule[] = [
  {
    name: "fold-binary",
    apply(e, cx) {
      if (e.kind !== "binary" || !isConst(e.a) || !isConst(e.b)) return undefined;
      const value = foldBinary(e.op, e.a.type, e.a.value, e.b.value);
      return value === undefined ? undefined : cx.constant(e.type, value);
    },
  },
  {
    name: "fold-unary",
    apply(e, cx) {
      if (e.kind !== "unary" || !isConst(e.a)) return undefined;
      const value = foldUnary(e.op, e.a.type, e.a.value);
      return value === undefined ? undefined : cx.constant(e.type, value);
    },
  },
  {
    name: "fold-cast",
    apply(e, cx) {
      if (e.kind !== "cast" || !isConst(e.a)) return undefined;
      const value = foldCast(e.type, e.a.type, e.a.value);
      return value === undefined ? undefined : cx.constant(e.type, value);
    },
  },
];

/** The value of an operation on constants; undefined where WGSL leaves it open or where it is not exactly rounded. */
function foldBinary(op: BinaryOp, type: ScalarType, a: number, b: number): number | undefined {
  switch (op) {
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "gt":
      return Number(a > b);
    case "ge":
      return Number(a >= b);
    default:
  }
  switch (type) {
    case "bool":
      return op === "and" ? a & b : op === "or" ? a | b : op === "xor" ? a ^ b : undefined;
    case "f32":
      return foldFloat(op, a, b);
    case "i32": {
      const value = foldInteger(op, a, b);
      return value === undefined ? undefined : value | 0;
    }
    case "u32": {
      const value = op === "shr" ? (b < 32 ? a >>> b : undefined) : foldInteger(op, a, b);
      return value === undefined ? undefined : value >>> 0;
    }
    default:
      return type satisfies never;
  }
}

function foldFloat(op: BinaryOp, a: number, b: number): number | undefined {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return undefined;
  const value =
    op === "add"
      ? a + b
      : op === "sub"
        ? a - b
        : op === "mul"
          ? a * b
          : op === "min"
            ? Math.min(a, b)
            : op === "max"
              ? Math.max(a, b)
              : undefined;
  if (value === undefined) return undefined;
  const rounded = Math.fround(value);
  return Number.isFinite(rounded) ? rounded : undefined;
}

function foldInteger(op: BinaryOp, a: number, b: number): number | undefined {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return Math.imul(a, b);
    case "div":
      return b === 0 ? undefined : Math.trunc(a / b);
    case "rem":
      return b === 0 ? undefined : a % b;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return b < 32 ? a << b : undefined;
    case "shr":
      return b < 32 ? a >> b : undefined;
    default:
      return undefined;
  }
}

function foldUnary(op: UnaryOp, type: ScalarType, a: number): number | undefined {
  if (op === "not") return 1 - a;
  if (type === "f32" && op === "is_finite") return Number(Number.isFinite(a));
  if (type === "f32" && !Number.isFinite(a)) return undefined;
  switch (op) {
    case "neg":
      return type === "f32" ? -a : type === "i32" ? -a | 0 : undefined;
    case "abs":
      return type === "i32" ? Math.abs(a) | 0 : Math.abs(a);
    case "floor":
      return type === "f32" ? Math.floor(a) : undefined;
    case "ceil":
      return type === "f32" ? Math.ceil(a) : undefined;
    case "to_f16":
      return type === "f32" ? narrowed(a, "f16") : undefined;
    case "bitcast_u32":
      return type === "f32" ? bits(a) : a >>> 0;
    default:
      return undefined;
  }
}

function foldCast(to: ScalarType, from: ScalarType, a: number): number | undefined {
  switch (to) {
    case "f32":
      return Math.fround(a);
    case "bool":
      return Number(a !== 0);
    case "i32":
      if (from === "f32" && !(Math.abs(a) < 2 ** 31)) return undefined;
      return Math.trunc(a) | 0;
    case "u32":
      if (from === "f32" && !(a > -1 && a < 2 ** 32)) return undefined;
      return Math.trunc(a) >>> 0;
    default:
      return to satisfies never;
  }
}

const words = new DataView(new ArrayBuffer(4));
const bits = (a: number): number => {
  words.setFloat32(0, a);
  return words.getUint32(0);
};
