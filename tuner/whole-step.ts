// Comparing artifacts of one model by the time of a whole step, in turns on one device.
import type { ArtifactManifest, CompiledArtifact } from "../ir/artifact.ts";
import { type Device, type Inputs, Session } from "../runtime/index.ts";
import { onlyTarget, plausibleInputs } from "./operands.ts";
import { alternate } from "./rounds.ts";

export interface StepComparison {
  /** Milliseconds of a step, medians. */
  readonly before: number;
  readonly after: number;
  /** How fast the second is: times of the first to times of the second, the median over the rounds. Above 1 is faster. */
  readonly speed: number;
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

/** Compare two artifacts for about `budgetMs`. By the adapter's clock where it has one. */
export async function compareSteps(
  device: Device,
  before: CompiledArtifact,
  after: CompiledArtifact,
  budgetMs: number,
): Promise<StepComparison> {
  using first = await StepTimer.open(device, before);
  using second = await StepTimer.open(device, after);
  const onceMs = Math.max(0.05, await first.warm(), await second.warm());
  const repeats = Math.max(1, Math.ceil(least.roundMs / onceMs));
  const rounds = Math.min(mostRounds, Math.max(least.rounds, Math.floor(budgetMs / (2 * repeats * onceMs))));
  const [own, other] = await alternate([() => first.time(repeats), () => second.time(repeats)], rounds);
  if (own === undefined || other === undefined) throw new Error("two sides were timed");
  return { before: own.ms / repeats, after: other.ms / repeats, speed: 1 / other.ratio, rounds };
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

  /** Milliseconds of one step, warmed up. */
  async warm(): Promise<number> {
    await this.time(1);
    return this.time(1);
  }

  async time(repeats: number): Promise<number> {
    const start = performance.now();
    let adapterMs = 0;
    let isTimed = false;
    for (let i = 0; i < repeats; i++) {
      for (const { entry, inputs, count } of this.#runs) {
        for (let run = 0; run < count; run++) {
          const { gpuMs } = await this.#session.submit(entry, inputs).read();
          adapterMs += gpuMs?.[0] ?? 0;
          isTimed = gpuMs !== undefined;
        }
      }
    }
    return isTimed ? adapterMs : performance.now() - start;
  }

  [Symbol.dispose](): void {
    this.#session.dispose();
  }
}

/** Milliseconds of each dispatch of each entry in one run, medians over a few; undefined on an adapter without a clock. */
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
    const best: number[] = [];
    for (let run = 0; run < timedRuns; run++) {
      const { gpuMs = [] } = await session.submit(entry, inputs).read();
      for (const [i, ms] of gpuMs.entries()) best[i] = Math.min(best[i] ?? ms, ms);
    }
    times.set(entry, best);
  }
  return (entry, dispatch) => times.get(entry)?.[dispatch] ?? 0;
}

const timedRuns = 4;
