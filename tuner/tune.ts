// Tuning: for each key of a model's plan a search among schedules on this adapter, within a time budget, then the whole step old against new.
import { printKey } from "../compiler/codegen/schedule-key.ts";
import { chooseSchedule } from "../compiler/codegen/schedules.ts";
import { emitKernel } from "../compiler/codegen/templates.ts";
import { overlaid, type Schedules } from "../compiler/codegen/tuned-schedules.ts";
import { isFor, type TunedAdapter, type TunedEntry, type TunedTable } from "../compiler/codegen/tuned-table.ts";
import type { CompiledArtifact } from "../ir/artifact.ts";
import { flopsOf } from "../ir/flops.ts";
import type { PlacedPlan, Schedule, Target } from "../ir/plan.ts";
import { printSchedule } from "../ir/text/plan-records.ts";
import type { Device } from "../runtime/index.ts";
import { climb, type EmitKernel } from "./climb.ts";
import { KernelBench } from "./kernel-bench.ts";
import { OperandReader } from "./operands.ts";
import { compareSteps, dispatchTimes, runsInStep, type StepComparison } from "./whole-step.ts";
import { sharesOf, type Workload, workloadsOf } from "./workloads.ts";

/** What a model becomes with some schedules: an artifact for the target alone, and its plan. */
export interface Compiled {
  readonly artifact: CompiledArtifact;
  readonly plan: PlacedPlan;
}

export interface TuneOptions {
  readonly target: Target;
  readonly compile: (schedules: Schedules) => Promise<Compiled>;
  /** Where the search begins. */
  readonly start: Schedules;
  /** Other schedules, with which the whole step is compared in the end beside the ones at the start. */
  readonly against?: Schedules;
  readonly budgetMs: number;
  /** First-dispatch compile time above which a candidate is refused, in milliseconds of CPU time; default 1500. */
  readonly mostCompileMs?: number;
  /** Ends the search early: what is known then is the result, without the comparison of whole steps. */
  readonly signal?: AbortSignal;
  readonly progress?: TuneProgress;
  /** Makes candidates' kernels; for tests of the checks. */
  readonly emit?: EmitKernel;
}

export interface TuneProgress {
  /** Before the first search. */
  started?(keys: number): void;
  tuned?(key: TunedKey): void;
  dropped?(key: string, schedule: Schedule, reason: string): void;
  /** A key that is left as it is, and why. */
  left?(key: string, reason: string): void;
}

export interface TunedKey {
  readonly name: string;
  /** Of the problem of this key that costs most. */
  readonly default: Schedule;
  readonly best: Schedule;
  /** Time with the default to time with the best. */
  readonly gain: number;
  /** Part of the time of all entries, each run as often as in a step. */
  readonly share: number;
  readonly candidates: number;
}

export interface TuneResult {
  readonly table: TunedTable;
  readonly keys: readonly TunedKey[];
  /** How many keys there are; those beyond `keys` were not reached, or are too small to matter. */
  readonly keysInAll: number;
  /** The whole step with the schedules at the start, with what was found, and with those `against`; absent where tuning was ended early. */
  readonly step?: StepComparison;
  /** Whether the whole step got slower: then the table is as it was at the start. */
  readonly isWithdrawn: boolean;
}

/** Keys below this share of the time are left alone. */
const leastShare = 0.002;
/** What is kept for the comparison of whole steps. */
const confirmShare = 0.2;
/** The whole step may not get slower than this, as a speed. */
export const leastSpeed = 0.97;
/** Operations a second of the reference evaluation. */
const referenceFlops = 2e8;

/**
 * Search schedules on an open device. `probe` is a second device on the same adapter: there the model runs that operands come from, so
 * that compile times on the first one are those of kernels that it never saw.
 */
