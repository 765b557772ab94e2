// Where a value stands in a JSON text, and where a text ends to be JSON, so that a problem is shown under its line.
import { findNodeAtLocation, type Node, type ParseError, parse, parseTree, printParseErrorCode } from "jsonc-parser";
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

/** The first field whose object has one of that name before it; `JSON.parse` takes the last. The text must be JSON. */
export function repeatedField(source: Source): Span | undefined {
  const root = parseTree(source.text);
  const search = ({ type, children = [] }: Node): Node | undefined => {
    const names = new Set<unknown>();
    for (const child of children) {
      const name = child.children?.[0]?.value;
      if (type === "object" && names.has(name)) return child;
      names.add(name);
      const inner = search(child);
      if (inner !== undefined) return inner;
    }
    return undefined;
  };
  const found = root && search(root);
  return found && span(source, found.offset, found.offset + found.length);
}

const syntaxWords: Readonly<Record<string, string>> = {
  InvalidSymbol: "this is no value of JSON; a text stands in double quotes",
  InvalidNumberFormat: "this is no number of JSON",
  PropertyNameExpected: "the name of a field must stand here, in double quotes",
  ValueExpected: "a value must stand here",
  ColonExpected: "a `:` must stand here",
  CommaExpected: "a `,` must stand here",
  CloseBraceExpected: "a `}` must stand here",
  CloseBracketExpected: "a `]` must stand here",
  EndOfFileExpected: "nothing more may stand here",
  InvalidCommentToken: "JSON has no comments",
  UnexpectedEndOfComment: "JSON has no comments",
  UnexpectedEndOfString: "this text does not end on its line",
};

/** Of a text that `JSON.parse` refused with `problem`: the first place that is wrong, and what is wrong with it. */
export function syntaxProblem(source: Source, problem: unknown): readonly [Span, string] {
  const errors: ParseError[] = [];
  parse(source.text, errors, { disallowComments: true, allowTrailingComma: false });
  const [first] = errors.toSorted((a, b) => a.offset - b.offset);
  const last = Math.max(0, source.text.trimEnd().length - 1);
  const start = Math.min(first?.offset ?? last, last);
  const words = first && syntaxWords[printParseErrorCode(first.error)];
  return [
    span(source, start, start + Math.max(1, first?.length ?? 1)),
    words ?? (problem instanceof Error ? problem.message : String(problem)),
  ];
}
