// Normalisation of rows, with gradients in closed form.
import { float, withDefault } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { dimsEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { printType, type Type } from "../type.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { broadcast, spread, sum } from "./broadcast.ts";
import { requireScalar } from "./checks.ts";
import { rsqrt } from "./exponential.ts";
import { vjpOfOne } from "./pointwise.ts";
import { mean } from "./reductions.ts";
import { splat } from "./source.ts";

const epsilon = withDefault(float, 1e-5);

export const rmsNorm = signature({
  name: "rms_norm",
  summary: "x / sqrt(mean(x^2) + epsilon) * gain, with the mean over the last axis.",
  operands: ["x", "gain"],
  attrs: { epsilon },
  callable: true,
});
export const rmsNormOp = define(rmsNorm, {
  infer: ([x, gain]) => checked("rms_norm", x, [["gain", gain]]),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x, gain], _result, { epsilon: eps }) => {
    const unit = normalized(b, x, eps);
    const scaled = b.emit(mul, [ct, across(b, gain, x)]);
    return [toInput(b, scaled, unit), overRows(b, b.emit(mul, [ct, unit.value]))];
  }),
  lower: {
    kind: "expand",
    expand: (b, [x, gain], { epsilon: eps }) => b.emit(mul, [normalized(b, x, eps).value, across(b, gain, x)]),
  },
});

export const layerNorm = signature({
  name: "layer_norm",
  summary: "(x - mean(x)) / sqrt(var(x) + epsilon) * gain + shift, with mean and variance over the last axis.",
  operands: ["x", "gain", "shift"],
  attrs: { epsilon },
  callable: true,
});
export const layerNormOp = define(layerNorm, {
  infer: ([x, gain, shift]) =>
    checked("layer_norm", x, [
      ["gain", gain],
      ["shift", shift],
    ]),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x, gain], _result, { epsilon: eps }) => {
    const unit = normalized(b, centered(b, x), eps);
    const toCentered = toInput(b, b.emit(mul, [ct, across(b, gain, x)]), unit);
    return [centered(b, toCentered), overRows(b, b.emit(mul, [ct, unit.value])), overRows(b, ct)];
  }),
  lower: {
    kind: "expand",
    expand(b, [x, gain, shift], { epsilon: eps }) {
      const unit = normalized(b, centered(b, x), eps).value;
      return b.emit(add, [b.emit(mul, [unit, across(b, gain, x)]), across(b, shift, x)]);
    },
  },
});

function checked(op: string, x: Type, vectors: readonly (readonly [string, Type])[]): Type {
  requireScalar(op, "x", x, ["f32"]);
  const last = x.dims.at(-1);
  if (last === undefined) return reject(`\`${op}\` takes rows, got ${printType(x)}`);
  for (const [name, type] of vectors) {
    requireScalar(op, name, type, ["f32"]);
    if (type.dims.length !== 1 || !dimsEqual(type.dims[0] ?? -1, last))
      return reject(`\`${op}\` takes one number a column as \`${name}\`, got ${printType(type)} for ${printType(x)}`);
  }
  return x;
}

const lastAxis = (x: Value): number => x.type.dims.length - 1;
const across = (b: Builder, vector: Value, like: Value): Value =>
  vector.type.dims.length === like.type.dims.length ? vector : b.emit(broadcast, [vector], { type: like.type });

/** Sum over everything but the last axis: the gradient of what is the same for all rows. */
function overRows(b: Builder, x: Value): Value {
  const axes = x.type.dims.slice(0, -1).map((_, axis) => axis);
  return axes.length === 0 ? x : b.emit(sum, [x], { axes });
}

function rowMean(b: Builder, x: Value): Value {
  return spread(b, b.emit(mean, [x], { axes: [lastAxis(x)] }), x.type, [lastAxis(x)]);
}

/** x - mean(x): its own transpose, too. */
const centered = (b: Builder, x: Value): Value => b.emit(sub, [x, rowMean(b, x)], {}, { hint: "centered" });

/** Rows of root mean square 1. Emitted alike by an op and its gradient, so that `cleanup` merges what they share. */
function normalized(b: Builder, x: Value, eps: number): { readonly value: Value; readonly inverse: Value } {
  const power = b.emit(mean, [b.emit(mul, [x, x])], { axes: [lastAxis(x)] }, { hint: "power" });
  const perRow = b.emit(rsqrt, [b.emit(add, [power, splat(b, power.type, eps)])], {}, { hint: "inverse_rms" });
  const inverse = spread(b, perRow, x.type, [lastAxis(x)]);
  return { value: b.emit(mul, [x, inverse], {}, { hint: "unit" }), inverse };
}

/** The cotangent of x where u = x / rms(x): (g - u mean(g u)) / rms(x). */
function toInput(b: Builder, g: Value, unit: ReturnType<typeof normalized>): Value {
  const along = b.emit(mul, [unit.value, rowMean(b, b.emit(mul, [g, unit.value]))]);
  return b.emit(mul, [b.emit(sub, [g, along]), unit.inverse]);
}
