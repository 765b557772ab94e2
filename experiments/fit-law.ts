// Fitting the scaling law: from a grid of starts to the one best law, and again for resamples.
import { type Descent, type FitOptions, LawProblem, type Parameters } from "./law-problem.ts";
import type { ResultRow, ScalingLaw } from "./scaling-law.ts";

/** As in Hoffmann et al. (2022), section 3.3: residuals beyond a thousandth count by their size alone. */
export const defaultDelta = 1e-3;

export interface Fit extends Descent {
  readonly law: ScalingLaw;
  /** How many starts there were, and how many ended here (to a millionth of the objective). */
  readonly starts: number;
  readonly agreeing: number;
}

/** The best fit over all starts. The rows must hold the reference and be at least as many as the law's parameters. */
export function fitLaw(rows: readonly ResultRow[], options: FitOptions): Fit {
  const problem = new LawProblem(rows, rows, options);
  const fits = starts(problem).map((start) => problem.fit(start));
  const [best] = fits.toSorted((a, b) => a.objective - b.objective);
  if (best === undefined) throw new Error("a fit without starts");
  const agreeing = fits.filter(({ objective }) => objective <= best.objective * (1 + 1e-6)).length;
  return { law: problem.law(best.parameters), ...best, starts: fits.length, agreeing };
}

/** The law of other rows of the same precisions (a resample), from one start in the middle of all, less exactly: resamples differ by more. */
export function refitLaw(rows: readonly ResultRow[], resampled: readonly ResultRow[], options: FitOptions): ScalingLaw {
  const problem = new LawProblem(rows, resampled, options);
  return problem.law(problem.fit(startAt(problem, 0.15, 0.3, [0.5, 0.25, 0.25]), 1e-6).parameters);
}

/** Exponents, and how the mean loss may be divided among the three terms: far apart, for the objective is not convex. */
function starts(problem: LawProblem): readonly Parameters[] {
  const divisions: readonly Division[] = [
    [0.9, 0.08, 0.02],
    [0.5, 0.25, 0.25],
    [0.2, 0.1, 0.7],
  ];
  return [0.05, 0.15, 0.4].flatMap((alpha) =>
    [0.1, 0.3].flatMap((beta) => divisions.map((division) => startAt(problem, alpha, beta, division))),
  );
}

/** Shares of the size's term, the tokens' and E. */
type Division = readonly [number, number, number];

function startAt({ meanLoss, freePrecisions }: LawProblem, alpha: number, beta: number, [size, tokens, floor]: Division): Parameters {
  const shifts = Array.from({ length: freePrecisions }, () => 0);
  return [Math.log(size * meanLoss), Math.log(alpha), Math.log(tokens * meanLoss), Math.log(beta), floor, ...shifts];
}
