// One entry of a compiled module, timed in rounds: as many runs a round as fill a quarter of a second, so that submission and waiting do not count.
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { type Device, Session } from "../../runtime/index.ts";

/** Something that runs in rounds: compiled entries, and the yardstick. */
export interface Timed {
  /** Runs in a round. */
  readonly repeats: number;
  /** Wall time of each round so far. */
  readonly roundMs: readonly number[];
  /** CPU time of the whole process during the rounds so far; on a software adapter it is the cost itself. */
  readonly cpuMs: number;
  round(): Promise<void>;
  dispose(): void;
}

/** A round runs at least this long. */
const leastRoundMs = 250;

/** Rounds of each in turn, so that what else the machine does hits all alike. */
export async function inTurn(entries: readonly Timed[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) for (const entry of entries) await entry.round();
}

/** Rounds of `submit`, which starts one run on the device without waiting. */
export class TimedRuns implements Timed {
  readonly #device: Device;
  readonly #submit: () => void;
  readonly #dispose: () => void;
  readonly roundMs: number[] = [];
  cpuMs = 0;
  repeats = 1;

  private constructor(device: Device, submit: () => void, dispose: () => void) {
    this.#device = device;
    this.#submit = submit;
    this.#dispose = dispose;
  }

  /** Warm up, and find out how many runs fill a round. */
  static async prepare(device: Device, submit: () => void, dispose: () => void): Promise<TimedRuns> {
    const runs = new TimedRuns(device, submit, dispose);
    let elapsedMs = await runs.#time();
    while (elapsedMs < leastRoundMs) {
      runs.repeats = Math.max(runs.repeats + 1, Math.ceil((runs.repeats * leastRoundMs * 1.1) / Math.max(elapsedMs, 0.1)));
      elapsedMs = await runs.#time();
    }
    return runs;
  }

  async round(): Promise<void> {
    const before = process.cpuUsage();
    const elapsedMs = await this.#time();
    const { user, system } = process.cpuUsage(before);
    this.cpuMs += (user + system) / 1000;
    this.roundMs.push(elapsedMs);
  }

  dispose(): void {
    this.#dispose();
  }

  /** Runs execute in order, so the last one's end is the end of all. */
  async #time(): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < this.repeats; i++) this.#submit();
    await this.#device.idle();
    return performance.now() - start;
  }
}

/** Open a session on an artifact, run `first` once where it has that entry, and make rounds of `entry`. */
export async function timedEntry(device: Device, artifact: CompiledArtifact, entry = "main", first = "encode"): Promise<Timed> {
  const session = await Session.open(artifact, device);
  try {
    if (artifact.manifest.entries[first] !== undefined) await session.run(first);
    return await TimedRuns.prepare(
      device,
      () => session.submit(entry, {}, { unread: true }),
      () => session.dispose(),
    );
  } catch (problem) {
    session.dispose();
    throw problem;
  }
}
