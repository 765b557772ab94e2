// Counts load instructions that expressions would need, before any text is made: how schedules and vector axes are chosen.
import { childrenOf, type ScalarExpr } from "../../ir/scalar.ts";
import { Emitter } from "./emitter.ts";
import { Wgsl } from "./wgsl.ts";

/** Load instructions of some expressions over other variables; one for each four elements that lie together, four where they do not. */
export function loadSites(expressions: readonly ScalarExpr[], variables: Readonly<Record<string, ScalarExpr>>): number {
  const emitter = new Emitter(new Wgsl());
  const seen = new Set<ScalarExpr>();
  let sites = 0;
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    for (const child of childrenOf(e)) visit(child);
    if (e.kind === "load") sites += emitter.varies(e) && emitter.alignedBase(e.column) === undefined ? 4 : 1;
  };
  for (const e of expressions) visit(emitter.prepare(e, variables));
  return sites;
}
