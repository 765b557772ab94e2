// Comparing artifacts of one model by the time of a whole step, in turns on one device.
import type { ArtifactManifest, CompiledArtifact } from "../ir/artifact.ts";
import { type Device, type Inputs, type PendingRun, Session } from "../runtime/index.ts";
import { onlyTarget, plausibleInputs } from "./operands.ts";
import { alternate, median } from "./rounds.ts";

export interface StepSpeed {
  /** Milliseconds of a step, the median over the rounds. */
  readonly ms: number;
  /** How fast it is: times of the first side to its own, the median over the rounds. Above 1 is faster than the first. */
  readonly speed: number;
  /** The same by CPU time of the process: on a software adapter what the kernels cost, whatever else the machine does meanwhile. */
  readonly cpuSpeed: number;
}

export interface StepComparison {
  /** One for each side, in order. */
  readonly sides: readonly StepSpeed[];
  readonly rounds: number;
}

/** How often a training step runs an entry; entries that are no part of one count as one run. */
export const runsInStep =
  ({ run }: ArtifactManifest) =>
  (entry: string): number =>
    entry === "accumulate" ? (run?.accumulate ?? 1) : 1;

/** The entries that make a training step; of a model that does not train, all of them. */
export function stepEntries({ entries }: ArtifactManifest): readonly string[] {
  const training = ["train", "accumulate", "apply"].filter((name) => entries[name] !== undefined);
  return training.length > 0 ? training : Object.keys(entries);
}

const least = { rounds: 5, roundMs: 60 };
const mostRounds = 41;
const mostRepeats = 64;

/** Compare artifacts for about `budgetMs`, a step of each in turn. By the adapter's clock where it has one. One that stands twice is timed once. */
export async function compareSteps(device: Device, artifacts: readonly CompiledArtifact[], budgetMs: number): Promise<StepComparison> {
  const distinct = [...new Set(artifacts)];
  const timers: StepTimer[] = [];
  try {
    for (const artifact of distinct) timers.push(await StepTimer.open(device, artifact));
    const onceMs = Math.max(0.05, ...(await Promise.all(timers.map((timer) => timer.time(1)))));
    const repeats = Math.min(mostRepeats, Math.ceil(least.roundMs / onceMs));
    const begin = performance.now();
    for (const timer of timers) await timer.time(repeats);
    // By the wall, on which a step also has to be submitted and awaited.
    const rounds = Math.min(mostRounds, Math.max(least.rounds, Math.floor(budgetMs / (performance.now() - begin))));
    const cpuTimes = timers.map((): number[] => []);
    const sides = await alternate(
      timers.map((timer, i) => async () => {
        const before = process.cpuUsage();
        const ms = await timer.time(repeats);
        const { user, system } = process.cpuUsage(before);
        cpuTimes[i]?.push(user + system);
        return ms;
      }),
      rounds,
    );
    const [first = []] = cpuTimes;
    const cpuSpeed = (i: number) => median((cpuTimes[i] ?? []).map((own, round) => (first[round] ?? Number.NaN) / own));
    const speeds = new Map(sides.map(({ ms, ratio }, i) => [distinct[i], { ms: ms / repeats, speed: 1 / ratio, cpuSpeed: cpuSpeed(i) }]));
    return { sides: artifacts.flatMap((artifact) => speeds.get(artifact) ?? []), rounds };
  } finally {
    for (const timer of timers) timer[Symbol.dispose]();
  }
}

class StepTimer {
  readonly #session: Session;
  readonly #runs: readonly { readonly entry: string; readonly inputs: Inputs; readonly count: number }[];

  private constructor(session: Session) {
    this.#session = session;
    const { manifest } = session.artifact;
    const runs = runsInStep(manifest);
    this.#runs = stepEntries(manifest).map((entry) => ({
      entry,
      inputs: plausibleInputs(manifest, entry, onlyTarget(session.artifact)),
      count: runs(entry),
    }));
  }

  static async open(device: Device, artifact: CompiledArtifact): Promise<StepTimer> {
    const timestamps = device.adapter.features.includes("timestamp-query") ? { timestamps: "entry" as const } : {};
    return new StepTimer(await Session.open(artifact, device, timestamps));
  }

  /** Milliseconds of some steps: submitted at once, so that waiting between them does not count. */
  async time(repeats: number): Promise<number> {
    const begin = performance.now();
    const pending: PendingRun[] = [];
    for (let i = 0; i < repeats; i++)
      for (const { entry, inputs, count } of this.#runs)
        for (let run = 0; run < count; run++) pending.push(this.#session.submit(entry, inputs));
    const results = await Promise.all(pending.map((each) => each.read()));
    const elapsedMs = performance.now() - begin;
    return (
      results.reduce<number | undefined>(
        (sum, { gpuMs: [ms] = [] }) => (sum === undefined || ms === undefined ? undefined : sum + ms),
        0,
      ) ?? elapsedMs
    );
  }

  [Symbol.dispose](): void {
    this.#session.dispose();
  }
}

/**
 * Milliseconds of each dispatch of each entry, means over a few runs: clocks are coarse (Dawn's ticks every 66 microseconds), and what is
 * less than a tick is right on average. Undefined on an adapter without a clock.
 */
export async function dispatchTimes(
  device: Device,
  artifact: CompiledArtifact,
): Promise<((entry: string, dispatch: number) => number) | undefined> {
  if (!device.adapter.features.includes("timestamp-query")) return undefined;
  using session = await Session.open(artifact, device, { timestamps: "dispatch" });
  const { manifest } = artifact;
  const times = new Map<string, readonly number[]>();
  for (const entry of Object.keys(manifest.entries)) {
    const inputs = plausibleInputs(manifest, entry, onlyTarget(artifact));
    // The first run is cold, and the first use of a clock may be off.
    await session.submit(entry, inputs).read();
    const sums: number[] = [];
    for (let run = 0; run < timedRuns; run++) {
      const { gpuMs = [] } = await session.submit(entry, inputs).read();
      for (const [i, ms] of gpuMs.entries()) sums[i] = (sums[i] ?? 0) + ms;
    }
    times.set(
      entry,
      sums.map((sum) => sum / timedRuns),
    );
  }
  return (entry, dispatch) => times.get(entry)?.[dispatch] ?? 0;
}

const timedRuns = 6;
