// Mistakes in ops that must not compile. Checked by `tsc`; nothing here runs.
import { int, withDefault } from "../../ir/attribute.ts";
import type { Builder } from "../../ir/builder.ts";
import type { Value } from "../../ir/module.ts";
import { define, signature } from "../../ir/op.ts";
import { add } from "../../ir/ops/arithmetic.ts";
import { pointwise } from "../../ir/ops/pointwise.ts";
import { binary } from "../../ir/scalar.ts";

const two = signature({ name: "two", summary: "Two operands.", operands: ["x", "y"], attrs: { axis: int, start: withDefault(int, 0) } });
const split = signature({ name: "split", summary: "Two results.", operands: ["x"], results: ["low", "high"] });
const kernel = { kind: "kernel", family: "reduce" } as const;

export function emitting(b: Builder, x: Value): void {
  b.emit(two, [x, x], { axis: 0 }) satisfies Value;
  b.emit(two, [x, x], { axis: 0, start: 3 });
  b.emit(add, [x, x]);
  b.emit(split, [x]) satisfies readonly [Value, Value];

  // @ts-expect-error: one operand of two
  b.emit(two, [x], { axis: 0 });
  // @ts-expect-error: three operands of two
  b.emit(two, [x, x, x], { axis: 0 });
  // @ts-expect-error: no attributes at all
  b.emit(two, [x, x]);
  // @ts-expect-error: a missing attribute
  b.emit(two, [x, x], { start: 3 });
  // @ts-expect-error: an attribute of another kind
  b.emit(two, [x, x], { axis: "last" });
  // @ts-expect-error: an attribute that does not exist
  b.emit(add, [x, x], { axis: 0 });
  // @ts-expect-error: two results are no value
  b.emit(split, [x]) satisfies Value;
}

export const complete = define(two, {
  infer: ([x]) => x,
  evaluate: ([x]) => x,
  vjp: (_b, [ct]) => [ct, undefined],
  lower: kernel,
});

export const vjpForOneOfTwo = define(two, {
  infer: ([x]) => x,
  evaluate: ([x]) => x,
  // @ts-expect-error: an answer for one operand of two
  vjp: (_b, [ct]) => [ct],
  lower: kernel,
});

// @ts-expect-error: no vjp, and "none" must be said
export const noVjp = define(two, { infer: ([x]) => x, evaluate: ([x]) => x, lower: kernel });

// @ts-expect-error: no rule for types
export const noInfer = define(two, { evaluate: ([x]) => x, vjp: "none", lower: kernel });

// @ts-expect-error: no lowering
export const noLower = define(two, { infer: ([x]) => x, evaluate: ([x]) => x, vjp: "none" });

// @ts-expect-error: no reference semantics
export const noEvaluate = define(two, { infer: ([x]) => x, vjp: "none", lower: kernel });

export const oneTypeForTwoResults = define(split, {
  // @ts-expect-error: two results, one type
  infer: ([x]) => x,
  evaluate: ([x]) => [x, x] as const,
  vjp: "none",
  lower: kernel,
});

export const unknownOperand = define(two, {
  // @ts-expect-error: there is no third operand
  infer: ([_x, _y, z]) => z,
  evaluate: ([x]) => x,
  vjp: "none",
  lower: kernel,
});

export const unknownFamily = define(two, {
  infer: ([x]) => x,
  evaluate: ([x]) => x,
  vjp: "none",
  // @ts-expect-error: no such kernel family
  lower: { kind: "kernel", family: "sort" },
});

// @ts-expect-error: a pointwise op without a body
export const noBody = pointwise(two, { vjp: "none" });

export const pointwiseVjpForOneOfTwo = pointwise(two, {
  body: ([x, y]) => binary("add", x, y),
  // @ts-expect-error: an answer for one operand of two
  vjp: (_b, ct) => [ct],
});
