// Counts load instructions that expressions would need, before any text is made: how schedules and vector axes are chosen.
import type { Store } from "../../ir/plan.ts";
import { childrenOf, type ScalarExpr } from "../../ir/scalar.ts";
import { Emitter } from "./emitter.ts";
import { Wgsl } from "./wgsl.ts";

/**
 * Load instructions of some expressions over other variables: one for four elements that lie together, four where they do not.
 * `counts` may leave loads out by what they depend on.
 */
export function loadSites(
  expressions: readonly ScalarExpr[],
  variables: Readonly<Record<string, ScalarExpr>>,
  counts: (load: ScalarExpr) => boolean = () => true,
): number {
  const emitter = new Emitter(new Wgsl());
  const seen = new Set<ScalarExpr>();
  let sites = 0;
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (const child of childrenOf(e)) visit(child);
    if (e.kind === "load" && counts(e)) sites += emitter.varies(e) && emitter.vectorIndex(e.column) === undefined ? 4 : 1;
  };
  for (const e of expressions) visit(emitter.prepare(e, variables));
  return sites;
}

/** Store instructions of dense stores of four elements at once; packed ones count as one. */
export function storeSites(stores: readonly Store[], variables: Readonly<Record<string, ScalarExpr>>): number {
  const emitter = new Emitter(new Wgsl());
  return stores.reduce((sites, { column, storage }) => {
    const prepared = emitter.prepare(column, variables);
    return sites + (storage.kind === "dense" && emitter.varies(prepared) && emitter.vectorIndex(prepared) === undefined ? 4 : 1);
  }, 0);
}
