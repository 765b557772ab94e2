// Ops whose definitions are wrong must not compile: each error here is one that a reviewer need not look for.
import { int } from "../../ir/attribute.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/module.ts";
import { define, signature } from "../../ir/op.ts";
import { add } from "../../ir/ops/arithmetic.ts";
import { hadamard } from "../../ir/ops/hadamard.ts";
import { pointwise } from "../../ir/ops/pointwise.ts";
import { float, plus } from "../../ir/scalar.ts";

const pair = signature({ name: "pair", summary: "Two operands.", operands: ["x", "y"], attrs: { axis: int } });
const split = signature({ name: "split", summary: "Two results.", operands: ["x"], results: ["low", "high"] });

export const complete = pointwise(pair, { body: ([x, y]) => plus(x, y), vjp: (_b, ct) => [ct, ct] });

// @ts-expect-error: a gradient for one operand of two.
export const halfGradient = pointwise(pair, { body: ([x, y]) => plus(x, y), vjp: (_b, ct) => [ct] });

// @ts-expect-error: no word about the gradient; `vjp: "none"` must be said.
export const noGradient = pointwise(pair, { body: ([x, y]) => plus(x, y) });

// @ts-expect-error: a body that reads a third operand.
export const thirdOperand = pointwise(pair, { body: ([x, y, z]) => plus(plus(x, y), z), vjp: "none" });

// @ts-expect-error: an attribute that the signature does not have.
export const strangeAttribute = pointwise(pair, { body: ([x], { axes }) => plus(x, float(axes)), vjp: "none" });

export const twoResults = define(split, {
  infer: ([x]) => [x, x] as const,
  evaluate: ([x]) => [x, x] as const,
  vjp: (b, [low, high]) => [low === undefined || high === undefined ? undefined : b.emit(add, [low, high])],
  lower: { kind: "kernel", family: "reduce" },
});

export const oneResultOfTwo = define(split, {
  // @ts-expect-error: one type for two results.
  infer: ([x]) => x,
  evaluate: ([x]) => [x, x] as const,
  vjp: "none",
  lower: { kind: "kernel", family: "reduce" },
});

export const unknownFamily = define(split, {
  infer: ([x]) => [x, x] as const,
  evaluate: ([x]) => [x, x] as const,
  vjp: "none",
  // @ts-expect-error: no template makes this.
  lower: { kind: "kernel", family: "convolution" },
});

export function emits(b: Builder, x: Value): readonly Value[] {
  // @ts-expect-error: one operand for two.
  const few = b.emit(add, [x]);
  // @ts-expect-error: the attributes are missing.
  const bare = b.emit(hadamard, [x]);
  // @ts-expect-error: one of two attributes.
  const partial = b.emit(hadamard, [x], { axis: 1 });
  // @ts-expect-error: an attribute of another type.
  const wrong = b.emit(hadamard, [x], { axis: "last", block: 8 });
  return [few, bare, partial, wrong, b.emit(hadamard, [x], { axis: 1, block: 8 })];
}
