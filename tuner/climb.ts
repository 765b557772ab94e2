// The search for one workload: from where it stands to the best neighbour, as long as one is faster beyond the noise.
import type { Kernel } from "../compiler/codegen/kernel.ts";
import { neighboursOf } from "../compiler/codegen/neighbours.ts";
import { type emitKernel, refuseSchedule } from "../compiler/codegen/templates.ts";
import type { Schedule, Target } from "../ir/plan.ts";
import { printSchedule } from "../ir/text/plan-records.ts";
import { KernelError } from "../runtime/index.ts";
import type { KernelBench, Trial } from "./kernel-bench.ts";
import { alternate } from "./rounds.ts";
import type { Workload } from "./workloads.ts";

export type EmitKernel = typeof emitKernel;

export interface ClimbOptions {
  readonly target: Target;
  /** Makes kernels; tests hand in one that makes wrong ones. */
  readonly emit: EmitKernel;
  /** CPU milliseconds that the kernels at the start took to compile where the device knows them; else 0. */
  readonly knownCompileMs: number;
  /** First-dispatch compile time above which a candidate is refused, in milliseconds of CPU time. */
  readonly mostCompileMs: number;
  /** Whether there is time for another candidate. */
  readonly mayGoOn: () => boolean;
  /** Called with each candidate that was left aside, and why. */
  readonly dropped: (schedule: Schedule, reason: string) => void;
}

export interface Climbed {
  readonly kind: "climbed";
  readonly schedule: Schedule;
  /** Time with the schedules at the start to the time with this one: above 1 is a gain. 1 where nothing is faster. */
  readonly gain: number;
  /** Milliseconds a step at the start. */
  readonly ms: number;
  readonly candidates: number;
}

/** Where the kernels at the start are wrong, there is nothing to compare with. */
export interface WrongStart {
  readonly kind: "wrong start";
  readonly difference: string;
}

/** A change must save this share of the time, in a comparison and in the one that confirms it. */
const margin = 0.03;
/** Share of the rounds that the faster one wins. */
const mostRounds = 0.75;
/** Times this close to each other are equal, and the kernel that compiles faster is better. */
const nearlyEqual = 0.02;
const rounds = { first: 2, rest: 4, confirm: 7 };
/** What is slower by this factor in the first rounds is not measured further. */
const hopeless = 1.25;
/** A round takes about this long where the adapter's clock times it, which ticks every 66 microseconds in Dawn, and where only the wall's does. */
const roundMs = { adapter: 12, wall: 40 };

interface Candidate {
  readonly schedule: Schedule;
  readonly trial: Trial;
  readonly sites: number;
}

