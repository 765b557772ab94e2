// PACT: a learned clip level (Choi et al. 2018, arXiv:1805.06085, both signs; spec 1.3), on LSQ's grid.

import { learnedSides } from "./learned.ts";
import { lsq } from "./lsq.ts";
import type { Quantizer } from "./quantizer.ts";

export const pact: Quantizer = {
  ...lsq,
  name: "pact",
  summary:
    "PACT: LSQ's grid and first scale with a learned clip level, which only clipped elements move; what is not clipped gets its gradient.",
  // The comparison's code passes gradients where the clamp acts alone, so that nothing but the clip ever learned (spec P14): this is the paper's rule.
  source: "arXiv:1805.06085, section 3 (equations 2 and 3), for both signs and without its decay of the clip",
  formula: {
    ...lsq.formula,
    step: "s = 2 c / (n - 1) with the clip c: over the whole first tensor s is 2 mean|x| / sqrt(p), with p = max(n/2 - 1, 1); from there on c is learned",
    learned: "c, the outermost level, whose gradient is sum(g (1 - M) x^) / c, that is the sum of g sign(x) where x is clipped",
  },
  sides: (given, columns) => learnedSides("pact", given, columns, () => 1),
  scaleGradient: {
    quantity: "clip",
    unit: (bits) => 2 / (2 ** bits - 1),
    derivative: "clipping",
    gradientFactor: () => 1,
  },
};
