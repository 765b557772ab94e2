// Tokens of IR text. One statement stands on one line, so line ends are tokens; blanks and `//` comments are not.
import { type Diagnostic, error } from "../diagnostic.ts";
import { type Source, span } from "../source.ts";

/**
 * - `word`: `state`, `quant.encode`, `arena.0` (dots join). - `value`: `%x`. - `entry`: `@train`.
 * - `int`, `float`: without sign; `i32`: `3i`, a constant of scalar expressions. - `string`: with its quotes. - `mark`: one of {@link marks}. - `line`: a line end. - `end`.
 */
export type TokenKind = "word" | "value" | "entry" | "int" | "i32" | "float" | "string" | "mark" | "line" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const name = "[A-Za-z0-9_]+(?:\\.[A-Za-z0-9_]+)*";

/** What stands after `%`: the names that values may have. */
export const valueName = new RegExp(`^${name}$`);
/** Names of entries and outputs. */
export const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

const patterns: readonly (readonly [TokenKind | "blank", RegExp])[] = [
  ["blank", /[ \t\r]+|\/\/[^\n]*/y],
  ["line", /\n/y],
  ["string", /"(?:[^"\\\n]|\\[^\n])*"/y],
  ["float", /[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)(?![A-Za-z0-9_])/y],
  ["i32", /[0-9]+i(?![A-Za-z0-9_])/y],
  ["int", /[0-9]+(?![A-Za-z0-9_])/y],
  ["word", /[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*/y],
  ["value", new RegExp(`%${name}`, "y")],
  ["entry", new RegExp(`@${name}`, "y")],
  ["mark", /->|[()[\]{},:;=+\-*/]/y],
];

/** Far more than printed expressions have. */
const deepestBrackets = 200;

/** All tokens, with `end` last. What is no token is reported and skipped. */
export function lex(source: Source): { readonly tokens: readonly Token[]; readonly diagnostics: readonly Diagnostic[] } {
  const { text } = source;
  const tokens: Token[] = [];
  const diagnostics: Diagnostic[] = [];
  let at = 0;
  let depth = 0;
  while (at < text.length) {
    const found = match(text, at);
    if (found === undefined) {
      const end = endOfJunk(text, at);
      diagnostics.push(error("syntax", message(text, at, end), span(source, at, end)));
      at = end;
      continue;
    }
    const token = { kind: found.kind, text: text.slice(at, found.end), start: at, end: found.end };
    if (found.kind === "mark" && "([{".includes(token.text)) depth++;
    else if (found.kind === "mark" && ")]}".includes(token.text)) depth = Math.max(0, depth - 1);
    if (depth > deepestBrackets) {
      // Whoever reads tokens calls itself for each bracket.
      diagnostics.push(error("too-deep", `brackets nest at most ${deepestBrackets} deep`, span(source, at, found.end)));
      break;
    }
    if (found.kind !== "blank") tokens.push({ ...token, kind: found.kind });
    at = found.end;
  }
  tokens.push({ kind: "end", text: "", start: text.length, end: text.length });
  return { tokens, diagnostics };
}

function match(text: string, at: number): { readonly kind: TokenKind | "blank"; readonly end: number } | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return { kind, end: pattern.lastIndex };
  }
  return undefined;
}

/** An unterminated string runs to the end of its line; anything else is one run of characters. */
function endOfJunk(text: string, at: number): number {
  if (text[at] === '"') {
    const lineEnd = text.indexOf("\n", at);
    return lineEnd < 0 ? text.length : lineEnd;
  }
  const run = /[A-Za-z0-9_]+|[^\sA-Za-z0-9_"%@(){}[\],:;=]+|[%@]/y;
  run.lastIndex = at;
  return run.test(text) ? run.lastIndex : at + 1;
}

function message(text: string, at: number, end: number): string {
  const junk = text.slice(at, end);
  if (junk.startsWith('"')) return "this string has no end on its line";
  if (junk === "%") return "`%` begins a value's name, such as `%x`";
  if (junk === "@") return "`@` begins an entry's name, such as `@train`";
  if (/^[0-9]/.test(junk)) return `\`${junk}\` is neither a number nor a name`;
  return `unexpected \`${junk}\``;
}
