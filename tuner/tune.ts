// Tuning: for each key of a model's plan a search among schedules on this adapter, within a time budget, then the whole step old against new.
import { printKey } from "../compiler/codegen/schedule-key.ts";
import { chooseSchedule } from "../compiler/codegen/schedules.ts";
import { emitKernel } from "../compiler/codegen/templates.ts";
import { overlaid, type Schedules, schedulesFrom } from "../compiler/codegen/tuned-schedules.ts";
import { isFor, type TunedEntry, type TunedTable } from "../compiler/codegen/tuned-table.ts";
import { foreignTables } from "../compiler/driver/plan.ts";
import type { CompiledArtifact } from "../ir/artifact.ts";
import { DiagnosticError } from "../ir/diagnostic.ts";
import { flopsOf } from "../ir/flops.ts";
import type { PlacedPlan, Schedule, Target } from "../ir/plan.ts";
import { printSchedule } from "../ir/text/plan-records.ts";
import type { Device } from "../runtime/index.ts";
import { climb, type EmitKernel } from "./climb.ts";
import { KernelBench } from "./kernel-bench.ts";
import { OperandReader, onlyTarget } from "./operands.ts";
import { compareSteps, dispatchTimes, runsInStep, type StepComparison } from "./whole-step.ts";
import { type Member, sharesOf, type Workload, workloadsOf } from "./workloads.ts";

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

/** A key has at least this long, whatever its share. */
const leastKeyMs = 1500;

/**
 * Search schedules on an open device. Throws a DiagnosticError `foreign-schedules` where those at the start, or those to compare with, were
 * measured on other adapters alone, and what compiling and opening a session throw.
 */
export async function tune(device: Device, options: TuneOptions): Promise<TuneResult> {
  const { target, start, against, budgetMs, signal } = options;
  // Before the minutes that measuring takes: none of their entries would be kept.
  const foreign = [start, against].flatMap((schedules) => foreignTables(schedules, [target]));
  if (foreign.length > 0) throw new DiagnosticError(foreign);
  const begin = performance.now();
  /** Until the comparison of whole steps. */
  const remainingMs = () => (1 - confirmShare) * budgetMs - (performance.now() - begin);
  // The model that operands and shares come from is laid out by the rules: operands are the same, and these kernels compile fast, which
  // those at the start need not.
  const probe = await options.compile(schedulesFrom([]));
  const workloads = workloadsOf(probe.plan, runsInStep(probe.artifact.manifest), start.choose);
  const found = await search(device, probe, workloads, remainingMs, options);
  const keys = found.map(({ key }) => key);

  const entries = new Map(entriesFor(start, target).map((entry) => [printKey(entry), entry]));
  for (const { workload, key } of found) recordIn(entries, workload, key.best, target);
  const { name, driver } = device.adapter;
  const adapter = { class: target.adapterClass, subgroups: target.subgroups, subgroupSize: target.subgroupSize, name, driver };
  const result = { keys, keysInAll: workloads.length, isWithdrawn: false, table: { adapter, entries: [...entries.values()] } };
  const changes = new Map(keys.filter((key) => key.best !== key.default).map((key) => [key.name, key.best]));
  if (signal?.aborted === true || (changes.size === 0 && against === undefined)) return result;

  const before = await options.compile(start);
  const after = changes.size === 0 ? before : await options.compile(overlaid(start, changes));
  const sides = [before, after, ...(against === undefined ? [] : [await options.compile(against)])].map(({ artifact }) => artifact);
  const compareMs = Math.max(confirmShare * budgetMs + remainingMs(), (confirmShare * budgetMs) / 2);
  let step = await compareSteps(device, sides, compareMs);
  const isSlower = () => (step.sides[1]?.speed ?? 0) < leastSpeed;
  // A slow moment of the machine looks the same, once.
  if (isSlower()) step = await compareSteps(device, sides, compareMs);
  return isSlower() ? { ...result, step, isWithdrawn: true, table: { adapter, entries: entriesFor(start, target) } } : { ...result, step };
}

interface Found {
  readonly workload: Workload;
  readonly key: TunedKey;
}

