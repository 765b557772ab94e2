// What would fit a memory budget: recomputation, fewer bits, smaller batches, each planned before it is proposed.
import { printBytes } from "../../ir/byte-size.ts";
import { hasErrors } from "../../ir/diagnostic.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import type { Source } from "../../ir/source.ts";
import { CompilerCrash } from "./crash.ts";
import { type FrontEndOptions, type Lowered, lowerSource, recomputeOf } from "./frontend.ts";
import { type PlanOptions, planModule } from "./plan.ts";

/** Models with more instructions take seconds to plan: for them fewer proposals are tried. */
const quick = 4000;

interface Proposal {
  readonly set: readonly string[];
  readonly policy?: string;
}

/** Lines of help: changes on the command line, and the bytes that the model then takes. Only what the compiler accepts. */
export function smallerPlans(
  source: Source,
  options: FrontEndOptions & PlanOptions,
  budget: number,
  { module, resolved }: Lowered,
): readonly string[] {
  const { recipe } = resolved;
  if (recipe === undefined) return [];
  const remat = recipe.rematerialize === "auto" ? [] : ["remat=auto"];
  const [batch] = recipe.arrays[0]?.type.dims ?? [];
  const halves = typeof batch === "number" ? [2, 4, 8, 16].map((n) => batch / n).filter((size) => Number.isInteger(size)) : [];
  const isQuantized = [...(resolved.policy?.sites.values() ?? [])].some((site) => site.choice !== undefined);
  const bits = isQuantized ? [] : ["quest(w = 4, a = 4)"];
  const isQuick = module.entries.reduce((n, entry) => n + entry.instructions.length, 0) <= quick;

  /** Of some proposals, the larger ones first, the line about the first that fits, or else about the last. */
  const best = (proposals: readonly Proposal[]): readonly string[] => {
    let line: string | undefined;
    for (const proposal of proposals) {
      const bytes = bytesWith(source, options, budget, proposal);
      if (bytes === undefined) continue;
      line = `${written(proposal)} takes ${printBytes(bytes)}${bytes <= budget ? "" : ", still too much"}`;
      if (bytes <= budget) break;
    }
    return line === undefined ? [] : [line];
  };
  const sizes = isQuick ? halves : halves.slice(0, 1);
  const batches = sizes.map((size) => `data.batch=${size}`);
  const microBatches = sizes.map((size) => `accumulate=${(recipe.accumulate * Number(batch)) / size}`);
  return [
    ...best(remat.map((each) => ({ set: [each] }))),
    ...best(isQuick ? bits.map((policy) => ({ set: [], policy })) : []),
    ...best(batches.map((each) => ({ set: [each] }))),
    ...best(remat.flatMap((each) => batches.map((other) => ({ set: [each, other] })))),
    // The same step, its gradients summed over smaller batches.
    ...best(batches.map((each, i) => ({ set: [...remat, each, ...microBatches.slice(i, i + 1)] }))),
  ];
}

const written = ({ set, policy }: Proposal): string =>
  [...(policy === undefined ? [] : [`--policy '${policy}'`]), ...set.map((each) => `--set '${each}'`)]
    .map((part) => `\`${part}\``)
    .join(" with ");

function bytesWith(source: Source, options: FrontEndOptions & PlanOptions, budget: number, { set, policy }: Proposal): number | undefined {
  const { dump: _dump, explain: _explain, ...rest } = options;
  const changed = { ...rest, set: [...(options.set ?? []), ...set], ...(policy === undefined ? {} : { policy }) };
  let peakBytes: number | undefined;
  const planned = ({ memory }: PlacedPlan) => {
    peakBytes = Math.max(memory.peakBytes, peakBytes ?? 0);
  };
  try {
    const { value, diagnostics } = lowerSource(source, changed);
    if (value === undefined || hasErrors(diagnostics)) return undefined;
    const { resolved, module } = value;
    planModule(module, { ...changed, ...recomputeOf(resolved), memory: budget, sources: resolved.sources, planned });
    return peakBytes;
  } catch (problem) {
    // A proposal that crashes is none; the model itself may be compiled all the same.
    if (problem instanceof CompilerCrash) return undefined;
    throw problem;
  }
}
