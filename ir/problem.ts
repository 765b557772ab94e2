// What a problem consists of, whatever its family: the one list that printers, verifiers and templates share.
import type { Problem, Store } from "./plan.ts";
import type { ScalarExpr } from "./scalar.ts";

/** In the order in which a kernel's labels name them. */
export function storesOf(problem: Problem): readonly Store[] {
  return problem.kind === "rows" || problem.kind === "attention" ? [...problem.stores, ...problem.rowStores] : problem.stores;
}

/** Everything that is computed before a store. */
export function elementsOf(problem: Problem): readonly ScalarExpr[] {
  switch (problem.kind) {
    case "pointwise":
      return problem.where === undefined ? [] : [problem.where];
    case "reduce":
      return problem.accumulators.map((a) => a.element);
    case "dot":
      return [problem.a.element, problem.b.element];
    case "rows":
      return [problem.element, ...(problem.perRow === undefined ? [] : [problem.perRow])];
    case "attention":
      return Object.values(problem.elements);
    default:
      return problem satisfies never;
  }
}

/** Every expression of a problem. */
export function expressionsOf(problem: Problem): readonly ScalarExpr[] {
  return [...elementsOf(problem), ...storesOf(problem).flatMap((s) => [s.row, s.column, s.value])];
}
