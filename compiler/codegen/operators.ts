// One operation of a scalar expression as WGSL, on scalars or on vectors of four. Types are known from the expression, not to the compiler.
import type { BinaryOp, ScalarExpr, ScalarType } from "../../ir/scalar.ts";
import { type AnyE, bool, type E, expression, f32, i32, size, u32, wgslName } from "./wgsl.ts";
import { isVector, vectorOf, type WgslType } from "./wgsl-node.ts";

/** A constant as it stands in the text. */
export function literal(type: ScalarType, value: number): AnyE {
  switch (type) {
    case "f32":
      return f32(value);
    case "i32":
      return i32(value);
    case "u32":
      return u32(value);
    case "bool":
      return bool(value !== 0);
    default:
      return type satisfies never;
  }
}

type Word = Extract<ScalarExpr, { kind: "const" }>;
export const isWord = (e: ScalarExpr): e is Word => e.kind === "const" && e.type === "u32";
/** Constants up to four stay in the text: they come from vectors, not from shapes. */
export const sizeOf = (e: Word): E<"u32"> => (e.value <= 4 ? u32(e.value) : size(e.value));
export const invoke = (type: WgslType, callee: string, args: readonly AnyE[]): AnyE =>
  expression(type, { kind: "call", callee, args: args.map((a) => a.node) });
/** The value four times, where it is not a vector already. */
export const splatted = (e: AnyE): AnyE => (isVector(e.type) ? e : invoke(vectorOf[e.type], wgslName(vectorOf[e.type]), [e]));

/** Operations in which WGSL takes a scalar beside a vector. */
export const arithmetic: ReadonlySet<BinaryOp> = new Set(["add", "sub", "mul", "div", "rem"]);
const infixText: Partial<Record<BinaryOp, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  rem: "%",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>",
};
/** Operands that are positions or sizes: there a u32 constant becomes an immediate. */
const sizeOperands: ReadonlySet<BinaryOp> = new Set(["add", "sub", "mul", "div", "rem", "min", "max", "eq", "ne", "lt", "le", "gt", "ge"]);

const isPowerOfTwo = (x: number): boolean => x > 0 && Number.isInteger(Math.log2(x));

/** One operation on operands that `operand` emits (`asSize`: a u32 constant there is a size). */
export function combine(
  e: Exclude<ScalarExpr, { kind: "const" | "variable" | "input" | "load" }>,
  type: WgslType,
  operand: (e: ScalarExpr, asSize: boolean) => AnyE,
): AnyE {
  switch (e.kind) {
    case "cast":
      return invoke(type, wgslName(type), [operand(e.a, false)]);
    case "select":
      return invoke(type, "select", [operand(e.no, true), operand(e.yes, true), operand(e.condition, false)]);
    case "unary":
      return unaryText(e, type, operand(e.a, false));
    case "binary": {
      const { op, a, b } = e;
      if (op === "pow" || op === "min" || op === "max")
        return invoke(type, op, [operand(a, a.type === "u32"), operand(b, b.type === "u32")]);
      const sizes = a.type === "u32" && sizeOperands.has(op);
      // Division by a power of two stays a shift: a division by an immediate would cost tens of cycles a lane.
      if (sizes && (op === "div" || op === "rem") && b.kind === "const" && isPowerOfTwo(b.value)) {
        const by = u32(op === "div" ? Math.log2(b.value) : b.value - 1);
        return infix(type, op === "div" ? ">>" : "&", operand(a, true), isVector(type) ? splatted(by) : by);
      }
      if (a.type === "bool" && !isVector(type))
        return infix(
          type,
          op === "and" ? "&&" : op === "or" ? "||" : op === "xor" || op === "ne" ? "!=" : "==",
          operand(a, false),
          operand(b, false),
        );
      if (a.type === "bool" && op === "xor") return infix(type, "!=", operand(a, false), operand(b, false));
      return infix(type, infixText[op] ?? op, operand(a, sizes), operand(b, sizes));
    }
    case "kept":
      throw new Error("neighbours are compared where they are known: see rows-sparse.ts");
    default:
      return e satisfies never;
  }
}

const infix = (type: WgslType, op: string, a: AnyE, b: AnyE): AnyE => expression(type, { kind: "infix", op, a: a.node, b: b.node });

function unaryText(e: Extract<ScalarExpr, { kind: "unary" }>, type: WgslType, a: AnyE): AnyE {
  switch (e.op) {
    case "neg":
      return e.type === "u32"
        ? infix(type, "-", isVector(type) ? splatted(u32(0)) : u32(0), a)
        : expression(type, { kind: "prefix", op: "-", a: a.node });
    case "not":
      return expression(type, { kind: "prefix", op: "!", a: a.node });
    case "bitcast_f32":
    case "bitcast_u32":
      return invoke(type, `bitcast<${wgslName(type)}>`, [a]);
    case "rsqrt":
      return invoke(type, "inverseSqrt", [a]);
    case "abs":
    case "exp":
    case "sqrt":
    case "floor":
    case "ceil":
    case "round":
      return invoke(type, e.op, [a]);
    case "tanh":
    case "log":
    case "is_finite":
    case "to_f16":
      throw new Error(`${e.op} was not lowered`);
    default:
      return e.op satisfies never;
  }
}
