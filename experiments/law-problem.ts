// The scaling law as a problem of optimization: parameters, Huber loss of the logarithm of the loss, and how it is minimized from one start.
import { levenbergMarquardt } from "ml-levenberg-marquardt";
import { precisionsOf, type ResultRow, type ScalingLaw } from "./scaling-law.ts";

export interface FitOptions {
  /** The precision whose efficiency is 1. */
  readonly reference: string;
  /** Where the Huber loss turns from squares to absolute values, in units of log loss. */
  readonly delta: number;
}

/**
 * What is fitted: log of the two powers' terms at the mean log size and mean log tokens, log of the exponents, E in units of the mean loss, and
 * alpha log eff of each precision but the reference. Centred like this the problem is well conditioned, and A, B, alpha, beta are positive by
 * construction. E itself, not its logarithm, so that 0 is a value like others and no end that is never reached.
 */
export type Parameters = readonly number[];
const floorIndex = 4;

/** Where a start ended. `objective` is the mean over the rows of the Huber loss. */
export interface Descent {
  readonly parameters: Parameters;
  readonly objective: number;
}

export const huber = (residual: number, delta: number): number => {
  const size = Math.abs(residual);
  return size <= delta ? size ** 2 / 2 : delta * (size - delta / 2);
};

/** Parameters of the law but the efficiencies. */
export const lawParameters = 5;

interface Observation {
  readonly logN: number;
  readonly logD: number;
  /** Index among the precisions but the reference; -1 for that. */
  readonly precision: number;
  readonly logLoss: number;
}

export class LawProblem {
  readonly meanLoss: number;
  readonly freePrecisions: number;
  readonly #precisions: readonly string[];
  readonly #reference: string;
  readonly #delta: number;
  readonly #meanLogN: number;
  readonly #meanLogD: number;
  readonly #observations: readonly Observation[];
  readonly #data: { readonly x: number[]; readonly y: number[] };
  readonly #least: readonly number[];

