// Intervals by resampling: the law is fitted again to rows that are drawn from the rows themselves (the bootstrap, Efron 1979).
import { below, wordStream } from "../runtime/philox.ts";
import { refitLaw } from "./fit-law.ts";
import type { FitOptions } from "./law-problem.ts";
import type { ResultRow, ScalingLaw } from "./scaling-law.ts";

export interface ResampleOptions extends FitOptions {
  readonly resamples: number;
  readonly seed: number;
}

/** Lower and upper end. */
export type Interval = readonly [number, number];

/** Share of the resamples that an interval holds. */
export const confidence = 0.95;

/**
 * The laws of `resamples` tables as large as this one. Rows are drawn with replacement among those of their own precision, so that no
 * precision is ever lost; one with a single row keeps it, and its interval then shows what the other parameters leave open.
 */
export function resampleLaws(rows: readonly ResultRow[], { resamples, seed, ...options }: ResampleOptions): readonly ScalingLaw[] {
  const groups = [...Map.groupBy(rows, ({ p }) => p).values()];
  const next = wordStream(seed, "resamples");
  return Array.from({ length: resamples }, () => {
    const drawn = groups.flatMap((group) =>
      group.map(() => group[below(next, group.length)] ?? group[0]).filter((row) => row !== undefined),
    );
    return refitLaw(rows, drawn, options);
  });
}

/** The middle 95 % of values; undefined without any. */
export function intervalOf(values: readonly number[]): Interval | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return [quantile(sorted, (1 - confidence) / 2), quantile(sorted, (1 + confidence) / 2)];
}

/** Between neighbours in proportion. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const [low = Number.NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  // Of equal ones it is those, also where they are infinite.
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}
