// Softmax and its logarithm, shifted by the largest element so that no exponential overflows.
import { axis } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import type { Type } from "../type.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { spread, sum } from "./broadcast.ts";
import { requireAxis, requireScalar } from "./checks.ts";
import { exp, log } from "./exponential.ts";
import { vjpOfOne } from "./pointwise.ts";
import { max } from "./reductions.ts";

export const softmax = signature({
  name: "softmax",
  summary: "exp(x) / sum(exp(x)) along one axis.",
  operands: ["x"],
  attrs: { axis },
  callable: true,
});
export const softmaxOp = define(softmax, {
  infer: ([x], { axis }) => checked("softmax", x, axis),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, _operands, y, { axis }) => {
    const mixed = b.emit(sum, [b.emit(mul, [ct, y])], { axes: [axis] });
    return [b.emit(mul, [y, b.emit(sub, [ct, spread(b, mixed, y.type, [axis])])])];
  }),
  lower: {
    kind: "expand",
    expand(b, [x], { axis }) {
      const { powers, total } = shiftedPowers(b, x, axis);
      return b.emit(div, [powers, spread(b, total, x.type, [axis])]);
    },
  },
});

export const logSoftmax = signature({
  name: "log_softmax",
  summary: "x - log(sum(exp(x))) along one axis.",
  operands: ["x"],
  attrs: { axis },
  callable: true,
});
export const logSoftmaxOp = define(logSoftmax, {
  infer: ([x], { axis }) => checked("log_softmax", x, axis),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, _operands, y, { axis }) => {
    const total = b.emit(sum, [ct], { axes: [axis] });
    return [b.emit(sub, [ct, b.emit(mul, [b.emit(exp, [y]), spread(b, total, y.type, [axis])])])];
  }),
  lower: {
    kind: "expand",
    expand(b, [x], { axis }) {
      const { shifted, total } = shiftedPowers(b, x, axis);
      return b.emit(sub, [shifted, spread(b, b.emit(log, [total]), x.type, [axis])]);
    },
  },
});

function checked(op: string, x: Type, axis: number): Type {
  requireAxis(op, x, axis);
  return requireScalar(op, "x", x, ["f32"]);
}

/** Emitted alike for both, so that `cleanup` merges what a loss and its gradient share. */
function shiftedPowers(b: Builder, x: Value, axis: number) {
  const shifted = b.emit(sub, [x, spread(b, b.emit(max, [x], { axes: [axis] }), x.type, [axis])]);
  const powers = b.emit(exp, [shifted]);
  return { shifted, powers, total: b.emit(sum, [powers], { axes: [axis] }) };
}
