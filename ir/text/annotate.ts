// Prints verifier errors inside the text that they are about: whole entries, with marks and messages under the guilty lines.
import type { Diagnostic } from "../diagnostic.ts";
import { positionAt, type Source } from "../source.ts";

/**
 * The blocks of a printed module (header or entries) that have errors, each error under its line, and a count.
 * Help and places in the model's source are left to `printDiagnostic`.
 */
export function annotate(source: Source, diagnostics: readonly Diagnostic[]): string {
  const lines = source.text.split("\n");
  const notes = new Map<number, string[]>();
  for (const { primary, code, message } of diagnostics) {
    if (primary?.span.source !== source) continue;
    const { line, column } = positionAt(source, primary.span.start);
    const width = Math.max(1, Math.min(primary.span.end - primary.span.start, (lines[line - 1] ?? "").length - column + 1));
    const under = `${" ".repeat(column - 1)}${"^".repeat(width)} error[${code}]: ${message}`;
    notes.set(line, [...(notes.get(line) ?? []), under]);
  }
  const out: string[] = [];
  for (const { from, to } of blocks(lines)) {
    if (![...notes.keys()].some((line) => line >= from && line <= to)) continue;
    for (let line = from; line <= to; line++) out.push(lines[line - 1] ?? "", ...(notes.get(line) ?? []));
    out.push("");
  }
  for (const { primary, code, message } of diagnostics) if (primary?.span.source !== source) out.push(`error[${code}]: ${message}`);
  return [...out, `${diagnostics.length} error${diagnostics.length === 1 ? "" : "s"}`].join("\n");
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
