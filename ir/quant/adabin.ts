// AdaBin: binary weights and activations whose two levels lie where the data does, at a center and at equal distances from it (Tu et al. 2022,
// arXiv:2208.08084; spec 1.3).
import { cast, float, plus, times, unary } from "../scalar.ts";
import { flooredCode } from "./gaussian.ts";
import { learnedOf, learnedSettings } from "./learned.ts";
import type { Quantizer } from "./quantizer.ts";
import { oneWidthOf, onSetting, rowSides, settingReader } from "./settings.ts";

const bits = 1;

/** Keeps the step of a row of equal elements positive, and its gradient finite. */
const leastVariance = 1e-16;

const { w: _w, a: _a, ...ofActivations } = learnedSettings;
const settings = { on: onSetting, ...ofActivations };

export const adabin: Quantizer = {
  name: "adabin",
  summary:
    "AdaBin: two levels around a center. Of weights each row's mean and deviation, of activations two learned numbers for each site; gradients of the sign are surrogates.",
  // The comparison's published code (spec 1.3) takes sign(x) for activations: this is the paper's rule.
  source: "arXiv:2208.08084, sections 3.2 (weights) and 3.3 (activations)",
  formula: {
    step: "s = 2 sqrt(var + 1e-16), with the variance of the row about its mean; of an activation that of the whole first tensor, and from there on the level s / 2 is learned",
    code: "q = 0 where x >= b, else -1; x is rounded to b + (q + 1/2) s. b is the row's mean; of an activation the mean of the first tensor, and from there on it is learned",
    mask: "everywhere, multiplied by S(u), with u = 2 (x - b) / s. Of weights `tanh`: S = 1 - tanh(u / 10)^2. Of activations `bireal`: S = max(0, 2 - 2 |u|)",
    learned:
      "of an activation s / 2, with the gradient 2 sum(g (x^ - b - S (x - b)) / s), and b, with sum(g (1 - S)). Mean and deviation of weights take part in theirs",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("adabin", settings, given);
    const { weight, activation } = rowSides(
      oneWidthOf(read, bits),
      (name) => (name === "group" ? "row" : read(name)),
      columns,
      () => "all",
    );
    return {
      ...(weight === undefined ? {} : { weight: { ...weight, outer: "tanh", centered: true } }),
      ...(activation === undefined
        ? {}
        : { activation: { ...activation, outer: "bireal", learned: { ...learnedOf(read), offset: "mean" } } }),
    };
  },

  grid: "half",
  widths: [bits],
  outers: ["tanh", "bireal"],
  statistic: "variance",
  step: (variance) => times(unary("sqrt", plus(variance, float(leastVariance))), float(2)),
  code: (x, step) => cast("i32", flooredCode(x, step, bits)),
  mask(): never {
    throw new Error("AdaBin's gradients are weighed, not masked");
  },
  scaleGradient: { quantity: "level", unit: () => 2, derivative: "rounding", gradientFactor: () => 1 },
  // (1 - sqrt(2/pi))^2 + 1 - 2/pi, which is 2 - 2 sqrt(2/pi): the levels lie at the deviation, not at the mean of |x| that rounds best.
  gaussian: [{ bits, outer: "tanh", error: 4.04230878e-1, masked: 0 }],
};
