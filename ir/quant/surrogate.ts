// Surrogates of the derivative of sign(x): what the gradient of a binary rounding is multiplied by where no mask says which pass.
import { binary, float, minus, over, type ScalarExpr, times, unary } from "../scalar.ts";

/**
 * With u = 2 x / s, x in units of the level. `tanh`: 1 - tanh(u / 10)^2, near 1 for all that is not far outside (AdaBin, arXiv:2208.08084, for
 * weights). `bireal`: 2 - 2 |u| for |u| < 1 and 0 outside, the derivative of a piecewise quadratic sign (Bi-Real Net, arXiv:1808.00278).
 */
export const surrogateRules = ["tanh", "bireal"] as const;
export type SurrogateRule = (typeof surrogateRules)[number];

export const isSurrogate = (outer: unknown): outer is SurrogateRule => surrogateRules.some((rule) => rule === outer);

/** What the gradient of x is multiplied by, f32. */
export function surrogateOf(rule: SurrogateRule, x: ScalarExpr, step: ScalarExpr): ScalarExpr {
  const u = over(times(x, float(2)), step);
  switch (rule) {
    case "tanh": {
      const bent = unary("tanh", times(u, float(0.1)));
      return minus(float(1), times(bent, bent));
    }
    case "bireal":
      return binary("max", minus(float(2), times(unary("abs", u), float(2))), float(0));
    default:
      return rule satisfies never;
  }
}
