// Measures the sweeps, the points of one in turns, and fits how time and operations grow with the size.
import { Device, Session } from "../../runtime/index.ts";
import type { CompareOptions } from "../compare.ts";
import { compileModel, targetOf } from "../compiled.ts";
import { gptSize, wholeNumbers } from "../inputs.ts";
import { type MeasuredRow, ratioOf, rounded, spreadOf } from "../rows.ts";
import { timeRuns } from "../time-runs.ts";
import { powerLaw } from "./fit.ts";
import { type Sweep, type SweepPoint, sweeps } from "./sweeps.ts";

/** How a step's time grows over one sweep, beside how its operations do. */
export interface Growth {
  readonly sweep: string;
  /** Of the size, in the step's median time and in the plan's count of operations. */
  readonly timeExponent: number;
  readonly flopsExponent: number;
  readonly rSquared: number;
  /** Last point over first. */
  readonly timeGrowth: number;
  readonly flopsGrowth: number;
  /** timeGrowth / flopsGrowth: 1 where the kernels are as good at the largest size as at the smallest. */
  readonly excess: number;
  /** The same of the least CPU time of a step: steadier on a software adapter whose machine has other work. */
  readonly cpuExcess: number;
}

export interface Scaling {
  readonly rows: readonly MeasuredRow[];
  readonly growth: readonly Growth[];
}

const roundLength = { leastMs: 400, mostRuns: 10 };

export async function measureScaling(options: CompareOptions, chosen: readonly Sweep[] = sweeps): Promise<Scaling> {
  using device = await Device.open({ adapter: options.adapter });
  const rows: MeasuredRow[] = [];
  const growth: Growth[] = [];
  for (const sweep of chosen) {
    options.progress?.(`scaling: ${sweep.name}`);
    const points = await measureSweep(device, sweep, options.rounds);
    rows.push(...points.map(({ row }) => row));
    growth.push(growthOf(sweep.name, points));
  }
  return { rows, growth };
}

interface MeasuredPoint {
  readonly size: number;
  readonly flops: number;
  readonly row: MeasuredRow;
}

async function measureSweep(device: Device, sweep: Sweep, rounds: number): Promise<readonly MeasuredPoint[]> {
  const runs: PointRuns[] = [];
  try {
    for (const point of sweep.points) runs.push(await PointRuns.prepare(device, point));
    for (let round = 0; round < rounds; round++) for (const each of runs) await each.round();
    const [first] = runs;
    return runs.map((each) => {
      const ms = spreadOf(each.ms);
      const row: MeasuredRow = {
        work: "scaling",
        subject: `${sweep.name} ${each.size}`,
        adapter: device.adapter.name,
        ms,
        ratio: ratioOf(ms, first === undefined ? undefined : spreadOf(first.ms)),
        runs: each.ms.length,
        cpuMs: rounded(Math.min(...each.cpuMs)),
        gflops: rounded(each.flops / ms.median / 1e6),
      };
      return { size: each.size, flops: each.flops, row };
    });
  } finally {
    for (const each of runs) each.dispose();
  }
}

/** The training steps of one point. */
class PointRuns {
  readonly size: number;
  /** Of one step, as the plan counts them. */
  readonly flops: number;
  readonly ms: number[] = [];
  readonly cpuMs: number[] = [];
  readonly #session: Session;
  readonly #tokens: Int32Array<ArrayBuffer>;
  #step = 0;

  private constructor(session: Session, { size, recipe: { batch, context } }: SweepPoint, flops: number) {
    this.size = size;
    this.flops = flops;
    this.#session = session;
    this.#tokens = wholeNumbers(batch * (context + 1), gptSize.vocab);
  }

  static async prepare(device: Device, point: SweepPoint): Promise<PointRuns> {
    const set = Object.entries(point.recipe).map(([name, value]) => `recipe.${name}=${value}`);
    let flops = 0;
    const artifact = compileModel("bench/models/peers.loom", await targetOf(device), {
      recipe: "gpt",
      set,
      entries: (name) => name === "train",
      summarized: (summary) => {
        flops = summary.flops;
      },
    });
    const runs = new PointRuns(await Session.open(artifact, device), point, flops);
    // The first run is a warm-up.
    await runs.#run();
    return runs;
  }

  async round(): Promise<void> {
    const { ms, cpuMs } = await timeRuns(() => this.#run(), roundLength);
    this.ms.push(...ms);
    this.cpuMs.push(...cpuMs);
  }

  dispose(): void {
    this.#session.dispose();
  }

  async #run(): Promise<number | undefined> {
    const { loss } = await this.#session.run("train", { tokens: this.#tokens }, { step: this.#step++ });
    return loss?.[0];
  }
}

function growthOf(sweep: string, points: readonly MeasuredPoint[]): Growth {
  const time = powerLaw(points.map(({ size, row }) => [size, row.ms.median]));
  const flops = powerLaw(points.map(({ size, flops: count }) => [size, count]));
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) throw new Error("a sweep without points");
  const [timeGrowth, flopsGrowth] = [last.row.ms.median / first.row.ms.median, last.flops / first.flops];
  return {
    sweep,
    timeExponent: rounded(time.exponent),
    flopsExponent: rounded(flops.exponent),
    rSquared: rounded(time.rSquared),
    timeGrowth: rounded(timeGrowth),
    flopsGrowth: rounded(flopsGrowth),
    excess: rounded(timeGrowth / flopsGrowth),
    cpuExcess: rounded((last.row.cpuMs ?? 0) / (first.row.cpuMs ?? 1) / flopsGrowth),
  };
}