  /** `rows` say what precisions there are and where the logarithms are centred; `observed` is what is fitted. */
  constructor(rows: readonly ResultRow[], observed: readonly ResultRow[], { reference, delta }: FitOptions) {
    this.#precisions = precisionsOf(rows).flatMap(({ p }) => (p === reference ? [] : [p]));
    this.freePrecisions = this.#precisions.length;
    this.#reference = reference;
    this.#delta = delta;
    this.#meanLogN = mean(rows.map(({ n }) => Math.log(n)));
    this.#meanLogD = mean(rows.map(({ d }) => Math.log(d)));
    this.meanLoss = mean(rows.map(({ loss }) => loss));
    const indices = new Map(this.#precisions.map((p, i) => [p, i]));
    this.#observations = observed.map(({ n, d, p, loss }) => ({
      logN: Math.log(n) - this.#meanLogN,
      logD: Math.log(d) - this.#meanLogD,
      precision: indices.get(p) ?? -1,
      logLoss: Math.log(loss),
    }));
    this.#data = { x: this.#observations.map((_, i) => i), y: this.#observations.map(({ logLoss }) => logLoss) };
    this.#least = Array.from({ length: lawParameters + this.freePrecisions }, (_, i) => (i === floorIndex ? 0 : -Number.MAX_VALUE));
  }

  law([a = 0, logAlpha = 0, b = 0, logBeta = 0, floor = 0, ...shifts]: Parameters): ScalingLaw {
    const [alpha, beta] = [Math.exp(logAlpha), Math.exp(logBeta)];
    const eff = { [this.#reference]: 1, ...Object.fromEntries(this.#precisions.map((p, i) => [p, Math.exp((shifts[i] ?? 0) / alpha)])) };
    return { A: Math.exp(a + alpha * this.#meanLogN), alpha, B: Math.exp(b + beta * this.#meanLogD), beta, E: floor * this.meanLoss, eff };
  }

  /**
   * Until a round gains less than `tolerance` of the objective. A round moves residuals by little more than delta, so larger ones come first;
   * and the loss that they leave is close to convex.
   */
  fit(start: Parameters, tolerance = 1e-9): Descent {
    let parameters = start;
    for (let delta = largestDelta; delta > this.#delta; delta /= 2) parameters = this.#descend(parameters, delta, 1e-4).parameters;
    return this.#descend(parameters, this.#delta, tolerance);
  }

  /**
   * Minimize the Huber loss: squares of residuals weighted by min(1, delta / |residual|) touch it from above where the weights were taken, so
   * whatever lowers them lowers it (Huber, "Robust Statistics", chapter 7). One Levenberg-Marquardt step for each set of weights.
   */
  #descend(start: Parameters, delta: number, tolerance: number): Descent {
    const objectiveOf = (residuals: readonly number[]) => mean(residuals.map((residual) => huber(residual, delta)));
    let parameters = start;
    let residuals = this.#residuals(parameters);
    let objective = objectiveOf(residuals);
    let damping = 1e-2;
    for (let round = 0; round < mostRounds && damping < 1e4; round++) {
      const weights = residuals.map((residual) => Math.min(1, delta / Math.max(Math.abs(residual), 1e-12)));
      const next = this.#step(parameters, residuals, weights, damping);
      const nextResiduals = this.#residuals(next);
      const reached = objectiveOf(nextResiduals);
      if (!(reached < objective)) {
        damping *= 10;
        continue;
      }
      const isDone = objective - reached < tolerance * objective;
      [parameters, residuals, objective, damping] = [next, nextResiduals, reached, Math.max(damping / 10, 1e-7)];
      if (isDone) break;
    }
    return { parameters, objective };
  }

  #step(parameters: Parameters, residuals: readonly number[], weights: readonly number[], damping: number): Parameters {
    const gradientAt = this.#gradients(parameters);
    const gradients = this.#data.x.map(gradientAt);
    const pull = gradients.reduce((sum, gradient, i) => sum + (weights[i] ?? 0) * (residuals[i] ?? 0) * (gradient[floorIndex] ?? 0), 0);
    // At its bound E stays, unless the step would raise it; else it would hold back all others.
    if ((parameters[floorIndex] ?? 0) <= 0 && pull <= 0) for (const gradient of gradients) gradient[floorIndex] = 0;
    return levenbergMarquardt(this.#data, (at) => this.#predictions(at), {
      initialValues: [...parameters],
      minValues: [...this.#least],
      weights: weights.map(Math.sqrt),
      jacobianFunction: () => (i) => gradients[i] ?? [],
      damping,
      maxIterations: 1,
      errorTolerance: 0,
    }).parameterValues;
  }

  #residuals(parameters: Parameters): readonly number[] {
    const predict = this.#predictions(parameters);
    return this.#observations.map(({ logLoss }, i) => logLoss - predict(i));
  }

  /** Log of the law's loss, by observation. */
  #predictions(parameters: Parameters): (i: number) => number {
    const terms = this.#terms(parameters);
    return (i) => {
      const { size, tokens, floor } = terms(i);
      return Math.log(size + tokens + floor);
    };
  }

  /** Its derivatives by the parameters: a term's share of the loss times the derivative of the term's logarithm. */
  #gradients(parameters: Parameters): (i: number) => number[] {
    const terms = this.#terms(parameters);
    return (i) => {
      const { size, tokens, floor, alpha, beta, at } = terms(i);
      const sum = size + tokens + floor;
      const [ofSize, ofTokens] = [size / sum, tokens / sum];
      const gradient = [ofSize, -ofSize * alpha * at.logN, ofTokens, -ofTokens * beta * at.logD, this.meanLoss / sum];
      for (let k = 0; k < this.freePrecisions; k++) gradient.push(k === at.precision ? -ofSize : 0);
      return gradient;
    };
  }

  #terms(parameters: Parameters) {
    const [a = 0, logAlpha = 0, b = 0, logBeta = 0, share = 0] = parameters;
    const [alpha, beta, floor] = [Math.exp(logAlpha), Math.exp(logBeta), share * this.meanLoss];
    return (i: number) => {
      const at = this.#observations[i];
      if (at === undefined) throw new Error(`no observation ${i}`);
      const shift = at.precision < 0 ? 0 : (parameters[lawParameters + at.precision] ?? 0);
      return { size: Math.exp(a - alpha * at.logN - shift), tokens: Math.exp(b - beta * at.logD), floor, alpha, beta, at };
    };
  }
}

const mostRounds = 1000;
/** In log loss: a third more than the law says. */
const largestDelta = 0.3;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
