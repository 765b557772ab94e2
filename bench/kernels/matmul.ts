// Measures the compiled contraction: y = a b in f32, through the whole compiler and the runtime, with no kernel written by hand.
import { type Schedules, shippedSchedules } from "../../compiler/index.ts";
import type { Target } from "../../ir/plan.ts";
import type { Device } from "../../runtime/index.ts";
import { compileText } from "../compiled.ts";
import { spreadOf } from "../rows.ts";
import { type KernelText, printKernel } from "./kernel-text.ts";
import { inTurn, type Timed, timedEntry } from "./timed-entry.ts";

export interface MatmulShape {
  readonly m: number;
  readonly k: number;
  readonly n: number;
}

/** Which axes are summed over: `nn` a[M, K] b[K, N], `nt` a[M, K] b[N, K], `tn` a[K, M] b[K, N]: forward, and both gradients. */
export const matmulLayouts = ["nn", "nt", "tn"] as const;
export type MatmulLayout = (typeof matmulLayouts)[number];

/** Wall-clock GFLOP/s over the rounds. */
export interface Rates {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface MatmulResult {
  readonly layout: MatmulLayout;
  readonly target: string;
  readonly gflops: Rates;
  /** CPU time of the whole process during this variant's rounds; on a software adapter it is the cost itself. */
  readonly cpuSeconds: number;
  /** GFLOP for each of those seconds: on a software adapter what the kernel is worth, whatever else the machine does meanwhile. */
  readonly gflopPerCpuSecond: number;
}

const rounds = 9;

/**
 * Measure variants in one process, one round of each in turn. The schedules' tables must be for the first target (`foreign-schedules`); the
 * others are there for comparison.
 */
export async function benchMatmul(
  device: Device,
  targets: readonly Target[],
  shape: MatmulShape,
  layouts: readonly MatmulLayout[],
  schedules: Schedules = shippedSchedules,
): Promise<readonly MatmulResult[]> {
  const text = (layout: MatmulLayout) => printKernel(matmulKernel(shape, layout));
  const variants: { readonly layout: MatmulLayout; readonly target: Target; readonly timed: Timed }[] = [];
  try {
    for (const [i, target] of targets.entries()) {
      const own = i === 0 ? schedules : { ...schedules, isForAny: true };
      for (const layout of layouts)
        variants.push({ layout, target, timed: await timedEntry(device, compileText(`matmul ${layout}`, text(layout), target, own)) });
    }
    await inTurn(
      variants.map(({ timed }) => timed),
      rounds,
    );
    return variants.map(({ layout, target, timed }) => resultOf(layout, target, timed, flopsOfMatmul(shape)));
  } finally {
    for (const { timed } of variants) timed.dispose();
  }
}

export const flopsOfMatmul = ({ m, k, n }: MatmulShape): number => 2 * m * k * n;

function resultOf(layout: MatmulLayout, target: Target, { repeats, roundMs, cpuMs }: Timed, flops: number): MatmulResult {
  const gflop = (roundMs.length * repeats * flops) / 1e9;
  const { min, median, max } = spreadOf(roundMs.map((ms) => (repeats * flops) / ms / 1e6));
  const to2 = (value: number) => Number(value.toFixed(2));
  return {
    layout,
    target: target.name,
    gflops: { min: to2(min), median: to2(median), max: to2(max) },
    cpuSeconds: to2(cpuMs / 1000),
    gflopPerCpuSecond: to2(gflop / (cpuMs / 1000)),
  };
}

export function matmulKernel({ m, k, n }: MatmulShape, layout: MatmulLayout): KernelText {
  const contract = `[[${layout === "tn" ? 0 : 1}], [${layout === "nt" ? 1 : 0}]]`;
  return {
    reads: { a: layout === "tn" ? `f32[${k}, ${m}]` : `f32[${m}, ${k}]`, b: layout === "nt" ? `f32[${n}, ${k}]` : `f32[${k}, ${n}]` },
    writes: { y: [`f32[${m}, ${n}]`, "y"] },
    body: [`%y: f32[${m}, ${n}] = dot %a, %b {contract = ${contract}, batch = [[], []]}`],
  };
}
