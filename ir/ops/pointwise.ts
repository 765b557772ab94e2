// How pointwise ops are made: a signature, a scalar body and a vector-Jacobian product; all else follows.
import type { AttributeSpec, AttributesOf } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import type { Value } from "../module.ts";
import { define, type Op, type OperandNames, type PerOperand, type Signature, type Vjp } from "../op.ts";
import { binary, type ScalarExpr, uint } from "../scalar.ts";
import { type Scalar, type Type, tensor } from "../type.ts";
import { floats, requireSameDims, requireScalar } from "./checks.ts";

/** The vector-Jacobian product of an op with one result, called only where that result has a cotangent. */
export type VjpOfOne<O extends OperandNames, A extends AttributeSpec> = (
  b: Builder,
  cotangent: Value,
  operands: PerOperand<O, Value>,
  result: Value,
  attrs: AttributesOf<A>,
) => PerOperand<O, Value | undefined>;

interface PointwiseRules<O extends OperandNames, A extends AttributeSpec> {
  /** Scalar types that the operands may have, all of them the same one. Floats where this is absent. */
  readonly takes?: readonly Scalar[];
  /** Scalar type of the result; that of the operands where this is absent. */
  readonly gives?: Scalar;
  /** Result type, where the two above do not say it. */
  infer?(operands: PerOperand<O, Type>, attrs: AttributesOf<A>): Type;
  body(inputs: PerOperand<O, ScalarExpr>, attrs: AttributesOf<A>, types: { readonly operands: PerOperand<O, Type> }): ScalarExpr;
  readonly vjp: "none" | VjpOfOne<O, A>;
}

/** Define a pointwise op with one result. Operands have one shape, that of the result. */
export function pointwise<O extends OperandNames, A extends AttributeSpec>(
  sig: Signature<O, readonly ["out"], A>,
  rules: PointwiseRules<O, A>,
): Op {
  return define(sig, {
    infer: (operands, attrs) => rules.infer?.(operands, attrs) ?? inferElementwise(sig, operands, rules.takes ?? floats, rules.gives),
    evaluate: "from lower",
    vjp: rules.vjp === "none" ? "none" : vjpOfOne(rules.vjp),
    lower: { kind: "pointwise", body: (inputs, attrs, types) => rules.body(inputs, attrs, types) },
  });
}

/** Lift a rule for one cotangent: where there is none, no operand gets one. */
export function vjpOfOne<O extends OperandNames, A extends AttributeSpec>(rule: VjpOfOne<O, A>): Vjp<O, readonly ["out"], A> {
  return (b, [cotangent], operands, [result], attrs) =>
    cotangent === undefined ? (operands.map(() => undefined) as PerOperand<O, undefined>) : rule(b, cotangent, operands, result, attrs);
}

function inferElementwise(sig: Signature, operands: readonly Type[], takes: readonly Scalar[], gives: Scalar | undefined): Type {
  const [first, ...others] = operands.map((type, i) => requireScalar(sig.name, sig.operands[i] ?? "", type, takes));
  if (first === undefined) throw new Error(`${sig.name} has no operands`);
  for (const [i, other] of others.entries()) requireScalar(sig.name, sig.operands[i + 1] ?? "", other, [first.scalar]);
  requireSameDims(sig.name, operands);
  return tensor(gives ?? first.scalar, first.dims);
}

/**
 * Where a pointwise op's operand is read for the element of the result at `coordinates` (u32). Most operands have the result's
 * shape. A rank-0 operand is the same at every element. A scale has fewer elements along an axis: each serves a run of
 * consecutive elements (its group), all of them where the axis has size 1.
 */
export function operandCoordinates(
  coordinates: readonly ScalarExpr[],
  operand: readonly number[],
  result: readonly number[],
): readonly ScalarExpr[] {
  return operand.map((size, axis) => {
    const at = coordinates[axis];
    const whole = result[axis];
    if (at === undefined || whole === undefined || whole % size !== 0)
      throw new Error(`no pointwise operand [${operand.join(", ")}] for a result [${result.join(", ")}]`);
    if (size === whole) return at;
    return size === 1 ? uint(0) : binary("div", at, uint(whole / size));
  });
}
