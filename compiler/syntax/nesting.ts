// How deeply a text may nest. Every stage walks trees by recursion, so what is deeper than any model would overflow the stack.
import type { IToken } from "chevrotain";
import * as t from "./tokens.ts";

/** Brackets inside each other. */
export const deepestBrackets = 64;
/** Operators, steps of a pipe, or calls and indices in a row: each nests the ones before it. */
export const longestChain = 200;

const opening = new Set([t.OpenParen, t.OpenBrace, t.OpenBracket]);
const closing = new Set([t.CloseParen, t.CloseBrace, t.CloseBracket]);

/** The bracket that nests too deeply, if there is one. */
export function tooDeepBracket(tokens: readonly IToken[]): IToken | undefined {
  let depth = 0;
  for (const token of tokens) {
    if (opening.has(token.tokenType)) depth++;
    else if (closing.has(token.tokenType)) depth = Math.max(0, depth - 1);
    if (depth > deepestBrackets) return token;
  }
  return undefined;
}

/** The brackets that stand open behind the last token, outermost first. */
export function openBrackets(tokens: readonly IToken[]): readonly IToken[] {
  const open: IToken[] = [];
  for (const token of tokens) {
    if (opening.has(token.tokenType)) open.push(token);
    else if (closing.has(token.tokenType)) open.pop();
  }
  return open;
}

/**
 * Of a text whose brackets are not all closed, the bracket that is to blame: the first one whose closing bracket, on a line of its own, stands
 * further left than the bracket's line, as it was meant for an outer one; else the innermost that is open at the end.
 */
export function suspectBracket(tokens: readonly IToken[]): IToken | undefined {
  const margins = new Map<number, number>();
  for (const { startLine = 0, startColumn = 0 } of tokens) if (!margins.has(startLine)) margins.set(startLine, startColumn);
  const open: IToken[] = [];
  let suspect: IToken | undefined;
  for (const token of tokens) {
    if (opening.has(token.tokenType)) open.push(token);
    if (!closing.has(token.tokenType)) continue;
    const opener = open.pop();
    const { startLine = 0, startColumn = 0 } = token;
    if (margins.get(startLine) === startColumn && startColumn < (margins.get(opener?.startLine ?? 0) ?? 0)) suspect ??= opener;
  }
  return open.length === 0 ? undefined : (suspect ?? open.at(-1));
}

/** Run a stage; where it overflows the stack all the same, the text is to blame, and `otherwise` says so. */
export function withinStack<T>(stage: () => T, otherwise: () => T): T {
  try {
    return stage();
  } catch (problem) {
    if (problem instanceof RangeError && /call stack/.test(problem.message)) return otherwise();
    throw problem;
  }
}
