// A tokenizer made from a corpus: what it learns from is what models train on, never the held-out part.
import { isUtf8 } from "node:buffer";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { tokenizerJson, trainBpe } from "./bpe.ts";
import { splitText } from "./corpus.ts";
import { readCorpus } from "./corpus-text.ts";

export interface TrainedTokenizer {
  /** The text of a `tokenizer.json`; the same corpus and vocabulary give the same text. */
  readonly json: string;
  /** Tokens that it has: fewer than asked for where no pair of them occurs twice any more. */
  readonly vocabulary: number;
  readonly trainingBytes: number;
}

/**
 * Train a byte-level BPE tokenizer of `vocabulary` tokens, the 256 bytes among them, on the training part of a corpus (see `corpus`).
 * Throws the DiagnosticErrors of reading a corpus, and `not-text`.
 */
export async function trainTokenizer(
  corpus: string,
  { vocabulary, field = "text" }: { readonly vocabulary: number; readonly field?: string },
): Promise<TrainedTokenizer> {
  const { training } = splitText(await readCorpus(corpus, field));
  if (!isUtf8(training)) throw new DiagnosticError([error("not-text", `${corpus} is no text in UTF-8`)]);
  const bpe = trainBpe(new TextDecoder("utf-8", { ignoreBOM: true }).decode(training), vocabulary);
  return { json: tokenizerJson(bpe), vocabulary: bpe.tokens.length, trainingBytes: training.length };
}
