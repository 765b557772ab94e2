// How a problem's expressions meet its lanes: which results may lie where operands were, and problems over other bindings.
import type { Problem, Store } from "./plan.ts";
import { elementsOf, storesOf } from "./problem.ts";
import { childrenOf, denseBytes, type ScalarExpr, type Storage, withChildren } from "./scalar.ts";
import { createSimplifier } from "./simplify.ts";

export interface ProblemParts {
  /**
   * Results that may take an operand's place, and all that is evaluated for one element of them: every template has it evaluated by
   * the lane that stores the element, before that lane stores anything.
   */
  readonly elementwise: { readonly stores: readonly Store[]; readonly roots: readonly ScalarExpr[] };
  /** What is evaluated at other elements too: operands of a contraction, summed elements, a row's own values, places of stores. */
  readonly elsewhere: readonly ScalarExpr[];
}

export function partsOf(problem: Problem): ProblemParts {
  const places = storesOf(problem).flatMap((s) => [s.row, s.column]);
  const values = problem.stores.map((s) => s.value);
  const elementwise = { stores: problem.stores, roots: values };
  switch (problem.kind) {
    case "pointwise":
      // What is stored in part keeps the rest of its place, which is no operand's to give.
      if (problem.where !== undefined) return { elementwise: { stores: [], roots: [] }, elsewhere: [...places, ...values, problem.where] };
      return { elementwise, elsewhere: places };
    case "reduce":
    case "dot":
      return { elementwise, elsewhere: [...places, ...elementsOf(problem)] };
    case "rows": {
      // A row is loaded and exchanged before its elements are stored, and where it is loaded twice each span loads its own alone.
      const { element, perRow, rowStores } = problem;
      const ofRows = [...rowStores.map((s) => s.value), ...(perRow === undefined ? [] : [perRow])];
      return { elementwise: { stores: problem.stores, roots: [element, ...values] }, elsewhere: [...places, ...ofRows] };
    }
    case "attention":
      // Its lanes share what they load, and nobody has shown that any of it may be written over.
      return {
        elementwise: { stores: [], roots: [] },
        elsewhere: [...places, ...values, ...elementsOf(problem), ...problem.rowStores.map((s) => s.value)],
      };
    default:
      return problem satisfies never;
  }
}

export type LoadExpr = Extract<ScalarExpr, { kind: "load" }>;

/** Every load below some expressions, once each. */
export function loadsOf(roots: readonly ScalarExpr[]): readonly LoadExpr[] {
  const found: LoadExpr[] = [];
  const seen = new Set<ScalarExpr>();
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.kind === "load") found.push(e);
    for (const child of childrenOf(e)) visit(child);
  };
  for (const root of roots) visit(root);
  return found;
}

/** A test whether two positions are the same element. What it finds different may be equal all the same, never the other way round. */
export function samePosition(): (a: ScalarExpr, b: ScalarExpr) => boolean {
  const simplifier = createSimplifier();
  return (a, b) => a === b || simplifier.simplify(a) === simplifier.simplify(b);
}

/** The problem with other numbers for its bindings. */
export const renumberBindings = (problem: Problem, renumber: (binding: number) => number): Problem =>
  mapPlaces(problem, ({ binding, storage }) => ({ binding: renumber(binding), storage }));

/** Where something is loaded from or stored to, but for the element. */
export type Place = Pick<Store, "binding" | "storage">;

/** The problem with its operands and results in other places, or stored in other ways. */
export function mapPlaces(problem: Problem, placed: (place: Place) => Place): Problem {
  const done = new Map<ScalarExpr, ScalarExpr>();
  const expression = (e: ScalarExpr): ScalarExpr => {
    const known = done.get(e);
    if (known !== undefined) return known;
    const inner = withChildren(e, childrenOf(e).map(expression));
    const place = inner.kind === "load" ? placed(inner) : undefined;
    const moves = inner.kind === "load" && place !== undefined && (place.binding !== inner.binding || place.storage !== inner.storage);
    const next = moves ? { ...inner, binding: place.binding, storage: place.storage } : inner;
    done.set(e, next);
    return next;
  };
  const stores = (list: readonly Store[]): readonly Store[] =>
    list.map((s) => ({
      binding: placed(s).binding,
      storage: placed(s).storage,
      row: expression(s.row),
      column: expression(s.column),
      value: expression(s.value),
    }));
  const renumbered = stores(problem.stores);
  switch (problem.kind) {
    case "pointwise":
      return { ...problem, ...(problem.where === undefined ? {} : { where: expression(problem.where) }), stores: renumbered };
    case "reduce":
      return {
        ...problem,
        accumulators: problem.accumulators.map((a) => ({ ...a, element: expression(a.element) })),
        stores: renumbered,
      };
    case "dot":
      return {
        ...problem,
        a: { ...problem.a, element: expression(problem.a.element) },
        b: { ...problem.b, element: expression(problem.b.element) },
        stores: renumbered,
      };
    case "rows":
      return {
        ...problem,
        element: expression(problem.element),
        ...(problem.perRow === undefined ? {} : { perRow: expression(problem.perRow) }),
        stores: renumbered,
        rowStores: stores(problem.rowStores),
      };
    case "attention": {
      const { q, k, v, ...others } = problem.elements;
      const rest = Object.fromEntries(Object.entries(others).map(([name, e]) => [name, expression(e)]));
      const elements = { q: expression(q), k: expression(k), v: expression(v), ...rest };
      return { ...problem, elements, stores: renumbered, rowStores: stores(problem.rowStores) };
    }
    default:
      return problem satisfies never;
  }
}

/** Whether element i of both storages lies at the same bytes. */
export const sameSize = (a: Storage, b: Storage): boolean =>
  a.kind === "dense" && b.kind === "dense" && denseBytes[a.scalar] === denseBytes[b.scalar];
