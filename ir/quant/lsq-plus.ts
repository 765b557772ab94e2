// LSQ+: learned steps that begin with the Gaussian-optimal scale, and a learned offset of activations (Bhalgat et al. 2020, arXiv:2004.09576; spec 1.3).
import { gaussianErrors, gaussianStep } from "./gaussian.ts";
import { learnedSides } from "./learned.ts";
import { lsq } from "./lsq.ts";
import type { Quantizer } from "./quantizer.ts";

/** Shares of N(0,1) outside the outermost level. */
const clipped = [0.42493748, 0.1352973, 0.04026029, 0.01193939, 0.00354444, 0.00105066, 0.00031693, 0.00010236];

export const lsqPlus: Quantizer = {
  ...lsq,
  name: "lsq_plus",
  summary:
    "LSQ+: LSQ from the Gaussian-optimal scale on, and activations are rounded less a learned offset, for those that are not symmetric.",
  source: "arXiv:2004.09576, section 3, on the grid and with the first values of arXiv:2502.05003's published code",
  formula: {
    ...lsq.formula,
    step: "s = 2 (a rms + 1e-8) / (n - 1) over the whole first tensor, with a the scale that rounds N(0,1) best; from there on it is learned",
    code: `${lsq.formula.code}. Of an activation x - b is rounded, and b added again: b = min(x) + n s / 2 over the first tensor`,
    learned: `${lsq.formula.learned}; and b, whose gradient is sum(g (1 - M)) / sqrt(p N)`,
  },
  sides(given, columns) {
    const { activation, ...rest } = learnedSides("lsq_plus", given, columns, () => 1);
    return activation === undefined ? rest : { ...rest, activation: { ...activation, learned: { ...activation.learned, offset: "edge" } } };
  },
  statistic: "mean_square",
  step: gaussianStep,
  // Of the step that it begins with.
  gaussian: gaussianErrors.map((error, i) => ({ bits: i + 1, outer: 1, error, masked: clipped[i] ?? Number.NaN })),
};
