// What a pass changed, for people: the lines that differ, with values under the same names on both sides.
import { type Entry, type Module, type Value, valueNames } from "../module.ts";
import { type DiffLine, diffLines } from "./line-diff.ts";
import { type PrintOptions, printModule } from "./print.ts";

/** Neighbouring changes with some lines around them. `section` is the entry that they stand in. */
export interface DiffHunk {
  readonly section: string;
  readonly lines: readonly DiffLine[];
}

/** Names of the values of every entry: a value keeps its name from module to module, so that only what changed differs. */
export class LastingNames {
  readonly #names = new Map<string, ReadonlyMap<Value, string>>();

  of(entry: Entry): ReadonlyMap<Value, string> {
    const names = valueNames(entry, this.#names.get(entry.name));
    this.#names.set(entry.name, names);
    return names;
  }
}

/** Hunks that turn the text of one module into that of the next. `names` must have seen `before` last. */
export function diffModules(
  before: Module,
  after: Module,
  names: LastingNames,
  options: Pick<PrintOptions, "only" | "locations"> = {},
): readonly DiffHunk[] {
  const sections = (module: Module) => sectionsOf(printModule(module, { ...options, names: (entry) => names.of(entry) }));
  // Entries are compared one by one: they share code, and what stands in two of them would be no anchor.
  const [old, next] = [sections(before), sections(after)];
  return [...new Set([...old.keys(), ...next.keys()])].flatMap((section) =>
    hunksOf(section, diffLines(old.get(section) ?? [], next.get(section) ?? [])),
  );
}

/** Lines of what stands above the entries (section ""), and of each entry. */
function sectionsOf(text: string): ReadonlyMap<string, readonly string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  sections.set("", lines);
  for (const line of text.split("\n")) {
    const header = /^entry (@[\w.]+)/.exec(line);
    if (header !== null) {
      lines = [];
      sections.set(header[1] ?? "", lines);
    }
    if (line !== "") lines.push(line);
  }
  return sections;
}

const context = 2;

function hunksOf(section: string, lines: readonly DiffLine[]): readonly DiffHunk[] {
  const hunks: DiffHunk[] = [];
  let open: DiffLine[] = [];
  let unchanged = 0;
  const close = () => {
    if (open.length > 0) hunks.push({ section, lines: open.slice(0, open.length - Math.max(0, unchanged - context)) });
    open = [];
  };
  for (const [i, line] of lines.entries()) {
    if (line.kind === "same") {
      if (open.length === 0) continue;
      open.push(line);
      unchanged++;
      if (unchanged > 2 * context) close();
      continue;
    }
    if (open.length === 0) open = lines.slice(Math.max(0, i - context), i);
    open.push(line);
    unchanged = 0;
  }
  close();
  return hunks;
}
