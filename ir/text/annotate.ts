// Prints verifier errors inside the text that they are about: whole entries, with marks and messages under the guilty lines.
import { type Diagnostic, printDiagnostic } from "../diagnostic.ts";
import { positionAt } from "../source.ts";

/**
 * The blocks of a module's text (its header, its entries) that have errors, each error under its line with its help and its place in
 * the model, then a count. Errors in other texts, or in none, follow as they are.
 */
export function annotate(diagnostics: readonly Diagnostic[]): string {
  const source = diagnostics.find((d) => d.primary !== undefined)?.primary?.span.source;
  const lines = source?.text.split("\n") ?? [];
  const notes = new Map<number, string[]>();
  const others: string[] = [];
  for (const diagnostic of diagnostics) {
    const { primary, secondary, severity, code, message, help } = diagnostic;
    if (source === undefined || primary?.span.source !== source) {
      others.push(printDiagnostic(diagnostic));
      continue;
    }
    const { line, column } = positionAt(source, primary.span.start);
    const indent = " ".repeat(column - 1);
    const width = Math.max(1, Math.min(primary.span.end - primary.span.start, (lines[line - 1] ?? "").length - column + 1));
    const places = (secondary ?? []).map(({ span, message: what }) => {
      const at = positionAt(span.source, span.start);
      return `${indent}  ${what}: ${span.source.path}:${at.line}:${at.column}`;
    });
    const under = [
      `${indent}${"^".repeat(width)} ${severity}[${code}]: ${message}`,
      ...places,
      ...(help ?? []).map((h) => `${indent}  help: ${h}`),
    ];
    notes.set(line, [...(notes.get(line) ?? []), ...under]);
  }
  const guilty = blocks(lines).filter(({ from, to }) => [...notes.keys()].some((line) => line >= from && line <= to));
  const texts = guilty.map(({ from, to }) =>
    lines
      .slice(from - 1, to)
      .flatMap((line, i) => [line, ...(notes.get(from + i) ?? [])])
      .join("\n"),
  );
  return [...texts, ...others, `${diagnostics.length} problem${diagnostics.length === 1 ? "" : "s"}`].join("\n\n");
}

/** Runs of lines between blank ones, as 1-based line numbers. */
function blocks(lines: readonly string[]): readonly { readonly from: number; readonly to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === "") continue;
    const last = found.at(-1);
    if (last !== undefined && last.to === i) last.to = i + 1;
    else found.push({ from: i + 1, to: i + 1 });
  }
  return found;
}
