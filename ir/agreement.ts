// Whether what a kernel computed agrees with the reference: words exactly, floats within a bound that follows from what was added up.
import { evaluateProblem } from "./evaluate-problem.ts";
import type { Problem } from "./plan.ts";
import { storesOf } from "./problem.ts";
import type { Storage } from "./scalar.ts";
import { epsilon, evaluateWithin, floatsOf, hasSums, isFloat } from "./sum-error.ts";

/** What transforms and the drivers' own functions may add, in units of epsilon times the largest result. */
const ofLargest = 64;
/** Rounding to codes: of this many words one may differ, since a value next to a boundary may go either way. */
const wordsPerTie = 1000;

/**
 * The results of a problem by the reference, once for all kernels that are compared with it. Floats may differ by what their sums may
 * have lost and by 64 eps of the largest result; words may not, but for ties where a row is rounded.
 */
export class Reference {
  readonly #problem: Problem;
  readonly #expected: readonly Uint32Array<ArrayBuffer>[];
  readonly #floats: ReadonlyMap<number, { readonly storage: Storage; readonly bound: (index: number) => number }>;

  /** `before`: what each binding holds when the kernel starts. */
  constructor(problem: Problem, before: readonly Uint32Array<ArrayBuffer>[]) {
    this.#problem = problem;
    const { expected, shifted } = hasSums(problem)
      ? evaluateWithin(problem, before)
      : { expected: evaluated(problem, before), shifted: [] };
    this.#expected = expected;
    this.#floats = new Map(
      storesOf(problem)
        .filter(isFloat)
        .map(({ binding, storage }) => {
          const own = floatsOf(expected[binding], storage);
          const others = shifted.map((buffers) => floatsOf(buffers[binding], storage));
          const largest = own.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
          const rest = (ofLargest + weightedTerms(problem)) * epsilon * largest;
          const ofSums = (i: number) => others.reduce((most, x) => Math.max(most, Math.abs((x[i] ?? 0) - (own[i] ?? 0)) || 0), 0);
          const ofStorage = storage.kind === "dense" && storage.scalar === "f16" ? halfSpacing : () => 0;
          return [binding, { storage, bound: (i: number) => ofSums(i) + rest + ofStorage(own[i] ?? 0) }] as const;
        }),
    );
  }

  /** The first disagreement in words, or undefined. `found`: what each binding holds after the kernel. */
  differenceFrom(found: readonly Uint32Array[]): string | undefined {
    for (const [binding, words] of this.#expected.entries()) {
      const other = found[binding] ?? new Uint32Array();
      const floats = this.#floats.get(binding);
      const difference =
        floats === undefined
          ? this.#wordsDiffer(words, other)
          : floatsDiffer(floatsOf(words, floats.storage), floatsOf(other, floats.storage), floats.bound);
      if (difference !== undefined) return `binding ${binding}: ${difference}`;
    }
    return undefined;
  }

  #wordsDiffer(expected: Uint32Array, found: Uint32Array): string | undefined {
    const differing = expected.reduce((n, word, i) => n + Number(word !== found[i]), 0);
    if (differing <= (this.#problem.kind === "rows" ? expected.length / wordsPerTie : 0)) return undefined;
    const first = expected.findIndex((word, i) => word !== found[i]);
    return `${differing} of ${expected.length} words differ, the first is word ${first}: ${found[first]}, not ${expected[first]}`;
  }
}

function evaluated(problem: Problem, before: readonly Uint32Array<ArrayBuffer>[]): readonly Uint32Array<ArrayBuffer>[] {
  const buffers = before.map((words) => words.slice());
  evaluateProblem(problem, buffers);
  return buffers;
}

function floatsDiffer(expected: Float32Array, found: Float32Array, bound: (index: number) => number): string | undefined {
  const wrong = expected.findIndex((value, i) => !isClose(found[i] ?? Number.NaN, value, bound(i)));
  return wrong < 0 ? undefined : `element ${wrong} is ${found[wrong]}, not ${expected[wrong]} (allowed ${bound(wrong)})`;
}

/** Distance to the next f16: two numbers that round to one each may end that far further apart. */
const halfSpacing = (x: number): number => Math.max(Math.abs(x) * 2 ** -10, 2 ** -24);

/** Infinities and NaN agree with themselves. */
export const isClose = (a: number, b: number, bound: number): boolean =>
  a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= bound;

/** Each result of attention sums weighted values over positions, and the weights are exponentials of sums over channels. */
function weightedTerms(problem: Problem): number {
  if (problem.kind !== "attention") return 0;
  const { keys, queries, heads, groups, channels } = problem.shape;
  return 16 * ((problem.pass === "grad_key" ? (queries * heads) / groups : keys) + channels);
}
