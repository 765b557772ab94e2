// What a syntax tree leaves out and a formatter must keep: comments and empty lines, tied to the tokens that they stand by.
import type { IToken } from "chevrotain";

export interface Comment {
  readonly text: string;
  /** Whether an empty line stands before it. */
  readonly blankBefore: boolean;
}

export interface Trivia {
  /** Comments on lines of their own, above the token. */
  readonly leading: readonly Comment[];
  /** The comment behind the token on its line. */
  readonly trailing?: string;
  /** Whether an empty line stands before the token itself, below its comments. */
  readonly blankBefore: boolean;
}

export interface TriviaTable {
  of(token: IToken): Trivia;
  /** Comments below the last token. */
  readonly end: readonly Comment[];
}

const none: Trivia = { leading: [], blankBefore: false };

/** Tie comments to tokens; both in order of the text. */
export function tieTrivia(text: string, tokens: readonly IToken[], comments: readonly IToken[]): TriviaTable {
  const table = new Map<IToken, Trivia>();
  let end = 0;
  let next = 0;
  let last: IToken | undefined;
  /** How many lines end between the last token or comment and an offset. */
  const lineEnds = (until: number) => text.slice(end, until).split(/\r\n|[\n\r]/).length - 1;
  const commentsBefore = (offset: number): readonly Comment[] => {
    const leading: Comment[] = [];
    for (let comment = comments[next]; comment !== undefined && comment.startOffset < offset; comment = comments[++next]) {
      const lines = lineEnds(comment.startOffset);
      const written = comment.image.trimEnd();
      if (lines === 0 && last !== undefined && leading.length === 0) table.set(last, { ...(table.get(last) ?? none), trailing: written });
      else leading.push({ text: written, blankBefore: lines > 1 });
      end = comment.startOffset + comment.image.length;
    }
    return leading;
  };
  for (const token of tokens) {
    const leading = commentsBefore(token.startOffset);
    table.set(token, { leading, blankBefore: lineEnds(token.startOffset) > 1 });
    end = token.startOffset + token.image.length;
    last = token;
  }
  return { of: (token) => table.get(token) ?? none, end: commentsBefore(Number.POSITIVE_INFINITY) };
}
