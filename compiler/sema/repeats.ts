// A mistake in a module's text shows in each of its instances: it is said once.
import type { Diagnostic } from "../../ir/diagnostic.ts";

/** What makes two diagnostics the same for a reader. */
export function diagnosticKey({ code, message, primary }: Diagnostic): string {
  const place = primary === undefined ? "" : `${primary.span.source.path}:${primary.span.start}-${primary.span.end}`;
  return `${code} ${place} ${message}`;
}

export function withoutRepeats(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [...new Map(diagnostics.toReversed().map((d) => [diagnosticKey(d), d])).values()].toReversed();
}
