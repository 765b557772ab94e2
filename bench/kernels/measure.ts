// Measures kernels group by group on one device, in turns, and says how far each is from the best of its kind, or from the yardstick.
import { Device } from "../../runtime/index.ts";
import type { CompareOptions } from "../compare.ts";
import { compileKernel, targetOf } from "../compiled.ts";
import { type MeasuredRow, ratioOf, rounded, spreadOf } from "../rows.ts";
import { attention } from "./attention-cases.ts";
import { contractions } from "./contraction-cases.ts";
import type { KernelGroup } from "./kernel-case.ts";
import { bytesOf, printKernel } from "./kernel-text.ts";
import { memory } from "./memory-cases.ts";
import { inTurn, type Timed, timedEntry } from "./timed-entry.ts";
import { yardstick, yardstickBytes, yardstickName } from "./yardstick.ts";

const groups: readonly KernelGroup[] = [...contractions, memory, ...attention];

/** Rows of every group, or of those whose name `wanted` accepts. */
export async function measureKernels(
  options: CompareOptions,
  wanted: (group: string) => boolean = () => true,
): Promise<readonly MeasuredRow[]> {
  using device = await Device.open({ adapter: options.adapter });
  const rows: Unshared[] = [];
  for (const group of groups) {
    if (!wanted(group.name)) continue;
    options.progress?.(`kernels: ${group.name}`);
    rows.push(...(await measureGroup(device, group, options.rounds)));
  }
  return withShares(rows);
}

/** What is timed, and what its rate is counted in. */
interface Entrant {
  readonly name: string;
  readonly kind: string;
  readonly timed: Timed;
  readonly flops: number;
  readonly bytes: number;
  readonly isBase: boolean;
}

/** A row and what shares are made of: work done, in operations or bytes, for each millisecond. */
interface Unshared {
  readonly row: MeasuredRow;
  readonly kind: string;
  readonly rate: number;
  readonly cpuRate: number;
  readonly isYardstick: boolean;
}

async function measureGroup(device: Device, group: KernelGroup, rounds: number): Promise<readonly Unshared[]> {
  const target = await targetOf(device);
  const entrants: Entrant[] = [];
  try {
    if (group.yardstick !== undefined) {
      const timed = await yardstick(device, group.yardstick);
      entrants.push({ name: yardstickName, kind: "memory", timed, flops: 0, bytes: yardstickBytes(group.yardstick), isBase: false });
    }
    for (const { name, kind, text, flops, isBase = false } of group.cases) {
      const { artifact, planFlops } = compileKernel(name, printKernel(text), target);
      entrants.push({ name, kind, timed: await timedEntry(device, artifact), flops: flops ?? planFlops, bytes: bytesOf(text), isBase });
    }
    await inTurn(
      entrants.map(({ timed }) => timed),
      rounds,
    );
    return rowsOf(group, entrants, device.adapter.name);
  } finally {
    for (const { timed } of entrants) timed.dispose();
  }
}

function rowsOf(group: KernelGroup, entrants: readonly Entrant[], adapter: string): readonly Unshared[] {
  const timed = entrants.map((entrant) => {
    const { repeats, roundMs, cpuMs } = entrant.timed;
    const runs = repeats * roundMs.length;
    return { entrant, ms: spreadOf(roundMs.map((ms) => ms / repeats)), cpuMs: cpuMs / runs, runs };
  });
  const [base] = timed.filter(({ entrant }) => entrant.isBase).toSorted((a, b) => a.ms.median - b.ms.median);
  return timed.map(({ entrant: { name, kind, flops, bytes }, ms, cpuMs, runs }): Unshared => {
    const row: MeasuredRow = {
      work: "kernels",
      subject: `${group.name}: ${name}`,
      adapter,
      ms,
      ratio: ratioOf(ms, base?.ms),
      runs,
      cpuMs: rounded(cpuMs),
      ...(base === undefined || base.cpuMs === 0 ? {} : { cpuRatio: rounded(cpuMs / base.cpuMs) }),
      ...(flops === 0 ? {} : { gflops: rounded(flops / ms.median / 1e6) }),
      gbytesPerSecond: rounded(bytes / ms.median / 1e6),
    };
    const amount = group.yardstick === undefined ? flops : bytes;
    return { row, kind, rate: amount / ms.median, cpuRate: amount / cpuMs, isYardstick: name === yardstickName };
  });
}

/** Shares of the yardstick's rate where the kind has one, else of the best rate of the kind in the session. */
function withShares(measured: readonly Unshared[]): readonly MeasuredRow[] {
  return measured.map(({ row, kind, rate, cpuRate }) => {
    const alike = measured.filter((other) => other.kind === kind);
    const judges = alike.some(({ isYardstick }) => isYardstick) ? alike.filter(({ isYardstick }) => isYardstick) : alike;
    return {
      ...row,
      share: rounded(rate / Math.max(...judges.map((other) => other.rate))),
      cpuShare: rounded(cpuRate / Math.max(...judges.map((other) => other.cpuRate))),
    };
  });
}
