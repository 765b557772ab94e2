// How many floating-point operations a kernel's problem asks for: what `plan` and benchmarks count by, whatever the schedule does.
import type { AttentionProblem, Problem, Store } from "./plan.ts";
import { childrenOf, type ScalarExpr } from "./scalar.ts";

/**
 * Floating-point operations of a problem. A contraction is 2mnk a batch, a sum one an element, a transform log2(block) additions and
 * one product an element; every f32 node of an expression counts one each time the problem evaluates it (a root or an exponential
 * too), shared nodes once. What an operand of a contraction costs on its way in counts once an element, not once a use.
 */
export function flopsOf(problem: Problem): number {
  switch (problem.kind) {
    case "pointwise":
      return product(problem.shape) * costOf(storeRoots(problem.stores));
    case "reduce": {
      const outputs = product(problem.shape);
      const perElement = costOf(problem.accumulators.map((a) => a.element)) + problem.accumulators.length;
      return outputs * (product(problem.reduced) * perElement + costOf(storeRoots(problem.stores)));
    }
    case "dot": {
      const { m, n, k } = problem;
      const operands = m * k * costOf([problem.a.element]) + n * k * costOf([problem.b.element]);
      return product(problem.batch) * (2 * m * n * k + operands + m * n * costOf(storeRoots(problem.stores)));
    }
    case "rows": {
      const { rows, columns, block, statistic } = problem;
      const transform = block === 1 ? 0 : Math.log2(block) + 1;
      const perElement = costOf([problem.element, ...storeRoots(problem.stores)]) + transform + (statistic === undefined ? 0 : 2);
      const perRow = costOf([...(problem.perRow === undefined ? [] : [problem.perRow]), ...storeRoots(problem.rowStores)]);
      return rows * (columns * perElement + perRow);
    }
    case "attention":
      return attentionFlops(problem);
    default:
      return problem satisfies never;
  }
}

/**
 * Pairs of a query and a key that it sees, each with its products over channels: two forward (score, weighted value), three for dq
 * (score, cotangent of the weight, dq), four for dk and dv; and what softmax takes of each pair.
 */
function attentionFlops({ pass, shape, rule }: AttentionProblem): number {
  const { batch, queries, keys, heads, channels } = shape;
  const pairs = rule.causal ? queries * keys - (queries * Math.max(0, queries - 1)) / 2 : queries * keys;
  const products = { forward: 2, grad_query: 3, grad_key: 4 }[pass];
  return batch * heads * pairs * (2 * channels * products + 4);
}

const product = (sizes: readonly number[]): number => sizes.reduce((n, size) => n * size, 1);
const storeRoots = (stores: readonly Store[]): readonly ScalarExpr[] => stores.map((s) => s.value);

/** Distinct f32 operations below the roots; comparisons of floats, conversions and everything on integers are free. */
function costOf(roots: readonly ScalarExpr[]): number {
  const seen = new Set<ScalarExpr>();
  let cost = 0;
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.type === "f32" && (e.kind === "unary" || e.kind === "binary")) cost++;
    for (const child of childrenOf(e)) visit(child);
  };
  for (const root of roots) visit(root);
  return cost;
}
