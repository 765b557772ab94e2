// What a tuner tries next: the schedules one step away from a schedule, for every family.
import type { Family, Problem, Schedule, Target } from "../../ir/plan.ts";
import { neighboursOfAttention } from "./attention-schedule.ts";
import { neighboursOfDot } from "./dot-schedule.ts";
import { neighboursOfPointwise } from "./pointwise.ts";
import { neighboursOfReduce } from "./reduce.ts";
import { neighboursOfRows } from "./rows.ts";

export type ScheduleOf<F extends Family> = Extract<Schedule, { kind: F }>;
export type ProblemOf<F extends Family> = Extract<Problem, { kind: F }>;

/**
 * Schedules that differ in one knob by one step, or lie in another frame. They need not fit: {@link refuseSchedule} says which do.
 * A family says so beside its template, where its knobs are known.
 */
export type Neighbours<F extends Family> = (schedule: ScheduleOf<F>, problem: ProblemOf<F>, target: Target) => readonly ScheduleOf<F>[];

/** One for every family: a family without does not compile. */
export type NeighboursByFamily = { readonly [F in Family]: Neighbours<F> };

const neighboursOfFamily: NeighboursByFamily = {
  pointwise: neighboursOfPointwise,
  reduce: neighboursOfReduce,
  dot: neighboursOfDot,
  rows: neighboursOfRows,
  attention: neighboursOfAttention,
};

/** The neighbours of a problem's schedule, each once. Throws where the schedule is of another family. */
export function neighboursOf(problem: Problem, schedule: Schedule, target: Target): readonly Schedule[] {
  if (schedule.kind !== problem.kind) throw new Error(`a ${schedule.kind} schedule for a ${problem.kind} problem`);
  // The record's function of one family takes that family's problem and schedule; TypeScript does not follow this through a union.
  const list = (neighboursOfFamily[problem.kind] as (...given: readonly unknown[]) => readonly Schedule[])(schedule, problem, target);
  const distinct = new Map(list.map((each) => [JSON.stringify(each), each]));
  distinct.delete(JSON.stringify(schedule));
  return [...distinct.values()];
}
