// `to-plan`: one dispatch per kernel number, over virtual buffers. Translates what `fuse` decided; chooses nothing but schedules.
import type { Report } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import type { ChooseSchedule, CodeCosts, Dispatch, KernelPlan, PlanEntry, Problem, Schedule, Target } from "../ir/plan.ts";
import { ProblemTable } from "./kernel-form.ts";
import { layOutCodes } from "./lay-out-codes.ts";
import { narrowStorage } from "./narrow-storage.ts";
import { EntryPlanner } from "./plan-entry.ts";
import { entryProblems, sizeProblems } from "./plan-limits.ts";
import { layoutStates } from "./state-layout.ts";

export interface ToPlanOptions {
  readonly target: Target;
  readonly choose: ChooseSchedule;
  /** Default: codes are multiplied as floats. */
  readonly codeCosts?: (target: Target) => CodeCosts;
}

/**
 * Plan the kernels of a fused module for one target. Problems: a dimension that is still a name, a type or a transform that kernels do
 * not have, a tensor that is too large for the target.
 */
export function toPlan(fused: Module, { target, choose, codeCosts }: ToPlanOptions): Report<KernelPlan> {
  const problems = fused.entries.flatMap((entry) => entryProblems(entry, target));
  if (problems.length > 0) return { diagnostics: problems };
  const narrowed = narrowStorage(fused, target);
  const module = codeCosts === undefined ? narrowed : layOutCodes(narrowed, target, codeCosts);
  const layout = layoutStates(module, target.limits.maxStorageBufferBindingSize);
  const problemTable = new ProblemTable();
  const planned = module.entries.map((entry) => new EntryPlanner(entry, layout, problemTable).plan());
  const diagnostics = planned.flatMap((entry) => sizeProblems(entry, target));
  if (diagnostics.length > 0) return { diagnostics };
  const schedules = new Map<Problem, Schedule>();
  const scheduleOf = (problem: Problem): Schedule => {
    const schedule = schedules.get(problem) ?? choose(problem, target);
    schedules.set(problem, schedule);
    return schedule;
  };
  const entries = planned.map((entry): PlanEntry => {
    const dispatches = entry.dispatches.map((d): Dispatch => ({ ...d, schedule: scheduleOf(d.problem) }));
    return { ...entry, dispatches };
  });
  return { value: { target, entries }, diagnostics };
}
