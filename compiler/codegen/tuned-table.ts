// Tables of measured schedules: data that `bitloom tune` writes, and that ships with the package for the drivers that were measured.
import { type Check, listOf, objectOf, oneOf, text, whole } from "../../ir/check.ts";
import { type Diagnostic, error, Rejection, type Report, reject } from "../../ir/diagnostic.ts";
import type { Family, Schedule, SubgroupPath, Target } from "../../ir/plan.ts";
import { parseSchedule } from "../../ir/text/parse-plan.ts";
import { families, printSchedule } from "../../ir/text/plan-records.ts";
import { printKey, type ScheduleKey } from "./schedule-key.ts";

/** What a table was measured on. It applies to adapters of equal class whose subgroups are used in the same way; name and driver only tell. */
export interface TunedAdapter {
  readonly class: string;
  readonly subgroups: SubgroupPath;
  readonly subgroupSize: number;
  readonly name: string;
  readonly driver: string;
}

export interface TunedEntry extends ScheduleKey {
  readonly schedule: Schedule;
}

export interface TunedTable {
  readonly adapter: TunedAdapter;
  /** One for each key. */
  readonly entries: readonly TunedEntry[];
}

const format = "bitloom-schedules";
const version = 1;
const largestNumber = 65_536;

/** The file: schedules as plans write them, in braces or without (`frame = broadcast, rows = 4`). */
interface TableFile {
  readonly format: typeof format;
  readonly version: typeof version;
  readonly adapter: TunedAdapter;
  readonly entries: readonly { readonly family: Family; readonly shape: string; readonly formats: string; readonly schedule: string }[];
}

const checkFile: Check<TableFile> = objectOf<TableFile>({
  format: oneOf(format),
  version: oneOf(version),
  adapter: objectOf<TunedAdapter>({
    class: text,
    subgroups: oneOf("forced", "fixed", "any", "none"),
    subgroupSize: whole(1),
    name: text,
    driver: text,
  }),
  entries: listOf(objectOf({ family: oneOf(...families), shape: text, formats: text, schedule: text })),
});

export const isFor = ({ adapter }: TunedTable, { adapterClass, subgroups, subgroupSize }: Target): boolean =>
  adapter.class === adapterClass && adapter.subgroups === subgroups && adapter.subgroupSize === subgroupSize;

/** The table in a text. `bad-schedules` where it is none, and says at which place. Whether a schedule fits a problem is asked where it is used. */
export function parseTable(content: string, path: string): Report<TunedTable> {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (problem) {
    return { diagnostics: [bad(path, `it is not JSON (${problem instanceof Error ? problem.message : problem})`)] };
  }
  try {
    return { value: tableFrom(json), diagnostics: [] };
  } catch (problem) {
    if (problem instanceof Rejection) return { diagnostics: [bad(path, problem.message)] };
    throw problem;
  }
}

const bad = (path: string, message: string): Diagnostic =>
  error("bad-schedules", `\`${path}\` is no table of schedules: ${message}`, undefined, "", [
    "`bitloom tune` writes tables; without `--schedules` the shipped ones apply",
  ]);

/** Throws a Rejection that names the place of what is wrong. */
export function tableFrom(json: unknown): TunedTable {
  const { adapter, entries } = checkFile(json, "");
  const seen = new Set<string>();
  const read = entries.map(({ schedule: written, ...key }, i): TunedEntry => {
    const { value, diagnostics } = parseSchedule(key.family, written);
    if (value === undefined) return reject(`\`entries[${i}].schedule\`: ${diagnostics[0]?.message ?? "no schedule"}`);
    // No knob of any family needs more, and kernels count in 32 bits.
    const large = written.match(/\d+/g)?.find((digits) => Number(digits) > largestNumber);
    if (large !== undefined) return reject(`\`entries[${i}].schedule\`: ${large} is more than ${largestNumber}`);
    const name = printKey(key);
    if (seen.has(name)) return reject(`\`entries[${i}]\` has the key of an entry before it: ${name}`);
    seen.add(name);
    return { ...key, schedule: value };
  });
  return { adapter, entries: read };
}

/** The text of a table: entries in order of their keys, so that tables can be compared line by line. */
export function printTable({ adapter, entries }: TunedTable): string {
  const lines = entries
    .toSorted((a, b) => (printKey(a) < printKey(b) ? -1 : 1))
    .map(({ family, shape, formats, schedule }) =>
      JSON.stringify({ family, shape, formats, schedule: printSchedule(schedule).join(", ") }),
    );
  const head = JSON.stringify({ format, version, adapter }, null, 2).replace(/\n\}$/, "");
  return `${head},\n  "entries": [${lines.map((line) => `\n    ${line}`).join(",")}${lines.length === 0 ? "" : "\n  "}]\n}\n`;
}
