// The option `--schedules`: which table of measured schedules a compilation goes by.
import { existsSync, readFileSync, statSync } from "node:fs";
import { Option } from "commander";
import { parseTable, type Schedules, schedulesFrom, type TunedTable } from "../compiler/index.ts";
import { DiagnosticError, error, unwrap } from "../ir/diagnostic.ts";

export interface ScheduleFlags {
  readonly schedules?: string;
}

/** Names the rules alone, where a table's path could stand. */
const rulesAlone = "rules";

export const schedulesOption = () =>
  new Option(
    "--schedules <file>",
    "lay out kernels by this table, which `bitloom tune` wrote, instead of the shipped ones; `rules` for no table at all",
  );

/** The compiler's option. Nothing where nothing is said: then the shipped tables apply. Throws a DiagnosticError `bad-schedules` or `unknown-file`. */
export function schedulesGiven({ schedules: path }: ScheduleFlags): { readonly schedules?: Schedules } {
  if (path === undefined) return {};
  return { schedules: schedulesFrom(path === rulesAlone ? [] : [readTable(path)]) };
}

/** The table in a file. Throws a DiagnosticError `bad-schedules` or `unknown-file`. */
export function readTable(path: string): TunedTable {
  if (!existsSync(path) || !statSync(path).isFile()) throw new DiagnosticError([error("unknown-file", `there is no file \`${path}\``)]);
  return unwrap(parseTable(readFileSync(path, "utf8"), path));
}
