// Selectors: which paths a pattern such as `layers.*.attn.{wq, wk}` names.
import type { Segment, Selector } from "../syntax/ast-recipe.ts";

/** Whether the whole path fits: `*` is one segment, `**` any number of them, none included. */
export function matches(selector: Selector, path: string): boolean {
  return matchSegments(selector.segments, path === "" ? [] : path.split("."));
}

function matchSegments(segments: readonly Segment[], words: readonly string[]): boolean {
  const [first, ...rest] = segments;
  if (first === undefined) return words.length === 0;
  if (first.kind === "wildcard" && first.deep) return words.some((_, i) => matchSegments(rest, words.slice(i))) || matchSegments(rest, []);
  const [word, ...others] = words;
  if (word === undefined) return false;
  const fits = first.kind === "wildcard" || (first.kind === "word" ? first.text === word : first.names.some((name) => name.text === word));
  return fits && matchSegments(rest, others);
}

/** As it was written, in its canonical form. */
export function printSelector(selector: Selector): string {
  const segments = selector.segments.map((segment) => {
    switch (segment.kind) {
      case "word":
        return segment.text;
      case "wildcard":
        return segment.deep ? "**" : "*";
      case "choice":
        return `{${segment.names.map((name) => name.text).join(", ")}}`;
      default:
        return segment satisfies never;
    }
  });
  return `${segments.join(".")}${selector.value === undefined ? "" : `:${selector.value.text}`}${selector.optional ? "?" : ""}`;
}
