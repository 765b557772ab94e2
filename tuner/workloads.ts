// What a model asks of the adapter, by key: the distinct problems of its plan that share a schedule, and how often each is dispatched.
import { keyOf, printKey, type ScheduleKey } from "../compiler/codegen/schedule-key.ts";
import { flopsOf } from "../ir/flops.ts";
import type { ChooseSchedule, PlacedPlan, Problem, Schedule } from "../ir/plan.ts";

export interface Member {
  readonly problem: Problem;
  /** What the plan was made with. */
  readonly planned: Schedule;
  /** Where the search begins. */
  readonly start: Schedule;
  /** Dispatches in one run of every entry, each entry as often as a step runs it. */
  readonly count: number;
  /** Where it is dispatched first. */
  readonly entry: string;
  readonly dispatch: number;
  readonly serves: readonly string[];
}

export interface Workload {
  readonly name: string;
  readonly key: ScheduleKey;
  /** The one that costs most first: its neighbours are what is tried. */
  readonly members: readonly [Member, ...Member[]];
}

/** The keys of a plan. `runs` says how often a step runs an entry, `choose` where the search for a problem begins. */
export function workloadsOf(plan: PlacedPlan, runs: (entry: string) => number, choose: ChooseSchedule): readonly Workload[] {
  const members = new Map<Problem, Member>();
  for (const entry of plan.entries) {
    for (const [dispatch, { problem, schedule: planned, serves }] of entry.dispatches.entries()) {
      const first = members.get(problem) ?? {
        problem,
        planned,
        start: choose(problem, plan.target),
        count: 0,
        entry: entry.name,
        dispatch,
        serves,
      };
      members.set(problem, { ...first, count: first.count + runs(entry.name) });
    }
  }
  const cost = ({ problem, count }: Member): number => count * Math.max(1, flopsOf(problem));
  const workloads = new Map<string, Workload>();
  for (const member of [...members.values()].sort((a, b) => cost(b) - cost(a))) {
    const key = keyOf(member.problem);
    const name = printKey(key);
    const known = workloads.get(name);
    workloads.set(name, { name, key, members: known === undefined ? [member] : [...known.members, member] });
  }
  return [...workloads.values()];
}

/** Of each key, its part of the sum of some figure of the dispatches, such as their times. */
export function sharesOf(plan: PlacedPlan, figure: (entry: string, dispatch: number) => number): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  const names = new Map<Problem, string>();
  let total = 0;
  for (const { name: entry, dispatches } of plan.entries) {
    for (const [i, { problem }] of dispatches.entries()) {
      const name = names.get(problem) ?? printKey(keyOf(problem));
      names.set(problem, name);
      sums.set(name, (sums.get(name) ?? 0) + figure(entry, i));
      total += figure(entry, i);
    }
  }
  return new Map([...sums].map(([name, sum]) => [name, total === 0 ? 0 : sum / total]));
}
