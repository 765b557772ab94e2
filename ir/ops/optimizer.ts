// Parameter updates. All leave everything as it was where `ok` is 0, so that a step that went wrong changes nothing.
import { float as floatAttribute, withDefault } from "../attribute.ts";
import { define, type Op, signature, variadic } from "../op.ts";
import { binary, float, minus, over, plus, type ScalarExpr, select, times, uint, unary } from "../scalar.ts";
import { contiguous, denseTensor } from "../tensor.ts";
import { f32, type Type } from "../type.ts";
import { requireRankZero, requireSameDims, requireScalar } from "./checks.ts";

export const globalNorm = signature({
  name: "global_norm",
  summary: "Square root of the sum of squares over all elements of all operands.",
  operands: variadic("grads"),
});
export const globalNormOp: Op = define(globalNorm, {
  infer(grads) {
    for (const grad of grads) requireScalar("global_norm", "grads", grad, ["f32"]);
    return f32();
  },
  evaluate(grads) {
    let total = 0;
    for (const grad of grads) for (const g of contiguous(grad)) total += g * g;
    return denseTensor([], Float64Array.of(Math.sqrt(total)));
  },
  vjp: "none",
  lower: { kind: "kernel", family: "norm" },
});

/** Tensors of the weight's shape first, then f32 scalars, `ok` last. */
function checkUpdate(op: string, names: readonly string[], types: readonly Type[], tensors: number): void {
  for (const [i, type] of types.entries()) {
    const name = names[i] ?? "";
    requireScalar(op, name, type, [name === "ok" ? "u32" : "f32"]);
    if (i >= tensors) requireRankZero(op, name, type);
  }
  requireSameDims(op, types.slice(0, tensors));
}

/** What the learning rate is multiplied by for this parameter. */
const rateAttribute = withDefault(floatAttribute, 1);

const ratedBy = (lr: ScalarExpr, rate: number): ScalarExpr => (rate === 1 ? lr : times(float(rate), lr));

const unlessBad = (ok: ScalarExpr, next: ScalarExpr, old: ScalarExpr): ScalarExpr => select(binary("ne", ok, uint(0)), next, old);

/** Exponential moving average. */
const blend = (old: ScalarExpr, next: ScalarExpr, beta: number): ScalarExpr => plus(times(float(beta), old), times(float(1 - beta), next));

export const adamw = signature({
  name: "adamw",
  summary: "AdamW (arXiv:1711.05101): `clip` scales the gradient, c1 and c2 are the bias corrections 1 - beta^t, decay is decoupled.",
  operands: ["weight", "m", "v", "gradient", "clip", "lr", "c1", "c2", "ok"],
  results: ["weight", "m", "v"],
  attrs: { beta1: floatAttribute, beta2: floatAttribute, eps: floatAttribute, decay: floatAttribute, rate: rateAttribute },
});
export const adamwOp = define(adamw, {
  infer(types) {
    checkUpdate("adamw", adamw.operands, types, 4);
    return [types[0], types[1], types[2]] as const;
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "pointwise",
    body([weight, m, v, gradient, clip, lr, c1, c2, ok], { beta1, beta2, eps, decay, rate }) {
      const g = times(gradient, clip);
      const m1 = blend(m, g, beta1);
      const v1 = blend(v, times(g, g), beta2);
      const update = over(over(m1, c1), plus(unary("sqrt", over(v1, c2)), float(eps)));
      const next = minus(weight, times(ratedBy(lr, rate), plus(update, times(float(decay), weight))));
      return [unlessBad(ok, next, weight), unlessBad(ok, m1, m), unlessBad(ok, v1, v)] as const;
    },
  },
});

export const sgd = signature({
  name: "sgd",
  summary: "Gradient descent: weight - lr (clip gradient + decay weight).",
  operands: ["weight", "gradient", "clip", "lr", "ok"],
  results: ["weight"],
  attrs: { decay: floatAttribute, rate: rateAttribute },
});
export const sgdOp = define(sgd, {
  infer(types) {
    checkUpdate("sgd", sgd.operands, types, 2);
    return types[0];
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "pointwise",
    body: ([weight, gradient, clip, lr, ok], { decay, rate }) =>
      unlessBad(ok, minus(weight, times(ratedBy(lr, rate), decayed(weight, gradient, clip, decay))), weight),
  },
});

export const sgdMomentum = signature({
  name: "sgd_momentum",
  summary:
    "Gradient descent with heavy-ball momentum: velocity' = momentum velocity + clip gradient + decay weight, weight - lr velocity'.",
  operands: ["weight", "velocity", "gradient", "clip", "lr", "ok"],
  results: ["weight", "velocity"],
  attrs: { momentum: floatAttribute, decay: floatAttribute, rate: rateAttribute },
});
export const sgdMomentumOp = define(sgdMomentum, {
  infer(types) {
    checkUpdate("sgd_momentum", sgdMomentum.operands, types, 3);
    return [types[0], types[1]] as const;
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "pointwise",
    body([weight, velocity, gradient, clip, lr, ok], { momentum, decay, rate }) {
      const next = plus(times(float(momentum), velocity), decayed(weight, gradient, clip, decay));
      return [unlessBad(ok, minus(weight, times(ratedBy(lr, rate), next)), weight), unlessBad(ok, next, velocity)] as const;
    },
  },
});

const decayed = (weight: ScalarExpr, gradient: ScalarExpr, clip: ScalarExpr, decay: number): ScalarExpr =>
  plus(times(clip, gradient), times(float(decay), weight));
