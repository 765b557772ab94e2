// Tokenizers: text to whole numbers and back. The bytes of UTF-8 are the simplest; others are read from a `tokenizer.json`.

/** Token ids, in the smallest elements that hold the vocabulary. */
export type Tokens = Uint8Array | Uint16Array | Uint32Array;

export interface Tokenizer {
  /** `bytes`, or the path of its file. */
  readonly name: string;
  /** Ids are whole numbers below this. */
  readonly vocabulary: number;
  /**
   * The tokens of a text in UTF-8, without tokens for its beginning and end. Throws a DiagnosticError that names `path`, the text's place:
   * `not-text`, or `out-of-vocabulary` where the tokenizer has no token for a part of the text.
   */
  encode(text: Uint8Array, path: string): Tokens;
  /** A reader of ids as they come, for text that is shown while it is generated. */
  decoder(): Decoder;
}

/**
 * Ids to text, one by one. What it gives out in all is the text of all ids; a character whose last byte is yet to come is held back. Bytes that are no
 * character and ids beyond the vocabulary become U+FFFD.
 */
export interface Decoder {
  push(id: number): string;
  /** What was held back. */
  end(): string;
}

/** What stands for what is no character. */
export const replacement = "\uFFFD";

/** A byte is a token: any text or other data. */
export const bytes: Tokenizer = {
  name: "bytes",
  vocabulary: 256,
  encode: (text) => text,
  decoder() {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      push: (id) => (id < 256 ? utf8.decode(Uint8Array.of(id), { stream: true }) : utf8.decode() + replacement),
      end: () => utf8.decode(),
    };
  },
};

/** The text of some ids. */
export function decode(tokenizer: Tokenizer, ids: Iterable<number>): string {
  const decoder = tokenizer.decoder();
  let text = "";
  for (const id of ids) text += decoder.push(id);
  return text + decoder.end();
}
