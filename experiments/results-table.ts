// Results files: JSON lines, one training run each, as a sweep writes them and `bitloom fit` and `bitloom plot` read them.
import { type Check, finite, objectOf, optional, text, whole } from "../ir/check.ts";
import { type Diagnostic, error, Rejection, type Report, reject } from "../ir/diagnostic.ts";
import { type Source, type Span, span } from "../ir/source.ts";
import type { ResultRow } from "./scaling-law.ts";

const positive: Check<number> = (value, at) => {
  const number = finite(value, at);
  return number > 0 ? number : reject(`\`${at}\` must be above 0, not ${number}`);
};
const name: Check<string> = (value, at) => {
  const given = text(value, at);
  return given === "" ? reject(`\`${at}\` must not be empty`) : given;
};

const fields = { n: positive, d: positive, p: name, bits: positive, loss: positive, series: optional(name), seed: optional(whole(0)) };
const checkFields: Check<ResultRow> = objectOf<ResultRow>(fields);

/** A row's fields; what else an object has is left alone, for whoever writes a table may keep more in it. Throws a Rejection that names the field. */
export function rowFrom(value: unknown, at = ""): ResultRow {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return reject("a line must be a JSON object");
  const known = Object.entries(value).filter(([field]) => Object.hasOwn(fields, field));
  return checkFields(Object.fromEntries(known), at);
}

/** The text of a row: one line, without its end. `run` is for readers of the table: the law has no use for it. */
export const printRow = ({ series, p, bits, n, d, loss, seed, run }: ResultRow & { readonly run?: string }): string =>
  JSON.stringify({ series, p, bits, n, d, loss, seed, run });

/** The rows of a file. `bad-results` for every line that is none; lines that are blank are skipped. */
export function parseResults(source: Source): Report<readonly ResultRow[]> {
  const diagnostics: Diagnostic[] = [];
  const rows: ResultRow[] = [];
  const first = new Map<string, { readonly row: ResultRow; readonly line: Span }>();
  let start = 0;
  for (const content of source.text.split("\n")) {
    const line = span(source, start, start + content.trimEnd().length);
    start += content.length + 1;
    if (content.trim() === "") continue;
    const row = parseLine(content, line, diagnostics);
    if (row === undefined) continue;
    rows.push(row);
    const before = first.get(row.p);
    if (before === undefined) first.set(row.p, { row, line });
    else if (before.row.bits !== row.bits || before.row.series !== row.series)
      diagnostics.push({
        ...bad(
          `precision \`${row.p}\` has other bits or another series than above`,
          line,
          "one precision has one number of bits and one series",
        ),
        secondary: [{ span: before.line, message: "its first row" }],
      });
  }
  if (rows.length === 0 && diagnostics.length === 0)
    diagnostics.push(error("bad-results", `\`${source.path}\` has no rows`, undefined, "", help));
  return { value: rows, diagnostics: firstOf(diagnostics, source) };
}

/** As many problems as are read: a file of another kind has one on every line. */
const mostProblems = 8;

const firstOf = (problems: readonly Diagnostic[], { path }: Source): readonly Diagnostic[] =>
  problems.length <= mostProblems
    ? problems
    : [
        ...problems.slice(0, mostProblems),
        error("bad-results", `\`${path}\` has ${problems.length - mostProblems} more lines that are no rows of results`),
      ];

function parseLine(content: string, line: Span, diagnostics: Diagnostic[]): ResultRow | undefined {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (problem) {
    diagnostics.push(bad("a line is not JSON", line, problem instanceof Error ? problem.message : String(problem)));
    return undefined;
  }
  try {
    return rowFrom(value);
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    diagnostics.push(bad("a line is no row of results", fieldIn(content, problem.message, line), problem.message));
    return undefined;
  }
}

/** The place of the field that a message names, where the line has it. */
function fieldIn(content: string, message: string, line: Span): Span {
  const field = /^`(\w+)`/.exec(message)?.[1];
  const at = field === undefined ? null : new RegExp(`"${field}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*"|[^,}\\s]*)`).exec(content);
  return at === null ? line : span(line.source, line.start + at.index, line.start + at.index + at[0].length);
}

const help = [
  'a row looks like {"p": "quest_w4a4", "bits": 4, "n": 851968, "d": 614400, "loss": 1.939, "seed": 0}; docs/scaling-law.md says more',
];
const bad = (message: string, at: Span, label: string): Diagnostic => error("bad-results", message, at, label, help);
