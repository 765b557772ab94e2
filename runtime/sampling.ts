// Choosing the next token from a model's logits: the most likely one, or a draw that temperature, top-k and top-p shape. All in f64.
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { wordStream } from "./philox.ts";

export interface SamplingOptions {
  /** Logits are divided by it: below 1 the likely become likelier. 0, the default, always takes the most likely token. */
  readonly temperature?: number;
  /** Only the k most likely tokens are drawn from; default: all. */
  readonly topK?: number;
  /**
   * Only the most likely tokens whose probabilities together reach p are drawn from, the one that reaches it included (Holtzman et al. 2020,
   * "The curious case of neural text degeneration"); default 1: all.
   */
  readonly topP?: number;
  /** The same seed and logits give the same tokens on every machine; default 0. */
  readonly seed?: number;
}

/** Draws tokens one after another. */
export class Sampler {
  readonly #options: SamplingOptions;
  readonly #next: () => number;

  /** Throws a DiagnosticError `bad-sampling` for numbers that make no distribution. */
  constructor(options: SamplingOptions = {}) {
    const { temperature = 0, topK, topP = 1, seed = 0 } = options;
    if (!(temperature >= 0 && temperature < Number.POSITIVE_INFINITY)) refuse(`a temperature is a number from 0 up, got ${temperature}`);
    if (topK !== undefined && !(Number.isSafeInteger(topK) && topK >= 1)) refuse(`top-k is a whole number from 1 up, got ${topK}`);
    if (!(topP > 0 && topP <= 1)) refuse(`top-p is a share above 0 and at most 1, got ${topP}`);
    this.#options = options;
    this.#next = wordStream(seed, "sampling");
  }

  /** The next token. Throws a DiagnosticError `not-finite` where logits are not numbers. */
  next(logits: ArrayLike<number>): number {
    if ((this.#options.temperature ?? 0) === 0) return mostLikely(logits);
    return draw(distribution(logits, this.#options), this.#uniform());
  }

  /** From 0 up, below 1, with the 53 bits of an f64. */
  #uniform(): number {
    const [high, low] = [this.#next() >>> 5, this.#next() >>> 6];
    return (high * 2 ** 26 + low) / 2 ** 53;
  }
}

function refuse(message: string): never {
  throw new DiagnosticError([error("bad-sampling", message)]);
}

/** The token of the largest logit, of equal ones the first. */
export function mostLikely(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i] ?? Number.NaN;
    if (Number.isNaN(logit)) notFinite(i, logit);
    if (logit > (logits[best] ?? 0)) best = i;
  }
  return best;
}

/**
 * The probability of each token: softmax(logits / temperature), cut to the `topK` most likely, those cut to the most likely whose share reaches
 * `topP`, and scaled so that they sum to 1. Of equally likely tokens the first ones stay.
 */
export function distribution(logits: ArrayLike<number>, { temperature = 1, topK, topP = 1 }: Omit<SamplingOptions, "seed">): Float64Array {
  const largest = logits[mostLikely(logits)] ?? 0;
  if (!Number.isFinite(largest)) notFinite(mostLikely(logits), largest);
  const shares = Float64Array.from(logits, (logit) => Math.exp((logit - largest) / temperature));
  const sum = (ids: readonly number[]) => ids.reduce((total, id) => total + (shares[id] ?? 0), 0);
  // Stable, so equal ones keep the order of their ids.
  const order = [...shares.keys()].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0)).slice(0, topK);
  const enough = topP * sum(order);
  const kept: number[] = [];
  let reached = 0;
  for (const id of order) {
    if (kept.length > 0 && reached >= enough) break;
    kept.push(id);
    reached += shares[id] ?? 0;
  }
  const total = sum(kept);
  const result = new Float64Array(shares.length);
  for (const id of kept) result[id] = (shares[id] ?? 0) / total;
  return result;
}

/** The token at which the probabilities so far pass `u`, from 0 up and below 1. */
export function draw(probabilities: Float64Array, u: number): number {
  let passed = 0;
  let last = 0;
  for (const [id, probability] of probabilities.entries()) {
    if (probability === 0) continue;
    passed += probability;
    if (u < passed) return id;
    last = id;
  }
  // Rounding may leave the sum a little below 1.
  return last;
}

function notFinite(token: number, logit: number): never {
  throw new DiagnosticError([
    error("not-finite", `the model's logit of token ${token} is ${logit}`, undefined, "", [
      "the weights are damaged, or their training diverged",
    ]),
  ]);
}
