// What a session prints: a table for each work, with the columns that it has numbers for.
import type { Output } from "../cli/output.ts";
import { aligned } from "../cli/table.ts";
import type { AdapterDescription } from "../runtime/index.ts";
import { isMeasured, type MeasuredRow, type Row } from "./rows.ts";
import type { Growth } from "./scaling/measure.ts";

/** Names the adapter, and says what kind of time follows: a software adapter's is never a GPU's. */
export const adapterLine = ({ name, driver, isSoftware }: AdapterDescription): string =>
  `${name}, ${driver}${isSoftware ? " (software: these are the CPU's times, no GPU computes)" : ""}`;

/** The rows of one work; whatever has no time stands below with the reason. */
export function sayWork(work: { readonly name: string; readonly summary: string }, rows: readonly Row[], output: Output): void {
  output.say("");
  output.say(`${output.strong(work.name)}  ${work.summary}`);
  const measured = rows.filter(isMeasured);
  const shown = columns.filter(({ cell }) => measured.some((row) => cell(row) !== ""));
  const cells = measured.map((row) => shown.map(({ cell }) => cell(row)));
  if (measured.length > 0) for (const line of aligned([shown.map(({ head }) => head), ...cells])) output.say(line);
  for (const row of rows) if (!isMeasured(row)) output.say(`  ${row.subject}: ${row.missing.split("\n")[0]}`);
}

/** How steps grow: exponents of the size, and time's growth over that of the operations. */
export function sayGrowth(growth: readonly Growth[], output: Output): void {
  const head = ["sweep", "time ~ size^", "FLOPs ~ size^", "time grew", "FLOPs grew", "time / FLOPs", "CPU time / FLOPs"];
  const cells = growth.map(({ sweep, timeExponent, flopsExponent, timeGrowth, flopsGrowth, excess, cpuExcess }) => [
    sweep,
    timeExponent.toFixed(2),
    flopsExponent.toFixed(2),
    `${digits(timeGrowth)}x`,
    `${digits(flopsGrowth)}x`,
    excess.toFixed(2),
    cpuExcess.toFixed(2),
  ]);
  for (const line of aligned([head, ...cells])) output.say(line);
}

const columns: readonly { readonly head: string; cell(row: MeasuredRow): string }[] = [
  { head: "subject", cell: ({ subject }) => subject },
  { head: "adapter", cell: ({ adapter }) => adapter },
  { head: "median ms", cell: ({ ms }) => digits(ms.median) },
  { head: "min", cell: ({ ms }) => digits(ms.min) },
  { head: "max", cell: ({ ms }) => digits(ms.max) },
  { head: "ratio", cell: ({ ratio }) => (ratio === null ? "" : ratio.toFixed(ratio < 0.2 ? 3 : 2)) },
  { head: "CPU ms", cell: ({ cpuMs }) => digits(cpuMs) },
  { head: "CPU ratio", cell: ({ cpuRatio }) => (cpuRatio === undefined ? "" : cpuRatio.toFixed(cpuRatio < 0.2 ? 3 : 2)) },
  { head: "GFLOP/s", cell: ({ gflops }) => digits(gflops) },
  { head: "GB/s", cell: ({ gbytesPerSecond }) => digits(gbytesPerSecond) },
  { head: "share", cell: ({ share }) => percent(share) },
  { head: "CPU share", cell: ({ cpuShare }) => percent(cpuShare) },
];

/** Three digits of a number, as text. */
const digits = (value: number | undefined): string => (value === undefined ? "" : value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const percent = (share: number | undefined): string => (share === undefined ? "" : `${Math.round(100 * share)} %`);
