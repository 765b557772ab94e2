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

/** Run a stage; where it overflows the stack all the same, the text is to blame, and `otherwise` says so. */
export function withinStack<T>(stage: () => T, otherwise: () => T): T {
  try {
    return stage();
  } catch (problem) {
    if (problem instanceof RangeError && /call stack/.test(problem.message)) return otherwise();
    throw problem;
  }
}
