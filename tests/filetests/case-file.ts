// A file test as text: header, input, expected problems, expected output; and the same file with other expectations (bless).
import { type Diagnostic, hasErrors } from "../../ir/diagnostic.ts";
import { positionAt, type Source } from "../../ir/source.ts";
import type { Outcome } from "./subtests/subtest.ts";

export interface CaseFile {
  readonly subtest: string;
  readonly argument: string;
  /** The input without expectations; its first line is the header. */
  readonly input: Source;
  /** Problems by 1-based line of the input: `error[code]: message` and `help: ...`. */
  readonly problems: ReadonlyMap<number, readonly string[]>;
  /** The part behind `// ----`. */
  readonly output: string | undefined;
}

const divider = "// ----";
const header = /^\/\/ test ([a-z-]+) ?(.*)$/;
/** A whole line that belongs to the line above it, or the end of a line. */
const problemLine = /^\s*\/\/ ((?:error|warning)\[.*|help: .*)$/;
const problemTail = /^(.*?)\s*\/\/ ((?:error|warning)\[.*)$/;

/** Read a case; `path` is what its diagnostics show. Throws where the first line is no header. */
export function readCase(path: string, text: string): CaseFile {
  const at = text.indexOf(`\n${divider}\n`);
  const [above, output] = at < 0 ? [text, undefined] : [text.slice(0, at + 1), text.slice(at + divider.length + 2)];
  const head = header.exec(above.split("\n", 1)[0] ?? "");
  if (head === null) throw new Error(`${path}: the first line of a file test is \`// test NAME\``);
  const lines: string[] = [];
  const problems = new Map<number, readonly string[]>();
  const expect = (problem: string) => problems.set(lines.length, [...(problems.get(lines.length) ?? []), problem]);
  for (const line of above.split("\n")) {
    const whole = problemLine.exec(line)?.[1];
    const tail = problemTail.exec(line);
    if (whole !== undefined) expect(whole);
    else if (tail === null) lines.push(line);
    else {
      lines.push(tail[1] ?? "");
      expect(tail[2] ?? "");
    }
  }
  return { subtest: head[1] ?? "", argument: (head[2] ?? "").trim(), input: { path, text: lines.join("\n") }, problems, output };
}

/** Problems by line of the input; those that point nowhere stand at the header. */
export function problemsOf(input: Source, diagnostics: readonly Diagnostic[]): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, readonly string[]>();
  for (const { severity, code, message, primary, help } of diagnostics) {
    const line = primary === undefined || primary.span.source !== input ? 1 : positionAt(input, primary.span.start).line;
    const texts = [`${severity}[${code}]: ${message}`, ...(help ?? []).map((h) => `help: ${h}`)];
    found.set(line, [...(found.get(line) ?? []), ...texts.map((t) => t.replaceAll("\n", "\\n"))]);
  }
  return found;
}

/** The text that a round trip must give: the input without comments and the blank lines that they leave at its top. */
export function withoutComments(input: Source): string {
  const lines = input.text.split("\n").filter((line) => !/^\s*\/\//.test(line));
  return lines.join("\n").replace(/^\n+/, "");
}

/** The file's text with what the case really gave. `inputIsOutput`: no output part is needed. */
export function blessed({ input }: CaseFile, outcome: Outcome, inputIsOutput: boolean): string {
  const problems = problemsOf(input, outcome.diagnostics);
  const lines = input.text.split("\n").flatMap((line, i) => {
    const [first, ...more] = problems.get(i + 1) ?? [];
    if (first === undefined) return [line];
    const indent = /^\s*/.exec(line)?.[0] ?? "";
    return [`${line}${line.trim() === "" ? "" : "  "}// ${first}`, ...more.map((m) => `${indent}// ${m}`)];
  });
  const above = lines.join("\n");
  const { output } = outcome;
  if (output === undefined || inputIsOutput || hasErrors(outcome.diagnostics)) return above;
  return `${above.trimEnd()}\n${divider}\n${output}`;
}
