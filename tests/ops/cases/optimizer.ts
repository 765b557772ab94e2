// Cases of ir/ops/optimizer.ts. Each update by hand from its formula.
import type { Cases } from "../support/case.ts";
import { f32, u32 } from "../support/values.ts";

const scalar = (x: number) => f32([], [x]);
const fine = u32([], [1]);
const bad = u32([], [0]);
const within = 1e-15;
const adamw = { beta1: 0.9, beta2: 0.95, eps: 1e-8, decay: 0.1 };
const weight = f32([2], [1, -2]);
const nan = f32([2], [NaN, 1]);

// First step on gradients 4 and -2 clipped by 0.5: g = 2, -1; m = 0.1 g; v = 0.05 g²; corrections 0.1 and 0.05, so the update is g / |g|.
const step = (w: number, g: number) => w - 0.01 * (g / (Math.abs(g) + 1e-8) + 0.1 * w);

export const optimizerCases: Cases = {
  global_norm: {
    semantics: [{ what: "over several tensors", operands: [f32([2], [1, 2]), f32([1, 2], [2, 4])], expect: [f32([], [5])] }],
    rejects: [{ operands: [u32([1], [1])], says: "`global_norm` takes f32" }],
  },
  adamw: {
    semantics: [
      {
        what: "first step",
        operands: [weight, f32([2], [0, 0]), f32([2], [0, 0]), f32([2], [4, -2]), scalar(0.5), scalar(0.01), scalar(0.1), scalar(0.05), fine],
        attrs: adamw,
        expect: [f32([2], [step(1, 2), step(-2, -1)]), f32([2], [0.2, -0.1]), f32([2], [0.2, 0.05])],
        within,
      },
      {
        what: "moments carry over",
        operands: [scalar(1), scalar(0.5), scalar(4), scalar(0), scalar(1), scalar(0.1), scalar(0.5), scalar(0.95), fine],
        attrs: { ...adamw, decay: 0 },
        // m = 0.45, v = 3.8; (0.45 / 0.5) / (sqrt(3.8 / 0.95) + 1e-8) = 0.9 / 2.00000001
        expect: [scalar(1 - (0.1 * 0.9) / 2.00000001), scalar(0.45), scalar(3.8)],
        within,
      },
      {
        what: "at twice the learning rate",
        operands: [scalar(1), scalar(0.5), scalar(4), scalar(0), scalar(1), scalar(0.1), scalar(0.5), scalar(0.95), fine],
        attrs: { ...adamw, decay: 0, rate: 2 },
        expect: [scalar(1 - (0.2 * 0.9) / 2.00000001), scalar(0.45), scalar(3.8)],
        within,
      },
      {
        what: "a bad step changes nothing",
        operands: [weight, f32([2], [3, 4]), f32([2], [5, 6]), nan, scalar(NaN), scalar(0.01), scalar(0.1), scalar(0.05), bad],
        attrs: adamw,
        expect: [weight, f32([2], [3, 4]), f32([2], [5, 6])],
      },
    ],
    rejects: [
      {
        operands: [weight, weight, weight, weight, weight, scalar(1), scalar(1), scalar(1), fine],
        attrs: adamw,
        says: "takes a scalar as `clip`, got f32[2]",
      },
    ],
  },
  sgd: {
    semantics: [
      {
        what: "with decay",
        operands: [weight, f32([2], [4, -2]), scalar(0.5), scalar(0.1), fine],
        attrs: { decay: 0.5 },
        // 1 - 0.1 (2 + 0.5), -2 - 0.1 (-1 - 1)
        expect: [f32([2], [0.75, -1.8])],
        within,
      },
      {
        what: "at ten times the learning rate",
        operands: [weight, f32([2], [4, -2]), scalar(0.5), scalar(0.01), fine],
        attrs: { decay: 0.5, rate: 10 },
        expect: [f32([2], [0.75, -1.8])],
        within,
      },
      { what: "a bad step changes nothing", operands: [weight, nan, scalar(1), scalar(0.1), bad], attrs: { decay: 0.5 }, expect: [weight] },
    ],
  },
  sgd_momentum: {
    semantics: [
      {
        what: "velocity first, then the step",
        operands: [weight, f32([2], [1, 2]), f32([2], [4, -2]), scalar(0.5), scalar(0.1), fine],
        attrs: { momentum: 0.5, decay: 0.5 },
        // velocity: 0.5 + 2 + 0.5, 1 - 1 - 1
        expect: [f32([2], [0.7, -1.9]), f32([2], [3, -1])],
        within,
      },
      {
        what: "at half the learning rate",
        operands: [weight, f32([2], [1, 2]), f32([2], [4, -2]), scalar(0.5), scalar(0.2), fine],
        attrs: { momentum: 0.5, decay: 0.5, rate: 0.5 },
        expect: [f32([2], [0.7, -1.9]), f32([2], [3, -1])],
        within,
      },
      {
        what: "a bad step changes nothing",
        operands: [weight, f32([2], [1, 2]), nan, scalar(1), scalar(0.1), bad],
        attrs: { momentum: 0.5, decay: 0 },
        expect: [weight, f32([2], [1, 2])],
      },
    ],
  },
};
