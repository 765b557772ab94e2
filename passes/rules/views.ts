// Views that change nothing, views of views, and views of constants: places only, so every rule here is exact.
import type { AttributeSpec, AttributesOf } from "../../ir/attribute.ts";
import type { Value } from "../../ir/module.ts";
import type { OperandNames, Signature } from "../../ir/op.ts";
import { broadcast, sum } from "../../ir/ops/broadcast.ts";
import { max, min } from "../../ir/ops/reductions.ts";
import { splat } from "../../ir/ops/source.ts";
import { pad, reshape, reverse, slice, transpose } from "../../ir/ops/views.ts";
import { type RewriteContext, type Rule, rule, ruleFor } from "../../ir/rewrite.ts";
import { typesEqual } from "../../ir/type.ts";
import { splatOf } from "./pointwise.ts";

/** The operand and the attributes of the instruction behind a value, where that is an op of this signature. */
export function matchUnary<A extends AttributeSpec>(
  value: Value,
  sig: Signature<readonly ["x"] & OperandNames, readonly ["out"], A>,
  { producer }: Pick<RewriteContext, "producer">,
): { readonly x: Value; readonly attrs: AttributesOf<A> } | undefined {
  const from = producer(value);
  const x = from?.operands[0];
  return from?.op.signature.name === sig.name && x !== undefined ? { x, attrs: from.attrs as AttributesOf<A> } : undefined;
}

/** A view with the type of its operand that leaves every element in its place, as its op says. */
const identityView: Rule = rule("identity-view", ({ op: { lower }, operands: [x], results: [out], attrs }) => {
  if (lower.kind !== "view" || x === undefined || out === undefined || !typesEqual(x.type, out.type)) return undefined;
  return lower.isIdentity === true || lower.isIdentity(attrs as never, x.type) ? [x] : undefined;
});

const reverseOfReverse: Rule = ruleFor(reverse, "reverse-of-reverse", ([middle], { axis }, cx) => {
  const inner = matchUnary(middle, reverse, cx);
  return inner?.attrs.axis === axis ? [inner.x] : undefined;
});

const transposeOfTranspose: Rule = ruleFor(transpose, "transpose-of-transpose", ([middle], { permutation }, cx) => {
  const inner = matchUnary(middle, transpose, cx);
  if (inner === undefined) return undefined;
  return [cx.builder.emit(transpose, [inner.x], { permutation: permutation.map((axis) => inner.attrs.permutation[axis] ?? axis) })];
});

const reshapeOfReshape: Rule = ruleFor(reshape, "reshape-of-reshape", ([middle], { type }, cx) => {
  const inner = matchUnary(middle, reshape, cx);
  return inner === undefined ? undefined : [cx.builder.emit(reshape, [inner.x], { type })];
});

const broadcastOfBroadcast: Rule = ruleFor(broadcast, "broadcast-of-broadcast", ([middle], { type }, cx) => {
  const inner = matchUnary(middle, broadcast, cx);
  return inner === undefined ? undefined : [cx.builder.emit(broadcast, [inner.x], { type })];
});

const sliceOfSlice: Rule = ruleFor(slice, "slice-of-slice", ([middle], { axis, start, size }, cx) => {
  const inner = matchUnary(middle, slice, cx);
  if (inner === undefined || inner.attrs.axis !== axis) return undefined;
  return [cx.builder.emit(slice, [inner.x], { axis, start: inner.attrs.start + start, size })];
});

/** One number everywhere has it at every place; only padding brings in another one, zero. */
const viewOfConstant: Rule = rule("view-of-constant", ({ op, operands: [x], results: [out] }, cx) => {
  if (op.lower.kind !== "view" || x === undefined || out === undefined) return undefined;
  const value = splatOf(x, cx);
  if (value === undefined || (op.signature.name === pad.name && !Object.is(value, 0))) return undefined;
  return [splat(cx.builder, out.type, value)];
});

/** A sum or an extreme over axes of size 1 has one term. (A sum of -0 may come out as 0: no kernel promises where a sum starts.) */
const reductionOfOne = (sig: typeof sum | typeof max | typeof min): Rule =>
  ruleFor(sig, `${sig.name}-of-one`, ([x], { axes }, { builder }, { results: [out] }) => {
    if (out === undefined || !axes.every((axis) => x.type.dims[axis] === 1)) return undefined;
    return [axes.length === 0 ? x : builder.emit(reshape, [x], { type: out.type })];
  });

export const viewRules: readonly Rule[] = [
  identityView,
  transposeOfTranspose,
  reverseOfReverse,
  reshapeOfReshape,
  broadcastOfBroadcast,
  sliceOfSlice,
  viewOfConstant,
  reductionOfOne(sum),
  reductionOfOne(max),
  reductionOfOne(min),
];
