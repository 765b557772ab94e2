// `to-plan`: one dispatch per kernel number, over virtual buffers. Translates what `fuse` decided; chooses nothing but schedules.
import { type Diagnostic, error, type Report } from "../ir/diagnostic.ts";
import { namesOfDim } from "../ir/dim.ts";
import { type Entry, type Module, valueNames } from "../ir/module.ts";
import type { ChooseSchedule, Dispatch, KernelPlan, PlanEntry, Target } from "../ir/plan.ts";
import { printType, type Type } from "../ir/type.ts";
import { EntryPlanner } from "./plan-entry.ts";
import { layoutStates } from "./state-layout.ts";

export interface ToPlanOptions {
  readonly target: Target;
  readonly choose: ChooseSchedule;
}

/** Plan the kernels of a fused module for one target. Problems: a dimension that is still a name. */
export function toPlan(module: Module, { target, choose }: ToPlanOptions): Report<KernelPlan> {
  const diagnostics = module.entries.flatMap(unboundDims);
  if (diagnostics.length > 0) return { diagnostics };
  const layout = layoutStates(module, target.limits.maxStorageBufferBindingSize);
  const entries = module.entries.map((entry): PlanEntry => {
    const planned = new EntryPlanner(entry, layout).plan();
    const dispatches = planned.dispatches.map((d): Dispatch => ({ ...d, schedule: choose(d.problem, target) }));
    return { ...planned, dispatches };
  });
  return { value: { target, entries }, diagnostics };
}

function unboundDims(entry: Entry): readonly Diagnostic[] {
  const names = valueNames(entry);
  const types: readonly (readonly [string, Type])[] = [...names].map(([value, name]) => [name, value.type]);
  for (const [name, type] of types) {
    const [unbound] = type.dims.flatMap(namesOfDim);
    if (unbound === undefined) continue;
    const help = `bind it on the command line: \`--set ${unbound}=1\``;
    return [
      error("unbound-dimension", `@${entry.name} has no size for \`${unbound}\`, which %${name}: ${printType(type)} needs`, undefined, "", [
        help,
      ]),
    ];
  }
  return [];
}
