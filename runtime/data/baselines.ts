// What counting achieves: held-out cross-entropy of tables of the training tokens, to stand beside a model's loss.
import type { TokenCorpus } from "./dataset.ts";

/** Mean of -ln p(token) over all held-out tokens, in nats per token. */
export interface Baselines {
  /** How often each token occurs. */
  readonly unigram: number;
  /** How often each token follows each other one. */
  readonly bigram: number;
}

/**
 * Tables of the training tokens, evaluated on the held-out ones, of which none is counted. Where N is the number of training tokens, V the
 * vocabulary and c a count of tokens or of pairs:
 * - unigram: p(b) = (c(b) + 1) / (N + V)
 * - bigram: p(b | a) = (c(ab) + R(a) q(b)) / (c(a) + R(a)), with R(a) the number of different tokens that follow a (Witten and Bell 1991, "The
 *   zero-frequency problem", method C), and q(b) = (L(b) + 1) / (P + V), with L(b) the number of different tokens that b follows and P that of
 *   different pairs (Kneser and Ney 1995, "Improved backing-off for m-gram language modeling": what follows anything, not what is frequent).
 *
 * Nothing is tuned on the held-out tokens, and vocabularies of thousands, where most pairs never occur, fare well too. The first held-out token
 * follows the last one of training.
 */
export function baselines({ training, heldOut, tokenizer: { vocabulary } }: TokenCorpus): Baselines {
  const counts = new Uint32Array(vocabulary);
  /** Occurrences that something follows: all but the last token's. */
  const followed = new Uint32Array(vocabulary);
  const rightKinds = new Uint32Array(vocabulary);
  const leftKinds = new Uint32Array(vocabulary);
  const pairs = new Map<number, number>();
  let before: number | undefined;
  for (const token of training) {
    increment(counts, token);
    if (before !== undefined) {
      const key = before * vocabulary + token;
      const seen = pairs.get(key) ?? 0;
      pairs.set(key, seen + 1);
      increment(followed, before);
      if (seen === 0) {
        increment(rightKinds, before);
        increment(leftKinds, token);
      }
    }
    before = token;
  }
  let unigram = 0;
  let bigram = 0;
  for (const token of heldOut) {
    unigram -= Math.log(((counts[token] ?? 0) + 1) / (training.length + vocabulary));
    const anywhere = ((leftKinds[token] ?? 0) + 1) / (pairs.size + vocabulary);
    const from = before ?? 0;
    const kinds = rightKinds[from] ?? 0;
    const follows = pairs.get(from * vocabulary + token) ?? 0;
    bigram -= Math.log(kinds === 0 ? anywhere : (follows + kinds * anywhere) / ((followed[from] ?? 0) + kinds));
    before = token;
  }
  return { unigram: unigram / heldOut.length, bigram: bigram / heldOut.length };
}

/** A loss in nats per token as bits per byte of held-out text, which compares models with different tokenizers. */
export const bitsPerByte = (loss: number, { heldOut, heldOutBytes }: TokenCorpus): number =>
  (loss * heldOut.length) / heldOutBytes / Math.LN2;

function increment(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
