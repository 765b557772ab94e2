// Operators on tensors: which op an operator is, numbers beside tensors, and broadcasting by trailing axes.
import { reject } from "../../ir/diagnostic.ts";
import { type Dim, dimsEqual, shapesEqual } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import { add, div, mul, neg, rem, sub } from "../../ir/ops/arithmetic.ts";
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
  "%": rem,
  "==": equal,
  "!=": notEqual,
  "<": less,
  "<=": lessEqual,
  ">": greater,
  ">=": greaterEqual,
} as const;

/** A pointwise op of two operands, by operator. Rejects what does not fit. */
export function lowerOperator(cx: EntryContext, operator: BinaryOperator, a: Meaning, b: Meaning, hint?: string): Value {
  return cx.emit(operators[operator], pairOf(cx, operator, a, b), {}, hint);
}

export function lowerNegation(cx: EntryContext, x: Value, hint?: string): Value {
  return cx.emit(neg, [x], {}, hint);
}

/** {@link alike} for the two operands of an operator. */
export function pairOf(cx: EntryContext, operator: string, a: Meaning, b: Meaning): readonly [Value, Value] {
  return alike(cx, operator, [a, b]) as readonly [Value, Value];
}

/** Tensors of one shape: a number takes the type of the last tensor beside it, sizes of 1 and missing leading axes are repeated. */
export function alike(cx: EntryContext, operator: string, meanings: readonly Meaning[]): readonly Value[] {
  const op = `\`${operator}\``;
  const tensors = meanings.flatMap((m) => (m.kind === "tensor" ? [m.value] : []));
  const beside = tensors.at(-1);
  const isFit = meanings.every((m) => m.kind === "tensor" || m.kind === "constant");
  if (!isFit || beside === undefined) return reject(`${op} does not take ${meanings.map(describe).join(" and ")}`);
  const numbers = meanings.map((m) => (m.kind === "constant" ? numberFor(op, m.constant, beside.type) : undefined));
  const dims = tensors.map(({ type }) => type).reduce((a, b) => withDims(a, commonShape(op, a, b))).dims;
  return meanings.map((m, i) =>
    m.kind === "tensor" ? widened(cx, m.value, dims) : cx.splat(withDims(beside.type, dims), numbers[i] ?? Number.NaN),
  );
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
