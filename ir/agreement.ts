// Whether what a kernel computed agrees with the reference: words exactly, floats within a bound that follows from what was added up.
import { evaluateProblem } from "./evaluate-problem.ts";
import type { Problem, ReduceProblem, Store } from "./plan.ts";
import { storesOf } from "./problem.ts";
import { input, plus, type ScalarExpr, unary } from "./scalar.ts";

/** Half the distance from 1 to the next f32. */
export const epsilon = 2 ** -24;

/** What a binding of a kernel covers. */
export type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** What epilogues, transforms and the drivers' functions may add, in units of epsilon times the largest result. */
const afterSums = 64;
/** Rounding to codes: of this many words one may differ, since a value next to a boundary may go either way. */
const wordsPerTie = 1000;

/**
 * The results of a problem by the reference, once for all kernels that are compared with it. Floats may differ by c n eps sum|a b| of
 * the n products or terms of each sum, and by 64 eps of the largest result; words may not, but for ties where a row is rounded.
 */
export class Reference {
  readonly #problem: Problem;
  readonly #expected: readonly Uint32Array<ArrayBuffer>[];
  readonly #bounds: ReadonlyMap<number, (index: number) => number>;

  /** `before`: what each binding holds when the kernel starts. */
  constructor(problem: Problem, before: readonly Uint32Array<ArrayBuffer>[]) {
    this.#problem = problem;
    this.#expected = before.map((words) => words.slice());
    evaluateProblem(problem, this.#expected);
    const sums = magnitudesOf(problem, before);
    const floats = storesOf(problem).filter(isFloat);
    this.#bounds = new Map(
      floats.map(({ binding }) => {
        const expected = floatsOf(this.#expected[binding]);
        const largest = expected.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
        const rest = (afterSums + weightedTerms(problem)) * epsilon * largest;
        const ofSum = sums === undefined ? () => 0 : boundOf(floatsOf(sums[binding]), termsOf(problem) + 8, 2);
        return [binding, (index: number) => ofSum(index) + rest] as const;
      }),
    );
  }

  /** The first disagreement in words, or undefined. `found`: what each binding holds after the kernel. */
  differenceFrom(found: readonly Uint32Array[]): string | undefined {
    for (const [binding, words] of this.#expected.entries()) {
      const other = found[binding] ?? new Uint32Array();
      const bound = this.#bounds.get(binding);
      const difference = bound === undefined ? this.#wordsDiffer(words, other) : floatsDiffer(floatsOf(words), floatsOf(other), bound);
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

const isFloat = ({ storage }: Store): boolean => storage.kind === "dense" && storage.scalar === "f32";
const floatsOf = (words: Float32Array | Int32Array | Uint32Array | undefined): Float32Array =>
  words === undefined ? new Float32Array() : new Float32Array(words.buffer, words.byteOffset, words.length);

function floatsDiffer(expected: Float32Array, found: Float32Array, bound: (index: number) => number): string | undefined {
  const wrong = expected.findIndex((value, i) => !isClose(found[i] ?? Number.NaN, value, bound(i)));
  return wrong < 0 ? undefined : `element ${wrong} is ${found[wrong]}, not ${expected[wrong]} (allowed ${bound(wrong)})`;
}

/** Infinities and NaN agree with themselves. */
export const isClose = (a: number, b: number, bound: number): boolean =>
  a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= bound;

/** Each result of attention sums weighted values over positions, and the weights are exponentials of sums over channels. */
function weightedTerms(problem: Problem): number {
  if (problem.kind !== "attention") return 0;
  const { keys, queries, heads, groups, channels } = problem.shape;
  return 16 * ((problem.pass === "grad_key" ? (queries * heads) / groups : keys) + channels);
}

const termsOf = (problem: Problem): number =>
  problem.kind === "dot" ? problem.k : problem.kind === "reduce" ? problem.reduced.reduce((n, size) => n * size, 1) : 0;

/** For each stored sum of a contraction or reduction: the sum of the magnitudes of what was added, times count and epsilon. */
export function sumBound(
  problem: Problem,
  buffers: readonly Words[],
  binding: number,
  terms: number,
  slack = 2,
): (binding: number, index: number) => number {
  const bound = boundOf(floatsOf((magnitudesOf(problem, buffers) ?? buffers)[binding]), terms, slack);
  return (b, index) => (b === binding ? bound(index) : 0);
}

const boundOf =
  (magnitudes: Float32Array, terms: number, slack: number) =>
  (index: number): number =>
    slack * terms * epsilon * Math.abs(magnitudes[index] ?? 0) + 1e-30;

/** What the buffers of a sum's results would hold if magnitudes were added up and stored as they are; undefined where nothing is summed. */
function magnitudesOf(problem: Problem, buffers: readonly Words[]): readonly Words[] | undefined {
  const magnitude = (e: ScalarExpr) => unary("abs", e);
  const stores = (value: ScalarExpr) => problem.stores.filter(isFloat).map((s) => ({ ...s, value }));
  const copies = () => buffers.map((b) => b.slice());
  if (problem.kind === "dot") {
    const { a, b } = problem;
    const sides = { a: { ...a, element: magnitude(a.element) }, b: { ...b, element: magnitude(b.element) } };
    return evaluated({ ...problem, ...sides, stores: stores(input(0, "f32")) }, copies());
  }
  const isSum = ({ combine, element }: ReduceProblem["accumulators"][number]) => combine === "sum" && element.type === "f32";
  if (problem.kind !== "reduce" || !problem.accumulators.some(isSum)) return undefined;
  const accumulators = problem.accumulators.map((a) => (isSum(a) ? { ...a, element: magnitude(a.element) } : a));
  const total = accumulators.flatMap((a, i): readonly ScalarExpr[] => (isSum(a) ? [input(i, "f32")] : [])).reduce(plus);
  return evaluated({ ...problem, accumulators, stores: stores(total) }, copies());
}

function evaluated(problem: Problem, buffers: readonly Words[]): readonly Words[] {
  evaluateProblem(problem, buffers);
  return buffers;
}
