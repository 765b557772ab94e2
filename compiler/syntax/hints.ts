// What people write who know other languages, or forgot a bracket: a better message and help for where the parser stopped.
import type { IToken, TokenType } from "chevrotain";
import type { Label } from "../../ir/diagnostic.ts";
import { nearest } from "../../ir/nearest.ts";
import type { Source, Span } from "../../ir/source.ts";
import { openBrackets, suspectBracket } from "./nesting.ts";
import * as t from "./tokens.ts";

/** Where the parser stopped: the tokens, which of them it could not take, and in which rule of the grammar. */
export interface Stop {
  readonly source: Source;
  readonly tokens: readonly IToken[];
  readonly index: number;
  readonly rule: string;
}

/** Takes the place of the parser's own message, or stands beside it. */
export interface Hint {
  /** Where the problem is, if not where the parser stopped. */
  readonly at?: IToken;
  readonly message?: string;
  readonly label?: string;
  readonly help?: readonly string[];
  readonly secondary?: readonly Label[];
}

export function hintFor(stop: Stop): Hint {
  return unclosedAtEnd(stop) ?? statementHint(stop) ?? listHint(stop) ?? outsideHint(stop) ?? wordHint(stop) ?? {};
}

/** Marks that other languages have and this one has not. */
export const unknownMarks: Readonly<Record<string, string>> = {
  ";": "a statement ends where the next one begins: leave out semicolons",
  "#": "comments begin with `//`",
  "&": "`a and b` is `if a then b else false`",
  "|": "`a or b` is `if a then true else b`; a pipe is `|>`",
  "!": "`not a` is `if a then false else true`, or the opposite comparison",
  "@": "a product of matrices is `matmul(x, y)`, or `dot(x, weight)` with a weight of outputs x inputs",
  "'": 'texts stand in double quotes: `"text"`',
  "^": "there is no power operator: `x * x`",
};

export const spanOfToken = (source: Source, { startOffset, image }: IToken): Span => ({
  source,
  start: startOffset,
  end: startOffset + image.length,
});

function unclosedAtEnd({ source, tokens, index }: Stop): Hint | undefined {
  if (index < tokens.length) return undefined;
  const open = suspectBracket(tokens);
  if (open === undefined) return undefined;
  return {
    message: `\`${open.image}\` is not closed`,
    label: "the text ends here",
    secondary: [{ span: spanOfToken(source, open), message: "this bracket stands open" }],
  };
}

function statementHint({ tokens, index, rule }: Stop): Hint | undefined {
  const [before, found, next] = [tokens[index - 1], tokens[index], tokens[index + 1]];
  if (found === undefined) return undefined;
  if (rule === "declare" && found.tokenType === t.Colon)
    return { message: "`let` and `var` take no type: it follows from the value", help: [`write \`let ${before?.image} = value\``] };
  if (rule === "assign" && operators.has(found.tokenType) && next?.tokenType === t.Assign)
    return { message: `there is no \`${found.image}=\``, help: [`write \`${before?.image} = ${before?.image} ${found.image} value\``] };
  if (rule === "assign" && found.tokenType === t.OpenParen)
    return { message: "a call alone does nothing", help: ["give its value a name with `let`, or `return` it"] };
  if (rule === "statement" && found.tokenType === t.If)
    return { message: "`if` chooses between values: it is no statement", help: ["write `let y = if condition then a else b`"] };
  if (found.tokenType === t.StarStar && (rule === "statement" || rule === "block"))
    return { help: ["there is no power operator: `x * x`"] };
  if (rule === "policyRule" && found.tokenType === t.OpenBracket)
    return { help: ["an item of an array is `layers.0`, all of them `layers.*`"] };
  if (rule === "policyRule" && found.tokenType === t.Dot)
    return { message: "a selector has no white space in it", help: ["write `layers.0`"] };
  if (rule === "policyRule" && (found.tokenType === t.Arrow || found.tokenType === t.Assign))
    return { help: ["write `selector => scheme { setting = value }`"] };
  return undefined;
}

const operators: ReadonlySet<TokenType> = new Set([t.Plus, t.Minus, t.Star, t.Slash, t.Percent]);

/** Rules that end in a closing bracket. */
const lists: ReadonlySet<string> = new Set([
  "args",
  "choices",
  "dims",
  "group",
  "inputs",
  "list",
  "nameList",
  "parameters",
  "selectorList",
  "settings",
]);

function listHint({ source, tokens, index, rule }: Stop): Hint | undefined {
  const found = tokens[index];
  if (found === undefined || !lists.has(rule)) return undefined;
  if (found.tokenType === t.Colon && rule === "settings") return { message: "a setting is `name = value`" };
  if (found.tokenType === t.Colon && rule === "args") return { message: "an argument by name is `name = value`" };
  if (found.tokenType === t.OpenParen && rule === "inputs") return { message: "a type has its axes in square brackets: `f32[B, 8]`" };
  const open = openBrackets(tokens.slice(0, index)).at(-1);
  if (open === undefined || open.startLine === found.startLine) return undefined;
  return { secondary: [{ span: spanOfToken(source, open), message: "opened here" }] };
}

/** What belongs into a body stands behind the bracket that closes it: one closing bracket too many. */
function outsideHint({ source, tokens, index, rule }: Stop): Hint | undefined {
  const found = tokens[index];
  if (found === undefined || (rule !== "file" && rule !== "item") || found.startColumn === 1) return undefined;
  const close = tokens.findLast((token, i) => i < index && token.tokenType === t.CloseBrace);
  if (close === undefined || openBrackets(tokens.slice(0, index)).length > 0) return undefined;
  return {
    secondary: [{ span: spanOfToken(source, close), message: "this closes what stands above" }],
    help: ["perhaps there is one `}` too many"],
  };
}

/** By rule: what its statements begin with. */
const beginnings: Readonly<Record<string, readonly string[]>> = {
  file: ["use", "const", "module", "quantize", "train"],
  item: ["use", "const", "module", "quantize", "train"],
  member: ["param", "const", "require", "tie", "fn"],
  child: ["param", "const", "require", "tie", "fn"],
  statement: ["let", "var", "for", "return"],
  assign: ["let", "var", "for", "return"],
  recipe: ["data", "loss", "optimizer", "schedule", "clip", "remat", "eval", "checkpoint", "accumulate", "precision", "head_chunk"],
  recipeStatement: [
    "data",
    "loss",
    "optimizer",
    "schedule",
    "clip",
    "remat",
    "eval",
    "checkpoint",
    "accumulate",
    "precision",
    "head_chunk",
  ],
};

/** Words of other languages. */
const foreign: Readonly<Record<string, string>> = {
  assert: "require",
  class: "module",
  def: "fn",
  fun: "fn",
  func: "fn",
  function: "fn",
  import: "use",
  include: "use",
  layer: "module",
  model: "module",
  parameter: "param",
  policy: "quantize",
  recipe: "train",
  struct: "module",
  while: "for",
};

/** A misspelt first word of a statement: it was taken for a name, or nothing could be made of it. */
function wordHint({ tokens, index, rule }: Stop): Hint | undefined {
  const known = beginnings[rule];
  const isName = rule === "child" || rule === "assign";
  const at = tokens[isName ? index - 1 : index];
  if (known === undefined || at === undefined) return undefined;
  const meant = Object.hasOwn(foreign, at.image) ? foreign[at.image] : nearest(at.image, known);
  if (meant === undefined) return undefined;
  return { message: `\`${at.image}\` begins no statement`, label: "", at, help: [`did you mean \`${meant}\`?`] };
}
