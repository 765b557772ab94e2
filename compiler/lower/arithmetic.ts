// Operators on tensors: which op an operator is, numbers beside tensors, and broadcasting by trailing axes.
import { reject } from "../../ir/diagnostic.ts";
import { type Dim, dimsEqual, shapesEqual } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import { add, div, mul, neg, sub } from "../../ir/ops/arithmetic.ts";
import { broadcast } from "../../ir/ops/broadcast.ts";
import { equal, greater, greaterEqual, less, lessEqual, notEqual } from "../../ir/ops/compare.ts";
import { isFloat, isInteger, printType, type Type, withDims } from "../../ir/type.ts";
import { type Constant, describeConstant } from "../sema/constant.ts";
import type { BinaryOperator } from "../syntax/ast-expression.ts";
import type { EntryContext } from "./entry-context.ts";
import { describe, type Meaning } from "./meaning.ts";

const operators = {
  "+": add,
  "-": sub,
  "*": mul,
  "/": div,
  "==": equal,
  "!=": notEqual,
  "<": less,
  "<=": lessEqual,
  ">": greater,
  ">=": greaterEqual,
} as const;

/** A pointwise op of two operands, by operator. Rejects what does not fit. */
export function lowerOperator(cx: EntryContext, operator: BinaryOperator, a: Meaning, b: Meaning, hint?: string): Value {
  if (operator === "%") return reject("`%` takes ints that are known when the model is compiled");
  return cx.emit(operators[operator], pairOf(cx, operator, a, b), {}, hint);
}

export function lowerNegation(cx: EntryContext, x: Value, hint?: string): Value {
  return cx.emit(neg, [x], {}, hint);
}

/** Two tensors of one shape: a number takes the other's type, sizes of 1 and missing leading axes are repeated. */
export function pairOf(cx: EntryContext, operator: string, a: Meaning, b: Meaning): readonly [Value, Value] {
  const op = `\`${operator}\``;
  if (a.kind === "tensor" && b.kind === "constant") return [a.value, cx.splat(a.value.type, numberFor(op, b.constant, a.value.type))];
  if (b.kind === "tensor" && a.kind === "constant") return [cx.splat(b.value.type, numberFor(op, a.constant, b.value.type)), b.value];
  if (a.kind !== "tensor" || b.kind !== "tensor") return reject(`${op} does not take ${describe(a)} and ${describe(b)}`);
  const dims = commonShape(op, a.value.type, b.value.type);
  return [widened(cx, a.value, dims), widened(cx, b.value, dims)];
}

/** A constant as an element of a type: integer literals adapt to floats, nothing else converts. */
export function numberFor(op: string, constant: Constant, type: Type): number {
  const scalar = type.kind === "tensor" ? type.scalar : undefined;
  if (scalar !== undefined && isFloat(scalar) && (constant.kind === "float" || (constant.kind === "int" && constant.literal === true)))
    return constant.value;
  if (scalar !== undefined && isInteger(scalar) && constant.kind === "int") return constant.value;
  const help = constant.kind === "int" ? ["an int becomes a float by `float(...)`"] : [];
  return reject(`${op} does not take ${describeConstant(constant)} beside ${printType(type)}`, help);
}

function commonShape(op: string, a: Type, b: Type): readonly Dim[] {
  const rank = Math.max(a.dims.length, b.dims.length);
  return Array.from({ length: rank }, (_, axis): Dim => {
    const x = a.dims[axis - rank + a.dims.length];
    const y = b.dims[axis - rank + b.dims.length];
    if (x === undefined || y === undefined) return x ?? y ?? 1;
    if (dimsEqual(x, y) || y === 1) return x;
    if (x === 1) return y;
    return reject(`${op} takes shapes that agree from the last axis on, got ${printType(a)} and ${printType(b)}`, [
      "axes of size 1 and missing leading axes are repeated, no others",
    ]);
  });
}

function widened(cx: EntryContext, value: Value, dims: readonly Dim[]): Value {
  if (shapesEqual(value.type.dims, dims)) return value;
  return cx.emit(broadcast, [value], { type: withDims(value.type, dims) }, value.hint);
}
