// Source texts, and positions in them: what every diagnostic and every IR location points at.

/** A text that the user wrote (a `.loom` or `.loomir` file). `path` is what diagnostics print. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** A half-open range of UTF-16 offsets in one source. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** 1-based line and column, as editors count them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where a value came from, printed on request: a place in a source and the instance of the model that computes it. */
export interface Location {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Path of the instance whose function holds the place: `layers.3.attn`. Absent for the model itself and for a recipe's loss. */
  readonly instance?: string;
}

export function span(source: Source, start: number, end: number): Span {
  return { source, start, end };
}

/** The smallest span that holds both. Both must be of one source. */
export function joinSpans(a: Span, b: Span): Span {
  return { source: a.source, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}

export function positionAt(source: Source, offset: number): Position {
  const starts = lineStartsOf(source);
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

/** Every instruction asks for its place, so the lines of a source are found once. */
const lineStarts = new WeakMap<Source, readonly number[]>();

function lineStartsOf(source: Source): readonly number[] {
  const known = lineStarts.get(source);
  if (known !== undefined) return known;
  const starts = [0];
  for (let at = source.text.indexOf("\n"); at >= 0; at = source.text.indexOf("\n", at + 1)) starts.push(at + 1);
  lineStarts.set(source, starts);
  return starts;
}

export function locationOf(at: Span, instance = ""): Location {
  const { line, column } = positionAt(at.source, at.start);
  return { path: at.source.path, line, column, ...(instance === "" ? {} : { instance }) };
}

/** The place in its source, where that is among the given ones: a span of one character. */
export function spanOf(at: Location, sources: readonly Source[]): Span | undefined {
  const source = sources.find((s) => s.path === at.path);
  if (source === undefined) return undefined;
  const before = source.text
    .split("\n")
    .slice(0, at.line - 1)
    .reduce((n, line) => n + line.length + 1, 0);
  const start = before + at.column - 1;
  return { source, start, end: start + 1 };
}

/** The name or the one character that stands at a location. */
export function spanAt(source: Source, at: Location): Span {
  const start = (lineStartsOf(source)[at.line - 1] ?? 0) + at.column - 1;
  const word = /^[\w.]+/.exec(source.text.slice(start))?.[0] ?? " ";
  return { source, start, end: start + word.length };
}

/** The text of a 1-based line, without its line end; empty past the end of the file. */
export function lineText(source: Source, line: number): string {
  return (source.text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
}
