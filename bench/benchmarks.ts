// Everything that `npm run bench` can measure, under one name each.

import { type CompareOptions, compareWork } from "./compare.ts";
import { measureKernels } from "./kernels/measure.ts";
import type { Row } from "./rows.ts";
import { type Growth, measureScaling } from "./scaling/measure.ts";
import { sweeps } from "./scaling/sweeps.ts";
import { works } from "./works.ts";

export interface Benchmark {
  readonly name: string;
  readonly summary: string;
  run(options: CompareOptions): Promise<BenchmarkResult>;
}

export interface BenchmarkResult {
  readonly rows: readonly Row[];
  readonly growth?: readonly Growth[];
}

/** In the order of a whole session. */
export const benchmarks: readonly Benchmark[] = [
  ...works.map(
    (work): Benchmark => ({ name: work.name, summary: work.summary, run: async (options) => ({ rows: await compareWork(work, options) }) }),
  ),
  {
    name: "kernels",
    summary:
      "each kernel family alone, nothing uploaded or read back: rates, ratio to the fastest f32 of the group, share of the best of the kind or of the yardstick",
    run: async (options) => ({ rows: await measureKernels(options) }),
  },
  {
    name: "scaling",
    summary: `a training step of the GPT as it grows, with exponents by least squares: ${sweeps.map(({ name }) => name).join(", ")}`,
    run: (options) => measureScaling(options),
  },
];
