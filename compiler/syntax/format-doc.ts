// Texts with places where they may break, and their layout in a given width (Wadler 2003, "A prettier printer"; Prettier's groups).

/** A text that is not laid out yet. A string has no line ends. */
export type Doc = string | readonly Doc[] | Break | IfBroken | HardBreak | Indent | Group | OwnLine | EndOfLine;

/** Where a group may break: a line end in a broken group, `flat` in one that fits on a line. */
interface Break {
  readonly kind: "break";
  readonly flat: "" | " ";
}

/** What stands only where the group is broken: the comma behind the last item. */
interface IfBroken {
  readonly kind: "if-broken";
  readonly text: string;
}

/** A line end in any case; never more than one, but for the empty line that `blank` asks for. */
interface HardBreak {
  readonly kind: "hard";
  readonly blank: boolean;
}

interface Indent {
  readonly kind: "indent";
  readonly doc: Doc;
}

/** What breaks at all of its breaks, or at none. */
interface Group {
  readonly kind: "group";
  readonly doc: Doc;
  readonly outline: Outline;
}

/** A comment on a line of its own. */
interface OwnLine {
  readonly kind: "own-line";
  readonly comment: string;
}

/** A comment behind what stands on its line. What follows goes to the next line. */
interface EndOfLine {
  readonly kind: "end-of-line";
  readonly comment: string;
}

export const softBreak: Doc = { kind: "break", flat: "" };
export const spaceBreak: Doc = { kind: "break", flat: " " };
export const hardBreak: Doc = { kind: "hard", blank: false };
export const blankLine: Doc = { kind: "hard", blank: true };
export const ifBroken = (text: string): Doc => ({ kind: "if-broken", text });
export const indent = (...docs: readonly Doc[]): Doc => ({ kind: "indent", doc: docs });
export const ownLine = (comment: string): Doc => ({ kind: "own-line", comment });
export const endOfLine = (comment: string): Doc => ({ kind: "end-of-line", comment });

export function group(...docs: readonly Doc[]): Doc {
  return { kind: "group", doc: docs, outline: outlineOf(docs) };
}

/** What decides whether a group can be one line. */
interface Outline {
  readonly hasText: boolean;
  /** Whether a comment on its own line comes before all text. */
  readonly commentFirst: boolean;
  /** Whether a comment at the end of a line comes behind all text. */
  readonly commentLast: boolean;
  /** Whether it has a line end inside. Comments at its outer ends are none. */
  readonly breaks: boolean;
}

const nothing: Outline = { hasText: false, commentFirst: false, commentLast: false, breaks: false };

function outlineOf(doc: Doc): Outline {
  if (typeof doc === "string") return { ...nothing, hasText: doc !== "" };
  if (!("kind" in doc)) return doc.map(outlineOf).reduce(joinOutlines, nothing);
  switch (doc.kind) {
    case "break":
    case "if-broken":
      return nothing;
    case "hard":
      return { ...nothing, breaks: true };
    case "indent":
      return outlineOf(doc.doc);
    case "group":
      return doc.outline;
    case "own-line":
      return { ...nothing, commentFirst: true };
    case "end-of-line":
      return { ...nothing, commentLast: true };
    default:
      return doc satisfies never;
  }
}

function joinOutlines(a: Outline, b: Outline): Outline {
  const goesOn = b.hasText || b.commentFirst;
  return {
    hasText: a.hasText || b.hasText,
    commentFirst: a.commentFirst || (!a.hasText && b.commentFirst),
    commentLast: goesOn ? b.commentLast : a.commentLast || b.commentLast,
    breaks: a.breaks || b.breaks || (a.hasText && b.commentFirst) || (a.commentLast && goesOn),
  };
}

type Mode = "flat" | "broken";
type Command = readonly [indent: number, mode: Mode, doc: Doc];

const indentWidth = 2;