export async function climb(workload: Workload, bench: KernelBench, options: ClimbOptions): Promise<Climbed | WrongStart> {
  const { target, emit, mayGoOn, dropped } = options;
  const { members } = workload;
  const [main] = members;
  const text = (schedule: Schedule) => printSchedule(schedule).join(", ");
  const kernelsOf = (schedule: Schedule | undefined): readonly Kernel[] =>
    members.map((member) => {
      const fits = schedule !== undefined && refuseSchedule(member.problem, schedule, target) === undefined;
      return emit(member.problem, fits ? schedule : member.start, target, member.serves);
    });

  const startKernels = kernelsOf(undefined);
  const compiled = await bench.compile(startKernels, main.serves.join(", "));
  // What the device knows already is compiled in no time.
  const startTrial = { ...compiled, compileMs: Math.max(compiled.compileMs, options.knownCompileMs) };
  const difference = await bench.differenceOf(startTrial);
  if (difference !== undefined) return { kind: "wrong start", difference };
  const start: Candidate = { schedule: main.start, trial: startTrial, sites: sitesOf(startKernels) };
  const repeats = await repeatsFor(bench, startTrial);
  const timer =
    ({ trial }: Candidate) =>
    () =>
      bench.time(trial, repeats);

  /** Ready to be timed; undefined where it is refused, wrong, or slow to compile. */
  const prepare = async (schedule: Schedule, from: Candidate): Promise<Candidate | undefined> => {
    const kernels = kernelsOf(schedule);
    const sites = sitesOf(kernels);
    // Compile time grows faster than load and store instructions: what would take far too long is not even tried.
    const expectedMs = from.trial.compileMs * Math.max(1, sites / from.sites) ** 2;
    // What compiles as fast as that which it would replace is never too slow.
    const mostMs = Math.max(options.mostCompileMs, from.trial.compileMs);
    if (expectedMs > 2 * mostMs) return leave(schedule, `it would take about ${seconds(expectedMs)} to compile`);
    try {
      const trial = await bench.compile(kernels, `${workload.key.family} ${text(schedule)}`);
      if (trial.compileMs > mostMs) return leave(schedule, `it takes ${seconds(trial.compileMs)} to compile`);
      const difference = await bench.differenceOf(trial);
      return difference === undefined ? { schedule, trial, sites } : leave(schedule, `it differs from the reference: ${difference}`);
    } catch (problem) {
      if (problem instanceof KernelError) return leave(schedule, `the driver refuses it: ${problem.message}`);
      throw problem;
    }
  };
  const leave = (schedule: Schedule, reason: string): undefined => {
    dropped(schedule, reason);
    return undefined;
  };

  const visited = new Set([text(main.start)]);
  let best = start;
  let candidates = 0;
  while (mayGoOn()) {
    const ready: Candidate[] = [];
    for (const schedule of neighboursOf(main.problem, best.schedule, target)) {
      if (visited.has(text(schedule)) || refuseSchedule(main.problem, schedule, target) !== undefined) continue;
      if (!mayGoOn()) break;
      visited.add(text(schedule));
      const candidate = await prepare(schedule, best);
      if (candidate !== undefined) ready.push(candidate);
    }
    candidates += ready.length;
    const next = ready.length === 0 ? undefined : await better(best, ready, timer);
    if (next === undefined) break;
    best = next;
  }
  const [before, after] = await alternate([timer(start), timer(best)], best === start ? 1 : rounds.confirm);
  const ms = (before?.ms ?? 0) / repeats;
  const gain = 1 / (after?.ratio ?? 1);
  // Steps may each have seemed to gain, and together gain nothing.
  const isGain = best !== start && gain >= 1;
  return { kind: "climbed", schedule: isGain ? best.schedule : start.schedule, gain: isGain ? gain : 1, ms, candidates };
}

/** The candidate that is better than the best one so far, if any is, by two comparisons. */
async function better(
  best: Candidate,
  ready: readonly Candidate[],
  timer: (candidate: Candidate) => () => Promise<number>,
): Promise<Candidate | undefined> {
  const first = await alternate([best, ...ready].map(timer), rounds.first);
  const hopeful = ready.filter((_, i) => (first[i + 1]?.ratio ?? hopeless) < hopeless);
  if (hopeful.length === 0) return undefined;
  const compared = await alternate([best, ...hopeful].map(timer), rounds.rest);
  const ratios = hopeful.map((candidate, i) => ({ candidate, ratio: compared[i + 1]?.ratio ?? 1 }));
  const fastest = Math.min(...ratios.map(({ ratio }) => ratio));
  const compileMs = ({ trial }: Candidate) => trial.compileMs;
  const [chosen] = ratios
    .filter(({ ratio }) => ratio <= fastest + nearlyEqual)
    .sort((a, b) => compileMs(a.candidate) - compileMs(b.candidate));
  if (chosen === undefined) return undefined;
  const isQuicker = compileMs(chosen.candidate) < compileMs(best) / 2 && compileMs(best) > leastCompileMs;
  const least = isQuicker ? 0 : margin;
  if (chosen.ratio > 1 - least) return undefined;
  const [, confirmed] = await alternate([best, chosen.candidate].map(timer), rounds.confirm);
  if (confirmed === undefined || confirmed.ratio > 1 - least) return undefined;
  return isQuicker || confirmed.won >= mostRounds ? chosen.candidate : undefined;
}

/** Below this, compiling faster is worth no change of equal speed. */
const leastCompileMs = 200;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Load and store instructions of kernels, of which compile time depends more than of anything else. */
const sitesOf = (kernels: readonly Kernel[]): number => Math.max(1, ...kernels.map(({ text }) => [...text.matchAll(/\bb\d+\[/g)].length));

async function repeatsFor(bench: KernelBench, trial: Trial): Promise<number> {
  const wanted = bench.isTimedByAdapter ? roundMs.adapter : roundMs.wall;
  // The first use of a clock may be off, and caches are cold.
  await bench.time(trial, 1);
  const once = Math.max(0.005, await bench.time(trial, 1));
  return Math.min(500, Math.max(1, Math.ceil(wanted / once)));
}
