// Training of a byte-level BPE tokenizer (Sennrich et al. 2016, on bytes as in GPT-2), and the `tokenizer.json` that holds it.

/** A trained vocabulary: token i below 256 is the byte i, token 256 + k is made by merge k where no earlier merge made the same bytes. */
export interface Bpe {
  /** Every token's bytes, as characters of {@link byteCharacters}. */
  readonly tokens: readonly string[];
  /** Pairs of ids in the order in which they are merged. */
  readonly merges: readonly (readonly [left: number, right: number])[];
}

/**
 * Learn a vocabulary from a text. The pair of neighbours that occurs most often within words becomes a token, again and again; of equally frequent
 * pairs the one with the smaller ids, left one first, so that the same text always gives the same vocabulary. A pair that occurs once is not
 * worth a token: a small text gives fewer tokens than asked for.
 */
export function trainBpe(text: string, vocabulary: number): Bpe {
  const tokens = [...byteCharacters];
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: [number, number][] = [];
  const words = countWords(text);
  const pairs = new PairCounts();
  for (const word of words) pairs.add(word, 1);

  while (tokens.length < vocabulary) {
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    const [left, right] = best;
    const merged = `${tokens[left]}${tokens[right]}`;
    const id = ids.get(merged) ?? tokens.push(merged) - 1;
    ids.set(merged, id);
    merges.push([left, right]);
    for (const word of pairs.wordsWith(left, right)) {
      pairs.add(word, -1);
      mergeInPlace(word.ids, left, right, id);
      pairs.add(word, 1);
    }
  }
  return { tokens, merges };
}

/** The vocabulary as a `tokenizer.json`, which Hugging Face's libraries read. */
export function tokenizerJson({ tokens, merges }: Bpe): string {
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const file = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      // Own properties, whatever a token is called: `__proto__` may be one.
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map((pair) => pair.map((id) => tokens[id])),
    },
  };
  return `${JSON.stringify(file, null, 1)}\n`;
}

/**
 * GPT-2's printable stand-in for each byte: itself where it is a visible character of Latin-1, else one of those from U+0100 up, in order
 * (`bytes_to_unicode` in openai/gpt-2, src/encoder.py).
 */
export const byteCharacters: readonly string[] = (() => {
  const isVisible = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isVisible(byte) ? byte : 256 + hidden++));
})();

/** Words as GPT-2 cuts them (the pattern of `ByteLevel` with `use_regex`): no merge crosses their ends. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

interface Word {
  /** The word as it is merged so far. */
  readonly ids: number[];
  readonly count: number;
}

function countWords(text: string): readonly Word[] {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const utf8 = new TextEncoder();
  return Array.from(counts, ([word, count]) => ({ ids: [...utf8.encode(word)], count }));
}

/** How often each pair of neighbours occurs, and in which words. */
class PairCounts {
  readonly #pairs = new Map<number, { count: number; readonly words: Set<Word> }>();

  /** Count a word's pairs in (`sign` 1) or out (-1). */
  add(word: Word, sign: 1 | -1): void {
    for (let i = 1; i < word.ids.length; i++) {
      const key = pairKey(word.ids[i - 1] ?? 0, word.ids[i] ?? 0);
      let pair = this.#pairs.get(key);
      if (pair === undefined) {
        pair = { count: 0, words: new Set() };
        this.#pairs.set(key, pair);
      }
      pair.count += sign * word.count;
      if (sign === 1) pair.words.add(word);
      else pair.words.delete(word);
      if (pair.count === 0) this.#pairs.delete(key);
    }
  }

  mostFrequent(): readonly [left: number, right: number] | undefined {
    let best = -1;
    let most = 1;
    for (const [key, { count }] of this.#pairs) {
      if (count > most || (count === most && key < best)) {
        best = key;
        most = count;
      }
    }
    return best < 0 ? undefined : [Math.floor(best / keyBase), best % keyBase];
  }

  wordsWith(left: number, right: number): readonly Word[] {
    return [...(this.#pairs.get(pairKey(left, right))?.words ?? [])];
  }
}

const keyBase = 2 ** 24;
/** Keys are in the order of pairs: left ids first. */
const pairKey = (left: number, right: number): number => left * keyBase + right;

/** Replace each pair by its token, from the left. */
function mergeInPlace(ids: number[], left: number, right: number, merged: number): void {
  let length = 0;
  for (let i = 0; i < ids.length; i++) {
    const isPair = ids[i] === left && ids[i + 1] === right;
    ids[length++] = isPair ? merged : (ids[i] ?? 0);
    if (isPair) i++;
  }
  ids.length = length;
}
