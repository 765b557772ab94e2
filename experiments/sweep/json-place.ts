// Where a value stands in a JSON text, so that a problem with it is shown under its line.
import { findNodeAtLocation, type Node, parseTree } from "jsonc-parser";
import { type Source, type Span, span } from "../../ir/source.ts";

/** `policies[1].bits`, as checks name places, taken apart: names of fields and numbers of items. */
export const stepsOf = (place: string): readonly (string | number)[] =>
  [...place.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|(\w+)/g)].map(([, quoted, index, name]) =>
    quoted !== undefined ? String(JSON.parse(`"${quoted}"`)) : index !== undefined ? Number(index) : (name ?? ""),
  );

/** The span of a field with its name, of a list's item, or of the whole; as near as the text has it. The text must be JSON. */
export function placeIn(source: Source, steps: readonly (string | number)[]): Span {
  const root = parseTree(source.text);
  let found: Node | undefined = root;
  for (let depth = 1; root !== undefined && depth <= steps.length; depth++) {
    const inner = findNodeAtLocation(root, steps.slice(0, depth));
    if (inner === undefined) break;
    found = inner.parent?.type === "property" ? inner.parent : inner;
  }
  return found === undefined ? span(source, 0, source.text.length) : span(source, found.offset, found.offset + found.length);
}
