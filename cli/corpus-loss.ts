// A language model's held-out loss beside what counting alone achieves on the same text.
import { baselines, bitsPerByte, type TokenCorpus } from "../runtime/index.ts";

export interface CorpusLoss {
  /** `2.3512 nats per byte (3.392 bits); unigram table 3.11, bigram table 2.50` */
  readonly words: string;
  readonly bitsPerByte: number;
  /** Cross-entropy of the tables in nats per token. */
  readonly unigram: number;
  readonly bigram: number;
}

/** `loss` is in nats per token. Counts the whole corpus: a second at most for ten million bytes. */
export function corpusLoss(loss: number, corpus: TokenCorpus): CorpusLoss {
  const { unigram, bigram } = baselines(corpus);
  const bits = bitsPerByte(loss, corpus);
  const isBytes = corpus.heldOut.length === corpus.heldOutBytes;
  const [unit, share] = isBytes ? ["byte", "bits"] : ["token", "bits per byte"];
  const tables = `unigram table ${unigram.toFixed(2)}, bigram table ${bigram.toFixed(2)}`;
  return { words: `${loss.toFixed(4)} nats per ${unit} (${bits.toFixed(3)} ${share}); ${tables}`, bitsPerByte: bits, unigram, bigram };
}
