// Comparison, logic and choice.
import { reject } from "../diagnostic.ts";
import { type Op, signature } from "../op.ts";
import { type BinaryOp, binary, select as selectExpr, unary } from "../scalar.ts";
import { printType, type Scalar, typesEqual } from "../type.ts";
import { bits, floats, numbers, requireSameDims, requireScalar } from "./checks.ts";
import { pointwise } from "./pointwise.ts";
import { zerosLike } from "./source.ts";

const comparison = <const N extends string>(name: N, sign: string) =>
  signature({ name, summary: `Whether x ${sign} y.`, operands: ["x", "y"] });
type Comparison = ReturnType<typeof comparison>;
const anything: readonly Scalar[] = [...numbers, ...bits];
const comparisonOp = (sig: Comparison, op: BinaryOp, takes: readonly Scalar[] = numbers): Op =>
  pointwise(sig, { takes, gives: "bool", body: ([x, y]) => binary(op, x, y), vjp: "none" });

export const equal = comparison("equal", "=");
export const equalOp = comparisonOp(equal, "eq", anything);
export const notEqual = comparison("not_equal", "!=");
export const notEqualOp = comparisonOp(notEqual, "ne", anything);
export const less = comparison("less", "<");
export const lessOp = comparisonOp(less, "lt");
export const lessEqual = comparison("less_equal", "<=");
export const lessEqualOp = comparisonOp(lessEqual, "le");
export const greater = comparison("greater", ">");
export const greaterOp = comparisonOp(greater, "gt");
export const greaterEqual = comparison("greater_equal", ">=");
export const greaterEqualOp = comparisonOp(greaterEqual, "ge");

export const logicalAnd = signature({ name: "logical_and", summary: "Whether both hold.", operands: ["x", "y"] });
export const logicalAndOp = pointwise(logicalAnd, { takes: bits, body: ([x, y]) => binary("and", x, y), vjp: "none" });
export const logicalOr = signature({ name: "logical_or", summary: "Whether either holds.", operands: ["x", "y"] });
export const logicalOrOp = pointwise(logicalOr, { takes: bits, body: ([x, y]) => binary("or", x, y), vjp: "none" });
export const logicalNot = signature({ name: "logical_not", summary: "Whether it does not hold.", operands: ["x"] });
export const logicalNotOp = pointwise(logicalNot, { takes: bits, body: ([x]) => unary("not", x), vjp: "none" });

export const finite = signature({
  name: "is_finite",
  summary: "Whether x is neither infinite nor NaN, by its exponent bits.",
  operands: ["x"],
});
export const isFiniteOp = pointwise(finite, { takes: floats, gives: "bool", body: ([x]) => unary("is_finite", x), vjp: "none" });

export const select = signature({
  name: "select",
  summary: "`yes` where the condition holds, `no` elsewhere.",
  operands: ["condition", "yes", "no"],
  callable: true,
});
export const selectOp = pointwise(select, {
  infer([condition, yes, no]) {
    requireScalar("select", "condition", condition, bits);
    requireScalar("select", "yes", yes, anything);
    requireSameDims("select", [condition, yes, no]);
    if (!typesEqual(yes, no)) reject(`\`select\` takes two values of one type, got ${printType(yes)} and ${printType(no)}`);
    return yes;
  },
  body: ([condition, yes, no]) => selectExpr(condition, yes, no),
  vjp(b, ct, [condition]) {
    const zero = zerosLike(b, ct);
    return [undefined, b.emit(select, [condition, ct, zero]), b.emit(select, [condition, zero, ct])];
  },
});
