// A session as data: one object for machines and files.
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import type { AdapterDescription } from "../runtime/index.ts";
import type { Row } from "./rows.ts";
import type { Growth } from "./scaling/measure.ts";

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
  /** How steps grow with their sizes, where that was measured. */
  readonly growth?: readonly Growth[];
}

export const loadNow = (): number => Number((loadavg()[0] ?? 0).toFixed(2));

export function reportOf(
  adapter: AdapterDescription,
  started: { readonly date: Date; readonly load: number },
  rounds: number,
  { rows, growth }: Pick<BenchReport, "rows" | "growth">,
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
    ...(growth === undefined || growth.length === 0 ? {} : { growth }),
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
