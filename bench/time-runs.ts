// One round of something that runs to its end: each run timed by itself.
import type { RoundLength } from "./protocol.ts";

export interface TimedRound {
  /** Wall time of each run. */
  readonly ms: readonly number[];
  /** CPU time of the process in each run, the driver's threads included. */
  readonly cpuMs: readonly number[];
  /** What the last run answered. */
  readonly last: number | undefined;
}

export async function timeRuns(run: () => Promise<number | undefined>, { leastMs, mostRuns }: RoundLength): Promise<TimedRound> {
  const ms: number[] = [];
  const cpuMs: number[] = [];
  let last: number | undefined;
  for (let elapsed = 0; ms.length === 0 || (elapsed < leastMs && ms.length < mostRuns); ) {
    const [cpuBefore, before] = [process.cpuUsage(), performance.now()];
    last = await run();
    const took = performance.now() - before;
    const { user, system } = process.cpuUsage(cpuBefore);
    ms.push(took);
    cpuMs.push((user + system) / 1000);
    elapsed += took;
  }
  return { ms, cpuMs, last };
}
