// Results in the place of operands that die: one allocation instead of two, bound once. The first half of plan-memory.
import type { BindingUse, BufferRole, Dispatch, PlanEntry, Problem } from "../ir/plan.ts";
import { storesOf } from "../ir/problem.ts";
import { loadsOf, partsOf, renumberBindings, samePosition, sameSize } from "../ir/problem-parts.ts";
import { lifetimesOf } from "./lifetimes.ts";

/** A result's binding and an operand's whose place it may take. */
export interface InPlacePair {
  readonly result: number;
  readonly operand: number;
}

/**
 * Pairs for which it is right whatever the lanes' order: both dense, and the operand is loaded at nothing but the element that the
 * lane stores afterwards. None where codes are stored: what rounds is one kernel text in every entry, whatever dies in which.
 */
export function inPlacePairs(problem: Problem): readonly InPlacePair[] {
  const stores = storesOf(problem);
  if (stores.some(({ storage }) => storage.kind === "packed" && storage.signed)) return [];
  const { elementwise, elsewhere } = partsOf(problem);
  const barred = new Set(loadsOf(elsewhere).map((l) => l.binding));
  const loads = Map.groupBy(loadsOf(elementwise.roots), (l) => l.binding);
  const same = samePosition();
  const pairs: InPlacePair[] = [];
  for (const { binding: result, storage, column } of elementwise.stores) {
    const isOnly = stores.filter((s) => s.binding === result).length === 1;
    if (storage.kind !== "dense" || !isOnly || loads.has(result) || barred.has(result)) continue;
    for (const [operand, found] of loads) {
      const isOwn = found.every((l) => sameSize(l.storage, storage) && same(l.column, column));
      if (isOwn && !barred.has(operand) && stores.every((s) => s.binding !== operand)) pairs.push({ result, operand });
    }
  }
  return pairs;
}

/** Shared by the entries of a plan, so that problems of one form stay one object. */
export class InPlaceTable {
  readonly #pairs = new Map<Problem, readonly InPlacePair[]>();
  readonly #merged = new Map<Problem, Map<string, Problem>>();

  pairs(problem: Problem): readonly InPlacePair[] {
    const pairs = this.#pairs.get(problem) ?? inPlacePairs(problem);
    this.#pairs.set(problem, pairs);
    return pairs;
  }

  /** The problem with each result bound where its operand was; bindings behind a result's move up. */
  merged(problem: Problem, chosen: readonly InPlacePair[]): Problem {
    const key = chosen.map((p) => `${p.result} ${p.operand}`).join();
    const known = this.#merged.get(problem) ?? new Map<string, Problem>();
    this.#merged.set(problem, known);
    const found = known.get(key) ?? renumberBindings(problem, mergedNumber(chosen));
    known.set(key, found);
    return found;
  }
}

function mergedNumber(chosen: readonly InPlacePair[]): (binding: number) => number {
  const operandOf = new Map(chosen.map((p) => [p.result, p.operand]));
  return (binding) => {
    const kept = operandOf.get(binding) ?? binding;
    return kept - chosen.filter((p) => p.result < kept).length;
  };
}

/** The entry with as many results as can be in the place of operands whose last use is there. */
export function updateInPlace(entry: PlanEntry, table: InPlaceTable): PlanEntry {
  const lifetimes = new Map(lifetimesOf(entry).map((l) => [l.buffer.name, l] as const));
  const used = (use: BindingUse | undefined, access: BindingUse["access"], roles: readonly BufferRole["kind"][]) => {
    const found = use?.access === access && use.through === undefined && use.part === undefined ? lifetimes.get(use.buffer) : undefined;
    return found !== undefined && roles.includes(found.buffer.role.kind) ? found : undefined;
  };
  const dispatches = entry.dispatches.map((dispatch, at): Dispatch => {
    const { bind, problem } = dispatch;
    const legal = table.pairs(problem).filter(({ result, operand }) => {
      // A gradient has its place already: the operand is made there.
      const to = used(bind[result], "write", ["temporary", "gradient"]);
      const from = used(bind[operand], "read", ["temporary"]);
      return to !== undefined && from !== undefined && from.to === at && to.from === at && from.buffer.bytes === to.buffer.bytes;
    });
    const chosen = mostPairs(legal);
    if (chosen.length === 0) return dispatch;
    const resultOn = new Map(chosen.map((p) => [p.operand, p.result]));
    const gone = new Set(chosen.map((p) => p.result));
    const merged = bind.flatMap((use, i): readonly BindingUse[] => {
      const result = bind[resultOn.get(i) ?? -1];
      if (result !== undefined) return [{ buffer: result.buffer, over: use.buffer, access: "update" }];
      return gone.has(i) ? [] : [use];
    });
    return { ...dispatch, problem: table.merged(problem, chosen), bind: merged };
  });
  return dispatches.every((d, i) => d === entry.dispatches[i]) ? entry : { ...entry, dispatches };
}

/** As many pairs as can be without using a binding twice: augmenting paths, results in order. */
function mostPairs(pairs: readonly InPlacePair[]): readonly InPlacePair[] {
  const taken = new Map<number, number>();
  const place = (result: number, tried: Set<number>): boolean => {
    for (const { operand } of pairs.filter((p) => p.result === result)) {
      if (tried.has(operand)) continue;
      tried.add(operand);
      const other = taken.get(operand);
      if (other !== undefined && !place(other, tried)) continue;
      taken.set(operand, result);
      return true;
    }
    return false;
  };
  for (const result of new Set(pairs.map((p) => p.result))) place(result, new Set());
  return [...taken].map(([operand, result]) => ({ result, operand })).sort((a, b) => a.result - b.result);
}
