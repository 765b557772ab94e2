// Where a value stands in a JSON text, so that a problem with it is shown under its line.
import { type Source, type Span, span } from "../../ir/source.ts";

/** `policies[1].bits`, as checks name places, taken apart. */
export const stepsOf = (place: string): readonly string[] =>
  [...place.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|(\w+)/g)].map(([, quoted, index, name]) =>
    quoted === undefined ? (index ?? name ?? "") : String(JSON.parse(`"${quoted}"`)),
  );

/** The span of a field with its name, of a list's item, or of the whole; as near as the text has it. The text must be JSON. */
export function placeIn(source: Source, steps: readonly string[]): Span {
  const reader = new Reader(source.text);
  let found = { start: reader.skip(0), end: source.text.trimEnd().length };
  let value = found.start;
  for (const step of steps) {
    const inner = reader.members(value).findLast(({ name }) => name === step);
    if (inner === undefined) break;
    found = { start: inner.start, end: inner.end };
    value = inner.value;
  }
  return span(source, found.start, found.end);
}

interface Member {
  /** A field's name, or an item's number. */
  readonly name: string;
  readonly start: number;
  /** Where the value begins: behind the name. */
  readonly value: number;
  readonly end: number;
}

/** Offsets in a text that JSON.parse has taken, so that nothing can be wrong with it. */
class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** Behind white space and separators. */
  skip(at: number): number {
    let next = at;
    while (/[\s,:]/.test(this.#text[next] ?? "x")) next++;
    return next;
  }

  /** Fields of an object or items of a list; none of anything else. */
  members(at: number): readonly Member[] {
    const open = this.#text[at];
    if (open !== "{" && open !== "[") return [];
    const found: Member[] = [];
    for (let start = this.skip(at + 1); !"]}".includes(this.#text[start] ?? "]"); ) {
      const nameEnd = open === "{" ? this.#end(start) : start;
      const value = this.skip(nameEnd);
      const end = this.#end(value);
      const name = open === "{" ? String(JSON.parse(this.#text.slice(start, nameEnd))) : String(found.length);
      found.push({ name, start, value, end });
      start = this.skip(end);
    }
    return found;
  }

  #end(at: number): number {
    const first = this.#text[at];
    if (first === '"') return at + (/^"(?:[^"\\]|\\.)*"/.exec(this.#text.slice(at))?.[0].length ?? 1);
    if (first === "{" || first === "[") return this.skip(this.members(at).at(-1)?.end ?? at + 1) + 1;
    return at + (/^[^\s,\]}]+/.exec(this.#text.slice(at))?.[0].length ?? 1);
  }
}
