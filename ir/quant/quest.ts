// QuEST: Gaussian-optimal clip scale per row, half-integer grid, trust-masked gradient (arXiv:2502.05003, sections 3.1-3.3).
import { binary, cast, float, minus, over, plus, type ScalarExpr, times, unary } from "../scalar.ts";
import { epsilon, flooredCode, gaussianErrors, gaussianStep } from "./gaussian.ts";
import type { GaussianFigure, Quantizer } from "./quantizer.ts";
import { outerSetting, rowSettings, rowSides, settingReader, widthSettings, widthsOf } from "./settings.ts";

/** Factors of the outer clip at 1 bit, where the plain trust strip is a whole scale wide and hurts (paper, Appendix A.2). */
const outerAtOneBit = { rotated: 1.3, plain: 1.25 };

const settings = { ...widthSettings(1, 8), ...rowSettings({ hadamard: "auto" }), outer: outerSetting("auto", ["auto", "trust"]) };

/** Shares of N(0,1) beyond half a step outside the grid, and beyond the clips at 1 bit (spec 1.2). */
const trusted = [0.11054035, 0.04643918, 0.01907418, 0.00732872, 0.00261109, 0.00087282, 0.00028408, 0.00009612];
const clipped = { [outerAtOneBit.rotated]: 0.2996194, [outerAtOneBit.plain]: 0.31859189 };

export const quest: Quantizer = {
  name: "quest",
  summary: "QuEST: Walsh-Hadamard rotation, Gaussian-optimal scale per row, half-integer grid, trust gradient.",
  source: "arXiv:2502.05003, sections 3.1-3.3 and Appendix A.2",
  formula: {
    step: "s = 2 (a rms + 1e-8) / (n - 1), with a the scale that rounds N(0,1) best",
    code: "q = clamp(floor(v), -n/2, n/2 - 1); x is rounded to (q + 1/2) s",
    mask: "`trust`: |(q + 1/2) s - x| <= a rms / (n - 1). A factor f: |x| <= f (n - 1) s / 2. `auto` is `trust`, and at 1 bit 1.3, or 1.25 without rotation",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("quest", settings, given);
    return rowSides(widthsOf(read), read, columns, (bits, rotation) => {
      const outer = read("outer");
      if (outer === "trust" || typeof outer === "number") return outer;
      return bits === 1 ? (rotation === "none" ? outerAtOneBit.plain : outerAtOneBit.rotated) : "trust";
    });
  },

  grid: "half",
  widths: [1, 2, 3, 4, 5, 6, 7, 8],
  outers: ["trust", "clip"],
  statistic: "mean_square",
  step: gaussianStep,
  code: (x, step, bits) => cast("i32", flooredCode(x, step, bits)),

  mask(x, step, bits, outer) {
    const intervals = 2 ** bits - 1;
    if (typeof outer === "number") return binary("le", unary("abs", x), times(step, float((outer * intervals) / 2)));
    // |Q(x) - x| <= T rms with T rms = step / 2 - eps / (n - 1), divided by the step. Inside the grid the error never exceeds
    // half a step, so this cuts the clipped elements beyond half a step, and all of an all-zero row: epsilon is part of the scale,
    // but not of the threshold.
    const distance: ScalarExpr = unary("abs", minus(over(x, step), plus(flooredCode(x, step, bits), float(0.5))));
    // In f32 the part of epsilon is lost beside 0.5 unless the step is tiny, so an element half way between levels (an exact
    // zero, say) is trusted. Half an ulp on top makes it so in f64 too; f32 rounds that away.
    return binary("le", distance, minus(float(0.5 + 2 ** -26), over(float(epsilon / intervals), step)));
  },

  scaleGradient: "none",
  gaussian: [
    ...gaussianErrors.map((error, i): GaussianFigure => ({ bits: i + 1, outer: "trust", error, masked: trusted[i] ?? Number.NaN })),
    ...Object.entries(clipped).map(
      ([f, masked]): GaussianFigure => ({ bits: 1, outer: Number(f), error: gaussianErrors[0] ?? Number.NaN, masked }),
    ),
  ],
};
