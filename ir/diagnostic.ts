// Problems as values: one shape and one printed format for everything that can be wrong with the user's input.
import type { DiagnosticCode } from "./errors/table.ts";
import { lineText, positionAt, type Source, type Span } from "./source.ts";

export type { DiagnosticCode } from "./errors/table.ts";

export type Severity = "error" | "warning";

/** A place and what to say under it. The primary label is marked `^`, the others `-`. */
export interface Label {
  readonly span: Span;
  readonly message: string;
}

/**
 * A problem with the user's input. `code` is a stable kebab-case name (`shape-mismatch`), explained in `ir/errors/`.
 * Without a primary label the message stands alone (for example a file that does not exist).
 */
export interface Diagnostic {
  readonly severity: Severity;
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly primary?: Label;
  readonly secondary?: readonly Label[];
  readonly help?: readonly string[];
}

/** What a stage answers: its result where it has one, and every problem that it found. */
export interface Report<T> {
  readonly value?: T;
  readonly diagnostics: readonly Diagnostic[];
}

/** Thrown by a rule that has only a message (an op's `infer`, an attribute's parser); whoever knows the place turns it into a diagnostic. */
export class Rejection extends Error {
  readonly help: readonly string[];
  constructor(message: string, help: readonly string[] = []) {
    super(message);
    this.name = "Rejection";
    this.help = help;
  }
}

/** Refuse the user's input with a message; see {@link Rejection}. */
export function reject(message: string, help: readonly string[] = []): never {
  throw new Rejection(message, help);
}

/** Thrown where a user's mistake must stop a whole command; carries diagnostics instead of a stack trace. */
export class DiagnosticError extends Error {
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((d) => printDiagnostic(d)).join("\n"));
    this.name = "DiagnosticError";
    this.diagnostics = diagnostics;
  }
}

export function error(code: DiagnosticCode, message: string, at?: Span, label = "", help: readonly string[] = []): Diagnostic {
  return {
    severity: "error",
    code,
    message,
    ...(at === undefined ? {} : { primary: { span: at, message: label } }),
    ...(help.length === 0 ? {} : { help }),
  };
}

/** A problem that does not stop anything, without a place. */
export function warning(code: DiagnosticCode, message: string, help: readonly string[] = []): Diagnostic {
  return { ...error(code, message, undefined, "", help), severity: "warning" };
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((d) => d.severity === "error");
}

/** The value of a report without errors, or a {@link DiagnosticError}. */
export function unwrap<T>(report: Report<T>): T {
  if (report.value === undefined || hasErrors(report.diagnostics)) throw new DiagnosticError(report.diagnostics);
  return report.value;
}

/**
 * Print a diagnostic in the project's one format: heading, `-->` with a clickable place, the lines in question with
 * their marks in order of line, help.
 */
export function printDiagnostic(diagnostic: Diagnostic): string {
  const lines = [`${diagnostic.severity}[${diagnostic.code}]: ${diagnostic.message}`];
  const { primary } = diagnostic;
  if (primary !== undefined) {
    const labels = [{ ...primary, mark: "^" }, ...(diagnostic.secondary ?? []).map((label) => ({ ...label, mark: "-" }))];
    const placed = labels.map((label) => ({ ...label, at: positionAt(label.span.source, label.span.start) }));
    const width = Math.max(...placed.map(({ at }) => String(at.line).length)) + 1;
    const gutter = " ".repeat(width);
    const home = primary.span.source;
    const frame = (source: Source) => {
      const here = placed
        .filter((label) => label.span.source === source)
        .sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
      const shown = here.find((label) => label.mark === "^") ?? here[0];
      if (shown === undefined) return;
      lines.push(`${" ".repeat(width - 1)}--> ${source.path}:${shown.at.line}:${shown.at.column}`);
      let last = 0;
      for (const { at, span, mark, message } of here) {
        const text = lineText(source, at.line);
        const length = Math.max(1, Math.min(span.end - span.start, text.length - at.column + 1));
        if (at.line !== last) lines.push(`${gutter}|`, `${String(at.line).padStart(width - 1)} | ${text}`);
        lines.push(`${gutter}| ${" ".repeat(at.column - 1)}${mark.repeat(length)} ${message}`.trimEnd());
        last = at.line;
      }
      lines.push(`${gutter}|`);
    };
    frame(home);
    for (const source of new Set(placed.map(({ span }) => span.source))) if (source !== home) frame(source);
  }
  for (const help of diagnostic.help ?? []) lines.push(`help: ${help}`);
  return lines.join("\n");
}

/** As many lines as are read; the rest is a number. */
const mostLines = 8;

/** The first of many lines of help, and how many more there are. */
export const firstLines = (lines: readonly string[]): readonly string[] =>
  lines.length <= mostLines ? lines : [...lines.slice(0, mostLines), `and ${lines.length - mostLines} more like these`];
