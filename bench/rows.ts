// A benchmark's results: one row for each subject of a work, the same in tables, in `--json` and in files.

/** Wall time of runs, in milliseconds. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface MeasuredRow {
  readonly work: string;
  readonly subject: string;
  /** What computed: `lavapipe`, `SwiftShader`, a GPU's name, `CPU`. */
  readonly adapter: string;
  readonly ms: Spread;
  /**
   * {@link ratioOf} this row and its work's first subject, which is Bitloom: for a peer, how many times faster Bitloom is. Null where
   * there is nothing to compare with.
   */
  readonly ratio: number | null;
  readonly runs: number;
  /** Least CPU time of a run, all threads of the process: on a software adapter steadier than wall time. */
  readonly cpuMs?: number;
  /**
   * {@link ratioOf} of CPU time, where row and base ran in one process that sleeps while it waits: steadier than wall time on a software
   * adapter whose machine has other work.
   */
  readonly cpuRatio?: number;
  /** First run of the process, compilation included. */
  readonly firstMs?: number;
  readonly parameters?: number;
  readonly loss?: number;
  /** From the least time. */
  readonly gflops?: number;
  readonly gbytesPerSecond?: number;
  /** Of a kernel: its rate as a share of the best of its kind in the session; of what moves data, as a share of the yardstick's. */
  readonly share?: number;
  /** The same by CPU time. */
  readonly cpuShare?: number;
}

export interface MissingRow {
  readonly work: string;
  readonly subject: string;
  readonly adapter: string;
  /** Why there is no time: `not installed: ...`, or what the subject failed with. */
  readonly missing: string;
}

export type Row = MeasuredRow | MissingRow;

export const isMeasured = (row: Row): row is MeasuredRow => "ms" in row;

/** Lowest, middle and highest, to a hundredth of a millisecond or four digits; of an even count the upper middle. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("a spread of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number) => rounded(sorted[i] ?? Number.NaN);
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) };
}

/** The one definition of a ratio: median of the row over median of the base. Above 1 the base is faster. */
export function ratioOf(ms: Spread, base: Spread | undefined): number | null {
  return base === undefined || base.median === 0 ? null : rounded(ms.median / base.median);
}

/** Four digits are more than any timing is worth. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
