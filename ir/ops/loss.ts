// Losses: composites that end in one number.
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { shapesEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { f32, printType, type Type, tensor } from "../type.ts";
import { div, maximum, mul, neg, sub } from "./arithmetic.ts";
import { broadcast, spread, sum } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { requireSameDims, requireScalar } from "./checks.ts";
import { equal, greaterEqual, less, logicalAnd, select } from "./compare.ts";
import { vjpOfOne } from "./pointwise.ts";
import { countAs, mean } from "./reductions.ts";
import { logSoftmax, softmax } from "./softmax.ts";
import { iota, splat, zerosLike } from "./source.ts";

export const crossEntropy = signature({
  name: "cross_entropy",
  summary: "Mean of -log softmax(logits)[label] over the rows whose label is a class, from 0 on; 0 where there is none.",
  operands: ["logits", "labels"],
});
export const crossEntropyOp = define(crossEntropy, {
  infer([logits, labels]) {
    requireScalar("cross_entropy", "logits", logits, ["f32"]);
    requireScalar("cross_entropy", "labels", labels, ["i32"]);
    const fits = logits.dims.length > 0 && shapesEqual(labels.dims, logits.dims.slice(0, -1));
    return fits
      ? f32()
      : reject(`\`cross_entropy\` takes one label per row of its logits, got ${printType(logits)} and ${printType(labels)}`);
  },
  evaluate: "from lower",
  // (softmax - one-hot) / rows that count, and nothing for the others
  vjp: vjpOfOne((b, ct, [logits, labels]) => {
    const axis = logits.type.dims.length - 1;
    const { hit, counted, count } = labelMasks(b, logits, labels);
    const gap = b.emit(sub, [b.emit(softmax, [logits], { axis }), b.emit(cast, [hit], { to: "f32" })]);
    const share = b.emit(broadcast, [b.emit(div, [ct, count])], { type: logits.type });
    const used = spread(b, counted, logits.type, [axis]);
    return [b.emit(select, [used, b.emit(mul, [gap, share]), zerosLike(b, logits)]), undefined];
  }),
  lower: {
    kind: "expand",
    expand(b, [logits, labels]) {
      const axis = logits.type.dims.length - 1;
      const { hit, count } = labelMasks(b, logits, labels);
      const picked = b.emit(select, [hit, b.emit(logSoftmax, [logits], { axis }), zerosLike(b, logits)]);
      // Row by row first: one sum over everything would be the work of a few lanes.
      const perRow = b.emit(sum, [picked], { axes: [axis] });
      const total = axis === 0 ? perRow : b.emit(sum, [perRow], { axes: allAxes(labels.type) });
      return b.emit(div, [b.emit(neg, [total]), count]);
    },
  },
});

/** Which labels are classes of the logits: rows of all others (-1 by custom) do not count. */
export function countedLabels(b: Builder, logits: Value, labels: Value): Value {
  const classes = logits.type.dims.at(-1);
  const notNegative = b.emit(greaterEqual, [labels, zerosLike(b, labels)]);
  if (typeof classes !== "number") return notNegative;
  return b.emit(logicalAnd, [notNegative, b.emit(less, [labels, splat(b, labels.type, classes)])], {}, { hint: "counted" });
}

/** Which logit is a row's label (none where it is no class), which rows count, and how many (at least 1). */
function labelMasks(b: Builder, logits: Value, labels: Value) {
  const axis = logits.type.dims.length - 1;
  const positions = b.emit(iota, [], { axis, type: tensor("i32", logits.type.dims) });
  const hit = b.emit(equal, [positions, spread(b, labels, logits.type, [axis])]);
  const counted = countedLabels(b, logits, labels);
  const found = b.emit(sum, [b.emit(cast, [counted], { to: "f32" })], { axes: allAxes(labels.type) });
  return { hit, counted, count: b.emit(maximum, [found, splat(b, found.type, 1)]) };
}

export const mse = signature({
  name: "mse",
  summary: "Mean of (x - y)^2 over all elements.",
  operands: ["x", "y"],
  callable: true,
});
export const mseOp = define(mse, {
  infer([x, y]) {
    requireScalar("mse", "x", x, ["f32"]);
    requireScalar("mse", "y", y, ["f32"]);
    requireSameDims("mse", [x, y]);
    return f32();
  },
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x, y]) => {
    const twice = b.emit(mul, [ct, splat(b, ct.type, 2)]);
    const share = spread(b, b.emit(div, [twice, countAs(b, x.type.dims, ct.type)]), x.type, allAxes(x.type));
    const dx = b.emit(mul, [share, b.emit(sub, [x, y])]);
    return [dx, b.emit(neg, [dx])];
  }),
  lower: {
    kind: "expand",
    expand(b, [x, y]) {
      const gap = b.emit(sub, [x, y]);
      return b.emit(mean, [b.emit(mul, [gap, gap])], { axes: allAxes(x.type) });
    },
  },
});

const allAxes = (type: Type): readonly number[] => type.dims.map((_, axis) => axis);
