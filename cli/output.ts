// All that the commands print: text for people, one JSON object for machines, diagnostics in the project's one format.
import { styleText } from "node:util";
import { type Diagnostic, hasErrors, printDiagnostic } from "../ir/diagnostic.ts";
import { positionAt } from "../ir/source.ts";

/** A stream that may be a terminal; `process.stdout` and `process.stderr` fit. */
export type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean };

type Style = "bold" | "red" | "green" | "yellow" | "cyan";

/**
 * Where a command's words go: results to the standard output, everything else (progress, notes, errors) to the standard error, so that a
 * result can be piped. With `--json` the result is one object and people's text is left out.
 */
export class Output {
  readonly isJson: boolean;
  /** Warnings for the result of `--json`. */
  readonly #held: Diagnostic[] = [];
  readonly #out: Stream;
  readonly #err: Stream;

  constructor(isJson: boolean, out: Stream = process.stdout, err: Stream = process.stderr) {
    this.isJson = isJson;
    this.#out = out;
    this.#err = err;
  }

  /** A line of the result, for people. */
  say(line: string): void {
    if (!this.isJson) this.#out.write(`${line}\n`);
  }

  /** A line about the work, for people. */
  note(line: string): void {
    if (!this.isJson) this.#err.write(`${line}\n`);
  }

  /** The result, for machines: one object, with the warnings that came before it, and with `problems`, which are then told. */
  result(value: object, problems: readonly Diagnostic[] = []): void {
    if (!this.isJson) return;
    const told = [...this.#held.splice(0), ...problems];
    this.#out.write(`${JSON.stringify(told.length === 0 ? value : { ...value, diagnostics: told.map(asJson) })}\n`);
  }

  /** Text that is itself the result (IR, an artifact's file), whatever the mode. */
  raw(text: string): void {
    this.#out.write(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** A piece of a result that comes bit by bit, for people. */
  piece(text: string): void {
    if (!this.isJson) this.#out.write(text);
  }

  /** Problems: frames on the standard error; with `--json` part of the result, or `{"diagnostics": [...]}` where errors leave none. */
  diagnostics(problems: readonly Diagnostic[]): void {
    if (!this.isJson) {
      for (const problem of problems) this.#err.write(`${this.#colored(problem)}\n\n`);
      return;
    }
    this.#held.push(...problems);
    if (hasErrors(problems)) this.result({});
  }

  /** The stream for progress bars, where there is someone to watch them. */
  get terminal(): NodeJS.WritableStream | undefined {
    return !this.isJson && this.#err.isTTY === true ? this.#err : undefined;
  }

  /** Text in bold on a terminal that takes it (`NO_COLOR` is honoured). */
  strong(text: string): string {
    return this.paint("bold", text);
  }

  /** Text of the result in a style, on a terminal that takes it. */
  paint(style: Style, text: string): string {
    return this.#style(this.#out, style, text);
  }

  #colored(problem: Diagnostic): string {
    const tone = problem.severity === "error" ? "red" : "yellow";
    return printDiagnostic(problem)
      .split("\n")
      .map((line, i) => {
        if (i === 0) return line.replace(/^[a-z]+\[[^\]]*\]/, (head) => this.#style(this.#err, tone, head));
        if (line.startsWith("help:")) return this.#style(this.#err, "cyan", "help:") + line.slice("help:".length);
        return /^ *\| +\^/.test(line) ? line.replace(/\^.*/, (mark) => this.#style(this.#err, tone, mark)) : line;
      })
      .join("\n");
  }

  /** `styleText` looks at the stream, NO_COLOR and FORCE_COLOR. */
  #style(stream: Stream, style: Style, text: string): string {
    return styleText(style, text, { stream });
  }
}

/** A diagnostic as JSON: places as path, line, column and end, all 1-based, the end exclusive. */
function asJson({ severity, code, message, primary, secondary, help }: Diagnostic) {
  const labels = [...(primary === undefined ? [] : [primary]), ...(secondary ?? [])].map(({ span, message: text }) => {
    const { line, column } = positionAt(span.source, span.start);
    const end = positionAt(span.source, span.end);
    return { path: span.source.path, line, column, endLine: end.line, endColumn: end.column, message: text };
  });
  return { severity, code, message, labels, help: help ?? [] };
}
