// Reads IR text: statements, then names, then the verifier, so that one run reports every kind of problem at its place in the text.
import { hasErrors, type Report } from "../diagnostic.ts";
import type { Module } from "../module.ts";
import type { Source } from "../source.ts";
import { verifyModule } from "../verify.ts";
import { resolveModule } from "./resolve.ts";
import type { ResolveOptions } from "./resolve-entry.ts";
import type { ModuleSpans } from "./spans.ts";
import { parseSyntax } from "./syntax.ts";

export type ParseOptions = ResolveOptions;

export interface ParsedModule {
  readonly module: Module;
  readonly spans: ModuleSpans;
}

/** The module of a text, verified; no value where there is an error. */
export function parseModule(source: Source, options: ParseOptions = {}): Report<Module> {
  const { value, diagnostics } = parseWithSpans(source, options);
  return value === undefined ? { diagnostics } : { value: value.module, diagnostics };
}

/** The module, and where its parts stand in the text. */
export function parseWithSpans(source: Source, options: ParseOptions = {}): Report<ParsedModule> {
  const parsed = parseSyntax(source);
  const { module, spans, gaps, untypedStates, diagnostics } = resolveModule(parsed.syntax, source, options);
  const found = [...parsed.diagnostics, ...diagnostics, ...verifyModule(module, { spans, gaps, untypedStates })];
  const ordered = found.toSorted((a, b) => (a.primary?.span.start ?? 0) - (b.primary?.span.start ?? 0));
  return hasErrors(ordered) ? { diagnostics: ordered } : { value: { module, spans }, diagnostics: ordered };
}
