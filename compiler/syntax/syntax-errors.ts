// From what lexer and parser refuse to diagnostics: one for each mistake, and none for what only follows from another one.
import type { ILexingError, ILexingResult, IRecognitionException, IToken } from "chevrotain";
import { type Diagnostic, error } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { isReal } from "./cst.ts";
import { hintFor, spanOfToken, unknownMarks } from "./hints.ts";
import { deepestBrackets, tooDeepBracket } from "./nesting.ts";
import * as t from "./tokens.ts";

export interface ReadTokens {
  /** What the parser is to read. */
  readonly tokens: IToken[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The tokens of a text, and what is wrong with them. What the lexer takes all the same, each as one token, makes no further problems. */
export function readTokens(source: Source, lexed: ILexingResult): ReadTokens {
  const deepest = tooDeepBracket(lexed.tokens);
  const names = lexed.tokens.map((token, i) => (isMisusedWord(token, lexed.tokens[i - 1], lexed.tokens[i + 1]) ? asName(token) : token));
  const diagnostics = [
    ...unknownTexts(source, lexed.errors),
    ...lexed.tokens.flatMap((token, i) => wrongToken(source, token, token !== names[i])),
    ...(lexed.groups["blockComments"] ?? []).map((comment: IToken) => blockComment(source, comment)),
    ...(deepest === undefined ? [] : [tooDeep(source, deepest)]),
  ];
  return { tokens: deepest === undefined ? names : [], diagnostics };
}

/** Marks that mean nothing: each once, as a text from another language has many of them. */
function unknownTexts(source: Source, errors: readonly ILexingError[]): readonly Diagnostic[] {
  const byText = Map.groupBy(errors, ({ offset, length }) => source.text.slice(offset, offset + Math.max(1, length)));
  return [...byText].map(([text, [first, ...others]]) => {
    const start = first?.offset ?? 0;
    const help = unknownMarks[text.slice(0, 1)];
    const label = others.length === 0 ? "" : `and ${others.length} more of them`;
    const at = { source, start, end: start + text.length };
    return error("syntax", `\`${text}\` has no meaning here`, at, label, help === undefined ? [] : [help]);
  });
}

/** A word of the language where only a name can stand: before `=`, or behind `let` on its line. */
function isMisusedWord(token: IToken, before: IToken | undefined, after: IToken | undefined): boolean {
  if (!t.reservedWords.includes(token.tokenType)) return false;
  const isNamed = before !== undefined && t.namingWords.has(before.tokenType) && before.startLine === token.startLine;
  // In `let = 3` and `for in xs` it is the name that is missing.
  return (isNamed && token.tokenType !== t.In) || (after?.tokenType === t.Assign && !t.namingWords.has(token.tokenType));
}

const asName = (token: IToken): IToken => ({ ...token, tokenType: t.Identifier, tokenTypeIdx: t.Identifier.tokenTypeIdx ?? 0 });

function wrongToken(source: Source, token: IToken, isMisused: boolean): readonly Diagnostic[] {
  const wrong = (message: string, help: readonly string[] = []) => [error("syntax", message, spanOfToken(source, token), "", help)];
  if (isMisused) return wrong(`\`${token.image}\` is a word of the language and cannot be a name`);
  if (token.tokenType === t.UnclosedText) return wrong('the text is not closed: it needs `"` on the same line');
  if (token.tokenType !== t.WrongNumber) return [];
  const [, whole = "0", part = "0"] = /^(\d[\d_]*)?\.(\d[\d_]*)?$/.exec(token.image) ?? [];
  return /^[\d_]*\.[\d_]*$/.test(token.image)
    ? wrong("a float has digits on both sides of its dot", [`write \`${whole}.${part}\``])
    : wrong(`\`${token.image}\` is no number`, ["numbers are decimal: `1_000`, `0.5`, `1e-3`"]);
}

function blockComment(source: Source, { startOffset }: IToken): Diagnostic {
  const at = { source, start: startOffset, end: startOffset + 2 };
  return error("syntax", "`/*` begins no comment here", at, "", ["comments begin with `//`, and end with their line"]);
}

function tooDeep(source: Source, bracket: IToken): Diagnostic {
  const message = `brackets nest at most ${deepestBrackets} deep`;
  return error("too-deep", message, spanOfToken(source, bracket), "one bracket too many stands open here");
}

const place = ({ token }: IRecognitionException) => (isReal(token) ? token.startOffset : Number.POSITIVE_INFINITY);
const ruleOf = ({ context }: IRecognitionException) => context.ruleStack.at(-1) ?? "";

/** What the parser could not take, without what follows from other errors; `earlier` are those of {@link readTokens}. */
export function parserErrors(
  source: Source,
  tokens: readonly IToken[],
  errors: readonly IRecognitionException[],
  earlier: readonly Diagnostic[],
): readonly Diagnostic[] {
  const indexOf = (offset: number) => {
    const index = tokens.findIndex((token) => token.startOffset >= offset);
    return index < 0 ? tokens.length : index;
  };
  const wrong = earlier.map((d) => indexOf(d.primary?.span.start ?? 0));
  const found: Diagnostic[] = [];
  for (const problem of errors.toSorted((a, b) => place(a) - place(b))) {
    const index = indexOf(place(problem));
    if (!isConsequence(tokens, index, ruleOf(problem), wrong)) found.push(parserError(source, problem, tokens, index));
    wrong.push(index);
  }
  return found;
}

/** So many tokens must have been accepted after an error before the next one is worth reading. */
const quietTokens = 3;

/**
 * Whether an error only follows from one before it: it stands on the same line or right behind; or the error made the parser miss where a body
 * begins or ends, so that it now stands in what is outside of it.
 */
function isConsequence(tokens: readonly IToken[], index: number, rule: string, wrong: readonly number[]): boolean {
  const token = tokens[index];
  if (wrong.some((at) => at <= index && (index - at < quietTokens || tokens[at]?.startLine === token?.startLine))) return true;
  const item = tokens.findLastIndex(({ tokenType, startColumn }, i) => i < index && startColumn === 1 && t.itemWords.has(tokenType));
  if (token === undefined || !wrong.some((at) => at > item && at < index)) return false;
  if (rule === "file" || rule === "item") return true;
  if (!bodies.has(rule)) return false;
  return token.tokenType === t.CloseBrace || marginOf(tokens, token) > memberMargin(tokens, item);
}

/** Rules that hold statements of modules, policies and recipes. */
const bodies: ReadonlySet<string> = new Set(["module", "member", "child", "quantize", "policyRule", "recipe", "recipeStatement"]);

/** The column at which a token's line begins. */
const marginOf = (tokens: readonly IToken[], { startLine }: IToken): number =>
  tokens.find((token) => token.startLine === startLine)?.startColumn ?? 1;

/** The column of the first line inside of an item. */
function memberMargin(tokens: readonly IToken[], item: number): number {
  const line = tokens[item]?.startLine;
  return tokens.find(({ startLine }, i) => i > item && startLine !== line)?.startColumn ?? 1;
}

function parserError(
  source: Source,
  problem: IRecognitionException & { readonly previousToken?: IToken },
  tokens: readonly IToken[],
  index: number,
): Diagnostic {
  const { message, token, previousToken } = problem;
  const [text = message, found = ""] = message.split("\n");
  const hint = hintFor({ source, tokens, index, rule: ruleOf(problem) });
  // The end of the text: point behind what was read last.
  const last = previousToken !== undefined && isReal(previousToken) ? previousToken : undefined;
  const end = last === undefined ? source.text.trimEnd().length : last.startOffset + last.image.length;
  const at = isReal(token) ? spanOfToken(source, hint.at ?? token) : { source, start: end, end };
  return {
    ...error("syntax", hint.message ?? text, at, hint.label ?? found, hint.help),
    ...(hint.secondary === undefined ? {} : { secondary: hint.secondary }),
  };
}
