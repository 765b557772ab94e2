// A sweep's folder: a run folder for each run, what each run came to, and the table of all.
import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Check, recordOf, text } from "../../ir/check.ts";
import { type Diagnostic, error, warning } from "../../ir/diagnostic.ts";
import { makeFolder, writeFileDurably } from "../../runtime/durable.ts";
import { removeRun } from "../../runtime/index.ts";
import { printRow, rowFrom } from "../results-table.ts";
import type { ResultRow } from "../scaling-law.ts";
import type { SweepRun } from "./plan-sweep.ts";

/** Of a run: what it is asked to be, written before it begins, and its row, written when it is done. */
const askedFile = "sweep-run.json";
const resultFile = "result.json";
const tableFile = "results.jsonl";

export class SweepFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The table: `bitloom fit` and `bitloom plot` read it. */
  get table(): string {
    return join(this.path, tableFile);
  }

  folderOf = ({ name }: Pick<SweepRun, "name">): string => join(this.path, name);

  /** Whether a run began that is not done. */
  isBegun = (run: SweepRun): boolean => existsSync(join(this.folderOf(run), askedFile)) && this.resultOf(run) === undefined;

  /** The row of a run that is done. */
  resultOf(run: SweepRun): ResultRow | undefined {
    const found = readJson(join(this.folderOf(run), resultFile));
    try {
      return found === undefined ? undefined : rowFrom(found);
    } catch {
      return undefined;
    }
  }

  /**
   * `changed-sweep` for every run whose folder holds one of this name that was asked for otherwise: rows of one table must be what the sweep says.
   * What only places the row in the table (`p`, `bits`, `series`, `n`) may change. Another text of the model is a warning.
   */
  changed(runs: readonly SweepRun[]): readonly Diagnostic[] {
    const otherTexts: string[] = [];
    const found = runs.flatMap((run) => {
      const before = askedBefore(join(this.folderOf(run), askedFile));
      if (before === undefined) return [];
      const now = askedOf(run);
      // A path is as it was written, from wherever: what it leads to counts.
      const isSameText = before["sources"] === now["sources"];
      const names = Object.keys(now).filter((name) => before[name] !== now[name] && !(name === "file" && isSameText));
      const settings = names.filter((name) => name !== "sources");
      if (settings.length < names.length) otherTexts.push(run.name);
      if (settings.length === 0) return [];
      const was = settings.map((name) => `\`${name}\` was ${before[name] ?? "absent"}, it is ${now[name]}`);
      const help = [...was, "`--out` names another folder, `--overwrite` begins all runs again"];
      return [error("changed-sweep", `the run \`${run.name}\` was begun otherwise`, undefined, "", help)];
    });
    const [first, ...more] = otherTexts;
    if (first === undefined) return found;
    const which = more.length === 0 ? `the run \`${first}\`` : `the run \`${first}\` and ${more.length} others`;
    return [
      ...found,
      warning("changed-source", `the model's text has changed since ${which} began`, ["`--overwrite` begins all runs again"]),
    ];
  }

  make = (): Promise<void> => makeFolder(this.path);

  /** Make a run's folder ready, whatever stands there of it. */
  async begin(run: SweepRun): Promise<void> {
    await makeFolder(this.folderOf(run));
    await writeFileDurably(join(this.folderOf(run), askedFile), `${JSON.stringify(askedOf(run), null, 1)}\n`);
  }

  async remove(run: SweepRun): Promise<void> {
    for (const name of [resultFile, askedFile]) await rm(join(this.folderOf(run), name), { force: true });
    await removeRun(this.folderOf(run));
  }

  /** Keep a run's loss: from then on it is done. */
  finish(run: SweepRun, loss: number): Promise<void> {
    return writeFileDurably(join(this.folderOf(run), resultFile), `${JSON.stringify({ ...run.row, loss })}\n`);
  }

  /** Write the rows of all runs that are done, in the order of the runs. Whoever reads meanwhile sees the table before or after. */
  async writeTable(runs: readonly SweepRun[]): Promise<void> {
    const lines = runs.flatMap((run) => {
      const result = this.resultOf(run);
      return result === undefined ? [] : [`${printRow({ ...run.row, loss: result.loss, run: run.name })}\n`];
    });
    await makeFolder(this.path);
    await writeFileDurably(this.table, lines.join(""));
  }
}

type Asked = Readonly<Record<string, string>>;
const checkAsked: Check<Asked> = recordOf(text);

/** What decides a run's loss, as texts that compare. */
const askedOf = ({ file, recipe, policy, set, seed, steps, heldOut, sources }: SweepRun): Asked => ({
  file,
  recipe,
  policy,
  set: set.join(" "),
  seed: String(seed),
  steps: String(steps),
  heldOut: String(heldOut ?? "as the recipe says"),
  sources,
});

function askedBefore(path: string): Asked | undefined {
  try {
    return checkAsked(readJson(path), "");
  } catch {
    return undefined;
  }
}

/** Undefined where there is no such file, or no JSON in it: then the run is not done. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
