// What a benchmark says: tables for people, one object for machines and files.
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import type { Output } from "../cli/output.ts";
import { aligned } from "../cli/table.ts";
import type { AdapterDescription } from "../runtime/index.ts";
import { isMeasured, type MeasuredRow, type Row } from "./rows.ts";

/** One session: everything that was measured together, and on what. */
export interface BenchReport {
  readonly format: "bitloom-bench";
  readonly version: 1;
  /** ISO 8601. */
  readonly date: string;
  readonly adapter: string;
  readonly driver: string;
  /** True where no GPU computes but the CPU: times are the CPU's then. */
  readonly isSoftware: boolean;
  readonly node: string;
  readonly cpus: number;
  /** The system's load average over a minute, before and after. */
  readonly load: readonly [number, number];
  readonly rounds: number;
  readonly rows: readonly Row[];
}

export const loadNow = (): number => Number((loadavg()[0] ?? 0).toFixed(2));

export function reportOf(
  adapter: AdapterDescription,
  started: { readonly date: Date; readonly load: number },
  rounds: number,
  rows: readonly Row[],
): BenchReport {
  return {
    format: "bitloom-bench",
    version: 1,
    date: started.date.toISOString(),
    adapter: adapter.name,
    driver: adapter.driver,
    isSoftware: adapter.isSoftware,
    node: process.versions.node,
    cpus: availableParallelism(),
    load: [started.load, loadNow()],
    rounds,
    rows,
  };
}

/** Writes `<folder>/<adapter>-<date>.json` and answers its path. */
export async function writeReport(report: BenchReport, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const adapter = report.adapter.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const date = report.date.slice(0, 19).replaceAll(":", "-");
  const path = join(folder, `${adapter}-${date}.json`);
  await writeFile(path, `${JSON.stringify(report, undefined, 2)}\n`);
  return path;
}

/** `lavapipe, Mesa 25.0.7 (software: times of the CPU)` */
export const adapterLine = ({ name, driver, isSoftware }: AdapterDescription): string =>
  `${name}, ${driver}${isSoftware ? " (software: these are the CPU's times, no GPU computes)" : ""}`;

/** The rows of one work. */
export function sayWork(work: { readonly name: string; readonly summary: string }, rows: readonly Row[], output: Output): void {
  output.say("");
  output.say(`${output.strong(work.name)}  ${work.summary}`);
  const measured = rows.filter(isMeasured);
  const rates = measured.some(({ gflops }) => gflops !== undefined);
  const bytes = measured.some(({ gbytesPerSecond }) => gbytesPerSecond !== undefined);
  const head = [
    "subject",
    "adapter",
    "median ms",
    "min",
    "max",
    "ratio",
    "CPU ms",
    ...(rates ? ["GFLOP/s"] : []),
    ...(bytes ? ["GB/s"] : []),
  ];
  const hasShare = measured.some(({ share }) => share !== undefined);
  const cells = measured.map((row) => [
    ...timeCells(row),
    ...(rates ? [number(row.gflops)] : []),
    ...(bytes ? [number(row.gbytesPerSecond)] : []),
    ...(hasShare ? [row.share === undefined ? "" : `${Math.round(100 * row.share)} %`] : []),
  ]);
  if (measured.length > 0) for (const line of aligned([[...head, ...(hasShare ? ["of best"] : [])], ...cells])) output.say(line);
  for (const row of rows) if (!isMeasured(row)) output.say(`  ${row.subject}: ${firstLine(row.missing)}`);
}

const timeCells = ({ subject, adapter, ms, ratio, cpuMs }: MeasuredRow): readonly string[] => [
  subject,
  adapter,
  number(ms.median),
  number(ms.min),
  number(ms.max),
  ratio === null ? "" : ratio.toFixed(2),
  number(cpuMs),
];

/** Three digits, as text. */
const number = (value: number | undefined): string => (value === undefined ? "" : value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const firstLine = (text: string): string => text.split("\n")[0] ?? "";