/** Search for every key that matters, those with the largest part of the time first, as long as there is time. */
async function search(
  device: Device,
  probe: Compiled,
  workloads: readonly Workload[],
  remainingMs: () => number,
  { target, signal, progress = {}, emit = emitKernel, mostCompileMs = 1500 }: TuneOptions,
): Promise<readonly Found[]> {
  const isStopped = () => signal?.aborted === true;
  // Before a session compiles them: later they are known to the device, and their compile times are not to be had.
  const compileMs = await compileTimes(device, probe, workloads, emit);
  const shares = await sharesOfTime(device, probe);
  const shareOf = ({ name }: Workload): number => shares.get(name) ?? 0;
  const worth = workloads.filter((w) => shareOf(w) >= leastShare).sort((a, b) => shareOf(b) - shareOf(a));
  progress.started?.(worth.length);
  const places = worth.flatMap(({ members }) => members);
  using operands = await OperandReader.open(device, probe.artifact, places);
  const found: Found[] = [];
  for (const [i, workload] of worth.entries()) {
    if (isStopped()) break;
    const share = shareOf(workload);
    const open = worth.slice(i).reduce((sum, each) => sum + shareOf(each), 0);
    const untilMs = remainingMs() - Math.max(leastKeyMs, remainingMs() * (share / open));
    const reason = whyNotNow(workload, remainingMs());
    if (reason !== undefined) {
      progress.left?.(workload.name, reason);
      continue;
    }
    using bench = await KernelBench.open(device, await withOperands(workload, operands));
    const climbed = await climb(workload, bench, {
      target,
      emit,
      knownCompileMs: workload.members.every(isAsPlanned) ? (compileMs.get(workload.name) ?? 0) : 0,
      mostCompileMs,
      mayGoOn: () => !isStopped() && remainingMs() > untilMs,
      dropped: (schedule, why) => progress.dropped?.(workload.name, schedule, why),
    });
    if (climbed.kind === "wrong start") {
      progress.left?.(workload.name, `the kernels that there are differ from the reference: ${climbed.difference}`);
      continue;
    }
    const { schedule: best, gain, candidates } = climbed;
    const key: TunedKey = { name: workload.name, default: workload.members[0].start, best, gain, share, candidates };
    found.push({ workload, key });
    progress.tuned?.(key);
  }
  return found;
}

/** CPU milliseconds of compiling each key's kernels, on operands of zeros. */
async function compileTimes(
  device: Device,
  { artifact, plan: { target } }: Compiled,
  workloads: readonly Workload[],
  emit: EmitKernel,
): Promise<ReadonlyMap<string, number>> {
  const { dispatches } = onlyTarget(artifact);
  const times = new Map<string, number>();
  for (const { name, members } of workloads) {
    const zeros = members.map((member) => ({
      ...member,
      operands: (dispatches[member.entry]?.[member.dispatch]?.bind ?? []).map(([, , bytes]) => new Uint32Array(bytes / 4)),
    }));
    using bench = await KernelBench.open(device, zeros);
    const kernels = members.map(({ problem, planned, serves }) => emit(problem, planned, target, serves));
    times.set(name, (await bench.compile(kernels, name)).compileMs);
  }
  return times;
}

/** Of each key, its part of the time of all entries; by operations on an adapter that has no clock. */
async function sharesOfTime(device: Device, { artifact, plan }: Compiled): Promise<ReadonlyMap<string, number>> {
  const runs = runsInStep(artifact.manifest);
  const times = await dispatchTimes(device, artifact);
  const flops = (entry: string, dispatch: number): number => {
    const problem = plan.entries.find(({ name }) => name === entry)?.dispatches[dispatch]?.problem;
    return problem === undefined ? 0 : flopsOf(problem);
  };
  return sharesOf(plan, (entry, dispatch) => runs(entry) * (times ?? flops)(entry, dispatch));
}

function whyNotNow({ members }: Workload, remainingMs: number): string | undefined {
  if (remainingMs <= 0) return "there is no time left";
  const referenceMs = (1000 * members.reduce((sum, { problem }) => sum + flopsOf(problem), 0)) / referenceFlops;
  return referenceMs > remainingMs / 2 ? `the reference alone would take about ${Math.ceil(referenceMs / 1000)} s` : undefined;
}

const entriesFor = ({ tables }: Schedules, target: Target): readonly TunedEntry[] =>
  tables.filter((table) => isFor(table, target)).flatMap((table) => table.entries);

const isAsPlanned = ({ planned, start }: Member): boolean => printSchedule(planned).join() === printSchedule(start).join();

const withOperands = ({ members }: Workload, operands: OperandReader) =>
  Promise.all(members.map(async (member) => ({ ...member, operands: await operands.read(member) })));

/** What was measured goes into the table where the rules would choose otherwise: so a table holds what differs, and rules may get better. */
function recordIn(entries: Map<string, TunedEntry>, { name, key, members }: Workload, schedule: Schedule, target: Target): void {
  const text = printSchedule(schedule).join();
  const isByRules = members.every(({ problem }) => printSchedule(chooseSchedule(problem, target)).join() === text);
  if (isByRules) entries.delete(name);
  else entries.set(name, { ...key, schedule });
}
