// Windows of a corpus as examples: which tokens are trained on when, and which are held out.
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { below, permutation, wordStream } from "../philox.ts";
import type { Dataset, TokenCorpus } from "./dataset.ts";

/**
 * Windows of `length` tokens (at least 2), each of which a model reads to predict the next: `length - 1` targets.
 *
 * - Training: an epoch cuts the training tokens into windows that share one token with the next, so that every token is a target exactly once; where the
 *   first one begins is drawn for each epoch, below `length - 1`, and so is the order. Both depend on (seed, epoch) alone.
 * - Held out: consecutive windows that share nothing, in order, from the start of the held-out tokens, always the same.
 *
 * Tokens at the ends that fill no window are left out (in training, others in each epoch). Padding is -1: a target below zero is ignored.
 * Throws a DiagnosticError `short-corpus` that names `path` where a part has no window.
 */
export function windows(corpus: TokenCorpus, length: number, path: string): Dataset {
  const { training, heldOut } = corpus;
  if (training.length < length || heldOut.length < length)
    throw new DiagnosticError([
      error(
        "short-corpus",
        `the corpus \`${path}\` is too short for windows of ${length} tokens: ${training.length} to train on, ${heldOut.length} held out`,
        undefined,
        "",
        ["the last 5 % are held out, and each part must fill a window"],
      ),
    ]);
  const stride = length - 1;
  // So many that they fit wherever the first one begins.
  const perEpoch = Math.max(1, Math.floor((training.length - length + 1) / stride));
  const phases = Math.min(stride, training.length - perEpoch * stride);
  return {
    fields: [{ scalar: "i32", shape: [length], padding: -1 }],
    unit: "token",
    unitsPerExample: stride,
    corpus,
    count: (split) => (split === "training" ? perEpoch : Math.floor(heldOut.length / length)),
    /** A training example is the place of its first token. */
    order(seed, epoch) {
      const phase = below(wordStream(seed, `phase ${epoch}`), phases);
      return permutation(perEpoch, seed, `epoch ${epoch}`).map((window) => phase + window * stride);
    },
    copy(split, example, _field, out, at) {
      const [tokens, start] = split === "training" ? [training, example] : [heldOut, example * length];
      out.set(tokens.subarray(start, start + length), at);
    },
  };
}
