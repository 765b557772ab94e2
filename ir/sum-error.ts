// How far results of sums may lie from the reference: c n eps sum|a b| of what was added up, carried through what follows the sum.
import { evaluateProblem } from "./evaluate-problem.ts";
import { halfValue } from "./half.ts";
import type { DotProblem, PointwiseProblem, Problem, ReduceProblem, Store } from "./plan.ts";
import { float, input, load, loadedAs, plus, type ScalarExpr, type Storage, times, uint, unary, variable } from "./scalar.ts";
import { createSimplifier } from "./simplify.ts";

/** Half the distance from 1 to the next f32. */
export const epsilon = 2 ** -24;

/** What a binding of a kernel covers. */
export type Words = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

type SumProblem = DotProblem | ReduceProblem;

/** Of a problem's sums: those of f32, which depend on the order of additions. */
const isSum = ({ combine, element }: ReduceProblem["accumulators"][number]): boolean => combine === "sum" && element.type === "f32";

export const hasSums = (problem: Problem): problem is SumProblem =>
  problem.kind === "dot" || (problem.kind === "reduce" && problem.accumulators.some(isSum));

export const isFloat = ({ storage }: Store): boolean => storage.kind === "dense" && loadedAs[storage.scalar] === "f32";
/** What a binding holds, as floats; of f16 there may be one more than were stored. */
export function floatsOf(words: Words | Uint32Array | undefined, storage?: Storage): Float32Array {
  if (words === undefined) return new Float32Array();
  if (storage?.kind === "dense" && storage.scalar === "f16")
    return Float32Array.from(new Uint16Array(words.buffer, words.byteOffset, 2 * words.length), halfValue);
  return new Float32Array(words.buffer, words.byteOffset, words.length);
}

/** The problem that adds up magnitudes. */
function ofMagnitudes(problem: SumProblem): SumProblem {
  const magnitude = (e: ScalarExpr) => unary("abs", e);
  if (problem.kind === "reduce")
    return { ...problem, accumulators: problem.accumulators.map((a) => (isSum(a) ? { ...a, element: magnitude(a.element) } : a)) };
  const { a, b } = problem;
  return { ...problem, a: { ...a, element: magnitude(a.element) }, b: { ...b, element: magnitude(b.element) } };
}

/** For each stored sum of a contraction or reduction: the sum of the magnitudes of what was added, times count and epsilon. */
export function sumBound(
  problem: Problem,
  buffers: readonly Words[],
  binding: number,
  terms: number,
  slack = 2,
): (binding: number, index: number) => number {
  const copies = buffers.map((b) => b.slice());
  if (hasSums(problem)) {
    const stores = problem.stores.filter(isFloat).map((s) => ({ ...s, value: input(0, "f32") }));
    evaluateProblem({ ...ofMagnitudes(problem), stores }, copies);
  }
  const magnitudes = floatsOf(copies[binding]);
  return (b, index) => (b === binding ? slack * terms * epsilon * Math.abs(magnitudes[index] ?? 0) + 1e-30 : 0);
}

/** How a bound grows with the number of terms: two roundings each, and some for what a kernel adds up in the end. */
const slack = 2;
const atTheEnd = 8;

/**
 * What the buffers hold after the problem, and after it with every sum moved up, and down, by all that its additions may have lost: results
 * may lie between. What follows a sum (a scale, an exponential) so counts as it does.
 */
export function evaluateWithin(
  problem: SumProblem,
  buffers: readonly Uint32Array<ArrayBuffer>[],
): { readonly expected: readonly Uint32Array<ArrayBuffer>[]; readonly shifted: readonly (readonly Uint32Array<ArrayBuffer>[])[] } {
  const types =
    problem.kind === "dot" ? [problem.a.element.type] : problem.accumulators.map((a) => (a.combine === "argmax" ? "i32" : a.element.type));
  const [sums, magnitudes] = [alone(problem, buffers, types), alone(ofMagnitudes(problem), buffers, types)];
  const terms = problem.kind === "dot" ? problem.k : product(problem.reduced);
  const lost = slack * (terms + atTheEnd) * epsilon;
  const place = linear(problem);
  const moved = (share: number): readonly Uint32Array<ArrayBuffer>[] => {
    const values = types.map((type, i): ScalarExpr => {
      const scalar = type === "bool" ? "u32" : type;
      const sum = load(type, buffers.length + i, { kind: "dense", scalar }, place);
      const counts = share !== 0 && type === "f32" && (problem.kind === "dot" || problem.accumulators.some((a, j) => j === i && isSum(a)));
      if (!counts) return sum;
      return plus(sum, times(load("f32", buffers.length + types.length + i, { kind: "dense", scalar: "f32" }, place), float(share)));
    });
    const all = [...buffers.map((b) => b.slice()), ...sums, ...magnitudes];
    evaluateProblem(epilogue(problem, values), all);
    return all.slice(0, buffers.length);
  };
  return { expected: moved(0), shifted: [moved(lost), moved(-lost)] };
}

const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);

/** Sizes and variables of what the stores of a problem run over. */
const outer = (problem: SumProblem): { readonly shape: readonly number[]; readonly names: readonly string[] } =>
  problem.kind === "reduce"
    ? { shape: problem.shape, names: problem.shape.map((_, i) => `c${i}`) }
    : { shape: [...problem.batch, problem.m, problem.n], names: [...problem.batch.map((_, i) => `z${i}`), "m", "n"] };

const linearOver = (shape: readonly number[], names: readonly string[]): ScalarExpr =>
  shape.reduce<ScalarExpr>((index, size, i) => plus(times(index, uint(size)), variable(names[i] ?? "", size)), uint(0));

/** The number of an element in the order of a pointwise problem over the same sizes. */
function linear(problem: SumProblem): ScalarExpr {
  const { shape } = outer(problem);
  return linearOver(
    shape,
    shape.map((_, i) => `c${i}`),
  );
}

/** Accumulators as they are before anything follows them, one array each. */
function alone(
  problem: SumProblem,
  buffers: readonly Uint32Array<ArrayBuffer>[],
  types: readonly ScalarExpr["type"][],
): readonly Uint32Array<ArrayBuffer>[] {
  const { shape, names } = outer(problem);
  const column = linearOver(shape, names);
  const stores = types.map((type, i): Store => {
    const scalar = type === "bool" ? "u32" : type;
    return { binding: buffers.length + i, storage: { kind: "dense", scalar }, row: uint(0), column, value: input(i, type) };
  });
  const results = types.map(() => new Uint32Array(product(shape)));
  evaluateProblem({ ...problem, stores }, [...buffers, ...results]);
  return results;
}

/** What follows the sums, as a problem of its own that is given them. */
function epilogue(problem: SumProblem, values: readonly ScalarExpr[]): PointwiseProblem {
  const { shape, names } = outer(problem);
  const simplifier = createSimplifier();
  const variables = Object.fromEntries(names.map((name, i) => [name, variable(`c${i}`, shape[i] ?? 1)]));
  const own = (e: ScalarExpr) => simplifier.substitute(e, variables, values);
  const stores = problem.stores.map((s): Store => ({ ...s, row: own(s.row), column: own(s.column), value: own(s.value) }));
  return { kind: "pointwise", shape, stores };
}