/** Lay a text out. A line is longer than `width` only where it has no break. Comments never break, and their length does not count. */
export function layOut(doc: Doc, width: number): string {
  const page = new Page();
  const commands: Command[] = [[0, "broken", doc]];
  for (let command = commands.pop(); command !== undefined; command = commands.pop()) {
    const [depth, mode, at] = command;
    if (typeof at === "string") page.write(at, depth);
    else if (!("kind" in at)) for (const part of at.toReversed()) commands.push([depth, mode, part]);
    else {
      switch (at.kind) {
        case "break":
          if (mode === "flat") page.write(at.flat, depth);
          else page.endLine();
          break;
        case "if-broken":
          if (mode === "broken") page.write(at.text, depth);
          break;
        case "hard":
          page.endLine(at.blank);
          break;
        case "indent":
          commands.push([depth + indentWidth, mode, at.doc]);
          break;
        case "group": {
          const inner: Mode = !at.outline.breaks && fits(depth, at.doc, commands, width, page.column(depth)) ? "flat" : "broken";
          commands.push([depth, inner, at.doc]);
          break;
        }
        case "own-line":
          page.endLine();
          page.write(at.comment, depth);
          page.endLine();
          break;
        case "end-of-line":
          page.comment(at.comment);
          break;
        default:
          at satisfies never;
      }
    }
  }
  return page.text();
}

/** Whether a text on one line, and what follows it up to the next place that can break, ends within the width. */
function fits(depth: number, doc: Doc, rest: readonly Command[], width: number, column: number): boolean {
  const commands: Command[] = [[depth, "flat", doc]];
  let room = width - column;
  for (let next = rest.length - 1; room >= 0; ) {
    const command = commands.pop() ?? rest[next--];
    if (command === undefined) return true;
    const [at, mode, part] = command;
    if (typeof part === "string") room -= part.length;
    else if (!("kind" in part)) for (const inner of part.toReversed()) commands.push([at, mode, inner]);
    else if (part.kind === "indent") commands.push([at + indentWidth, mode, part.doc]);
    else if (part.kind === "group") commands.push([at, part.outline.breaks ? "broken" : mode, part.doc]);
    else if (part.kind === "break" && mode === "flat") room -= part.flat.length;
    else if (part.kind === "if-broken") room -= mode === "flat" ? 0 : part.text.length;
    else if (part.kind === "own-line") room = width - at;
    else return true;
  }
  return false;
}

interface Line {
  readonly code: string;
  readonly comment: string;
}

/** The lines so far, and the one at hand. */
class Page {
  readonly #lines: Line[] = [];
  #code = "";
  #comment = "";
  #wantsBlank = false;

  /** Where text would go on. */
  column(depth: number): number {
    return this.#code === "" || this.#comment !== "" ? depth : this.#code.length;
  }

  write(text: string, depth: number): void {
    if (text === "") return;
    if (this.#comment !== "") this.endLine();
    if (this.#code !== "") {
      this.#code += text;
      return;
    }
    const first = text.trimStart();
    if (first === "") return;
    if (this.#wantsBlank && this.#lines.length > 0) this.#lines.push({ code: "", comment: "" });
    this.#wantsBlank = false;
    this.#code = " ".repeat(depth) + first;
  }

  comment(text: string): void {
    this.#comment = text;
  }

  endLine(blank = false): void {
    if (this.#code !== "") this.#lines.push({ code: this.#code.trimEnd(), comment: this.#comment });
    this.#code = "";
    this.#comment = "";
    this.#wantsBlank ||= blank;
  }

  text(): string {
    this.endLine();
    return this.#lines.map((line, i) => `${this.#aligned(line, i)}\n`).join("");
  }

  /** Comments behind neighbouring lines of one indentation stand below each other, except behind closing brackets. */
  #aligned(line: Line, at: number): string {
    if (line.comment === "") return line.code;
    const place = alignmentOf(line);
    let width = line.code.length;
    for (const step of [-1, 1]) {
      for (let i = at + step; place !== undefined; i += step) {
        const other = this.#lines[i];
        if (other === undefined || alignmentOf(other) !== place) break;
        width = Math.max(width, other.code.length);
      }
    }
    return `${line.code.padEnd(width)} ${line.comment}`;
  }
}

/** The indentation of a line whose comment lines up with its neighbours'. */
function alignmentOf({ code, comment }: Line): number | undefined {
  const start = code.trimStart();
  return comment === "" || /^[)\]}]/.test(start) ? undefined : code.length - start.length;
}
