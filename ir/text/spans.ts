// Where the parts of a module stand in its text: filled by the parser and by the printer, used by the verifier.
import type { Entry } from "../module.ts";
import { type Source, type Span, span } from "../source.ts";

/**
 * Spans of objects, known by identity, and of their parts: of an instruction `op`, `operand 0`, `result 0`, `type 0`, `attr axis`;
 * of other things `type`, `name`, `value`.
 */
export class SpanTable {
  readonly source: Source;
  readonly #spans = new Map<object, Map<string, Span>>();

  constructor(source: Source) {
    this.source = source;
  }

  set(subject: object, part: string, start: number, end: number): void {
    const parts = this.#spans.get(subject) ?? new Map<string, Span>();
    this.#spans.set(subject, parts.set(part, span(this.source, start, end)));
  }

  /** The span of a part, or of the whole where the part has none of its own. */
  of(subject: object, part = ""): Span | undefined {
    const parts = this.#spans.get(subject);
    return parts?.get(part) ?? parts?.get("");
  }
}

/** Entries have a table each, since two entries may share instructions. */
export interface ModuleSpans {
  readonly module: SpanTable;
  readonly entries: ReadonlyMap<Entry, SpanTable>;
}
