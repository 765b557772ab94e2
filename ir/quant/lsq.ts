// LSQ: one learned step a tensor, on QuEST's half-integer grid (Esser et al. 2020, arXiv:1902.08153; spec 1.3).
import { binary, cast, float, times, unary } from "../scalar.ts";
import { flooredCode } from "./gaussian.ts";
import { learnedSettings, learnedSides } from "./learned.ts";
import type { Quantizer } from "./quantizer.ts";

/**
 * Levels above zero but for the outermost half step, n/2 - 1: what initial step and gradient are divided by. At 1 bit that is 0, which made the
 * published code divide by it (spec P14). 1 stands there: the step is then 2 mean|x|, whose levels +-mean|x| are those that round best at 1 bit.
 */
const levelsAbove = (bits: number): number => Math.max(2 ** (bits - 1) - 1, 1);

export const lsq: Quantizer = {
  name: "lsq",
  summary:
    "LSQ: half-integer grid with one learned step for each weight and each activation, which begins with what the first batch gives.",
  source: "arXiv:1902.08153, sections 2.1 and 2.2, on the grid of arXiv:2502.05003, whose published code it is compared with",
  formula: {
    step: "s = 2 mean|x| / sqrt(p) over the whole first tensor, with p = max(n/2 - 1, 1); from there on it is learned",
    code: "q = clamp(floor(v), -n/2, n/2 - 1); x is rounded to (q + 1/2) s",
    mask: "with the factor 1: |x| <= (n - 1) s / 2, the outermost level. A factor f: |x| <= f (n - 1) s / 2",
    learned: "s, whose gradient is sum(g (x^ - M x) / s) / sqrt(p N) over all N elements",
  },
  settings: learnedSettings,
  sides: (given, columns) => learnedSides("lsq", given, columns, () => 1),
  grid: "half",
  widths: [1, 2, 3, 4, 5, 6, 7, 8],
  outers: ["clip"],
  statistic: "mean_abs",
  step: (meanAbs, bits) => times(meanAbs, float(2 / Math.sqrt(levelsAbove(bits)))),
  code: (x, step, bits) => cast("i32", flooredCode(x, step, bits)),
  mask: (x, step, bits, outer) => binary("le", unary("abs", x), times(step, float((Number(outer) * (2 ** bits - 1)) / 2))),
  scaleGradient: {
    quantity: "step",
    unit: () => 1,
    derivative: "rounding",
    gradientFactor: (elements, bits) => 1 / Math.sqrt(elements * levelsAbove(bits)),
  },
  // Of the step that it begins with.
  gaussian: [
    [0.363380228, 0.42493748],
    [0.213538706, 0.01668149],
    [0.0708386022, 0.00126143],
    [0.0303155641, 0.00000608],
    [0.0141471061, 0],
    [0.0068453739, 0],
    [0.00336835858, 0],
    [0.00167091804, 0],
  ].map(([error = Number.NaN, masked = Number.NaN], i) => ({ bits: i + 1, outer: 1, error, masked })),
};