export async function tune(device: Device, probe: Device, options: TuneOptions): Promise<TuneResult> {
  const { target, start, against, budgetMs, signal, progress = {}, emit = emitKernel, mostCompileMs = 1500 } = options;
  const begin = performance.now();
  const remainingMs = () => budgetMs - (performance.now() - begin);
  const isStopped = () => signal?.aborted === true;

  const before = await options.compile(start);
  const runs = runsInStep(before.artifact.manifest);
  const times = await dispatchTimes(probe, before.artifact);
  const flops = (entry: string, i: number) => flopsOf(before.plan.entries.find((e) => e.name === entry)?.dispatches[i]?.problem ?? never());
  const shares = sharesOf(before.plan, (entry, i) => runs(entry) * (times ?? flops)(entry, i));
  const workloads = workloadsOf(before.plan, runs).toSorted((a, b) => (shares.get(b.name) ?? 0) - (shares.get(a.name) ?? 0));
  const worth = workloads.filter(({ name }) => (shares.get(name) ?? 0) >= leastShare);
  progress.started?.(worth.length);

  const keys: TunedKey[] = [];
  const changes = new Map<string, Schedule>();
  const entries = new Map(
    start.tables.filter((table) => isFor(table, target)).flatMap((table) => table.entries.map((e) => [printKey(e), e])),
  );
  const places = worth.flatMap(({ members }) => members);
  using operands = await OperandReader.open(probe, before.artifact, places);
  for (const [i, workload] of worth.entries()) {
    if (isStopped()) break;
    const share = shares.get(workload.name) ?? 0;
    const left = worth.slice(i).reduce((sum, { name }) => sum + (shares.get(name) ?? 0), 0);
    const untilMs = remainingMs() - (remainingMs() - confirmShare * budgetMs) * (share / left);
    const referenceMs = (1000 * workload.members.reduce((sum, { problem }) => sum + flopsOf(problem), 0)) / referenceFlops;
    if (remainingMs() < confirmShare * budgetMs) {
      progress.left?.(workload.name, "there is no time left");
      continue;
    }
    if (referenceMs > (remainingMs() - confirmShare * budgetMs) / 2) {
      progress.left?.(workload.name, `the reference alone would take about ${Math.ceil(referenceMs / 1000)} s`);
      continue;
    }
    using bench = await KernelBench.open(device, await withOperands(workload, operands));
    const found = await climb(workload, bench, {
      target,
      emit,
      mostCompileMs,
      mayGoOn: () => !isStopped() && remainingMs() > untilMs,
      dropped: (schedule, reason) => progress.dropped?.(workload.name, schedule, reason),
    });
    if (found.kind === "wrong start") {
      progress.left?.(workload.name, `the kernels that there are differ from the reference: ${found.difference}`);
      continue;
    }
    const [main] = workload.members;
    const key = {
      name: workload.name,
      default: main.schedule,
      best: found.schedule,
      gain: found.gain,
      share,
      candidates: found.candidates,
    };
    keys.push(key);
    if (found.schedule !== main.schedule) changes.set(workload.name, found.schedule);
    recordIn(entries, workload, found.schedule, target);
    progress.tuned?.(key);
  }
  const { name, driver } = device.adapter;
  const adapter = { class: target.adapterClass, subgroups: target.subgroups, subgroupSize: target.subgroupSize, name, driver };
  const result = { keys, keysInAll: workloads.length, isWithdrawn: false, table: { adapter, entries: [...entries.values()] } };
  if (isStopped() || (changes.size === 0 && against === undefined)) return result;

  const sides = [
    before,
    await options.compile(overlaid(start, changes)),
    ...(against === undefined ? [] : [await options.compile(against)]),
  ];
  const step = await compareSteps(
    probe,
    sides.map(({ artifact }) => artifact),
    Math.max(remainingMs(), 0.5 * confirmShare * budgetMs),
  );
  if ((step.sides[1]?.speed ?? 0) >= leastSpeed) return { ...result, step };
  return { ...result, step, isWithdrawn: true, table: tableAtStart(start, target, adapter) };
}

const never = (): never => {
  throw new Error("a dispatch that the plan does not have");
};

function tableAtStart(start: Schedules, target: Target, adapter: TunedAdapter): TunedTable {
  return { adapter, entries: start.tables.filter((table) => isFor(table, target)).flatMap((table) => table.entries) };
}

const withOperands = ({ members }: Workload, operands: OperandReader) =>
  Promise.all(members.map(async (member) => ({ ...member, operands: await operands.read(member) })));

/** What was measured goes into the table where the rules would choose otherwise: so a table holds what differs, and rules may get better. */
function recordIn(entries: Map<string, TunedEntry>, { name, key, members }: Workload, schedule: Schedule, target: Target): void {
  const text = printSchedule(schedule).join();
  const isByRules = members.every(({ problem }) => printSchedule(chooseSchedule(problem, target)).join() === text);
  if (isByRules) entries.delete(name);
  else entries.set(name, { ...key, schedule });
}
