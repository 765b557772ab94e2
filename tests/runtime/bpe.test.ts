// BPE training: against the textbook's algorithm, deterministic, and its file read by Hugging Face's library without a loss.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteCharacters, tokenizerJson, trainBpe } from "../../runtime/data/bpe.ts";
import { readCorpus } from "../../runtime/data/corpus-text.ts";
import { decode } from "../../runtime/data/tokenizer.ts";
import { readTokenizer } from "../../runtime/data/tokenizer-file.ts";
import { trainTokenizer } from "../../runtime/data/train-tokenizer.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** What the test calls of the library. */
interface WholeText {
  encode(text: string, options: { readonly add_special_tokens: false }): { readonly ids: readonly number[] };
  decode(ids: readonly number[], options: { readonly clean_up_tokenization_spaces: false }): string;
}

const folder = temporaryFolder();
const utf8 = new TextEncoder();
/** Texts with much to merge: few letters, spaces, line ends, contractions, characters of two to four bytes. */
const texts = fc.string({ unit: fc.constantFrom("a", "b", "c", " ", " ", "\n", "'s", "1", ".", "é", "—", "𝄞", "\u0000"), maxLength: 120 });

/** Sennrich et al. 2016, algorithm 1, word for word: counts again after every merge. */
function textbook(text: string, vocabulary: number) {
  const words = (text.match(/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu) ?? []).map((word) => [
    ...utf8.encode(word),
  ]);
  const tokens = [...byteCharacters];
  const merges: (readonly [number, number])[] = [];
  while (tokens.length < vocabulary) {
    const counts = new Map<string, number>();
    for (const word of words)
      for (let i = 1; i < word.length; i++) counts.set(`${word[i - 1]},${word[i]}`, (counts.get(`${word[i - 1]},${word[i]}`) ?? 0) + 1);
    const ranked = [...counts].map(([pair, count]) => [...(pair.split(",").map(Number) as [number, number]), count] as const);
    const [left, right, count] = ranked.sort((x, y) => y[2] - x[2] || x[0] - y[0] || x[1] - y[1])[0] ?? [0, 0, 0];
    if (count < 2) break;
    merges.push([left, right]);
    const token = `${tokens[left]}${tokens[right]}`;
    if (!tokens.includes(token)) tokens.push(token);
    for (const word of words)
      for (let i = 0; i + 1 < word.length; i++) if (word[i] === left && word[i + 1] === right) word.splice(i, 2, tokens.indexOf(token));
  }
  return { tokens, merges };
}

describe("training", () => {
  it("is the textbook's, with ties to the smaller ids", () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 256, max: 290 }), (text, vocabulary) => {
        expect(trainBpe(text, vocabulary)).toEqual(textbook(text, vocabulary));
      }),
      { numRuns: 300 },
    );
  });

  it("merges by hand", () => {
    // Words: "aaab", " aaab", " b". Pairs: aa 4 (twice in each), ab 2, space-a 1, space-b 1.
    const { tokens, merges } = trainBpe("aaab aaab b", 300);
    const [a, b] = [0x61, 0x62];
    expect(merges).toEqual([
      [a, a],
      [a, b],
      [256, 257],
    ]);
    expect(tokens.slice(256)).toEqual(["aa", "ab", "aaab"]);
  });

  it("stands for bytes as GPT-2 does", () => {
    expect(new Set(byteCharacters).size).toBe(256);
    expect([0x20, 0x0a, 0x41, 0x00, 0xad, 0xff].map((byte) => byteCharacters[byte])).toEqual(["Ġ", "Ċ", "A", "Ā", "Ń", "ÿ"]);
  });

  it("takes names that objects inherit for tokens like any other", async () => {
    const text = "__proto__ constructor ".repeat(40);
    const path = folder.write("proto.json", tokenizerJson(trainBpe(text, 400)));
    const tokenizer = await readTokenizer(path);
    expect(Object.keys(JSON.parse(readFileSync(path, "utf8")).model.vocab)).toContain("Ġconstructor");
    expect(decode(tokenizer, tokenizer.encode(utf8.encode(text), "text"))).toBe(text);
  });
});

describe("a trained tokenizer", () => {
  it("gives back every text, of which it need not have seen anything", async () => {
    await fc.assert(
      fc.asyncProperty(texts, texts, fc.string({ unit: "binary" }), async (seen, like, any) => {
        const tokenizer = await readTokenizer(folder.write("round.json", tokenizerJson(trainBpe(seen, 280))));
        for (const text of [seen, like, any.toWellFormed()]) {
          const ids = tokenizer.encode(utf8.encode(text), "text");
          expect(decode(tokenizer, ids)).toBe(text);
          expect(ids.every((id) => id < tokenizer.vocabulary)).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });

  it("learns from the training split of Moby Dick alone, in the same way each time, and reads the rest", async () => {
    const first = await trainTokenizer("moby-dick", { vocabulary: 1024 });
    expect(first).toMatchObject({ vocabulary: 1024, trainingBytes: 1_144_747 });
    expect((await trainTokenizer("moby-dick", { vocabulary: 1024 })).json).toBe(first.json);
    const whale = await readCorpus("moby-dick", "text");
    const training = new TextDecoder().decode(whale.subarray(0, 1_144_747));
    expect(tokenizerJson(trainBpe(training, 1024))).toBe(first.json);

    const tokenizer = await readTokenizer(folder.write("whale.json", first.json));
    const ids = tokenizer.encode(whale, "moby-dick");
    expect(ids).toBeInstanceOf(Uint16Array);
    expect(whale.length / ids.length).toBeGreaterThan(2.2);
    // In pieces or in one go: the tokens are the same.
    const { Tokenizer } = await import("@huggingface/tokenizers");
    // Its own declarations lack the file endings that Node's resolution asks for.
    const Library = Tokenizer as unknown as new (file: object, config: object) => WholeText;
    const library = new Library(JSON.parse(first.json), {});
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(whale);
    const whole = library.encode(text, { add_special_tokens: false }).ids;
    expect(Buffer.from(Uint16Array.from(whole).buffer).equals(Buffer.from(ids.buffer))).toBe(true);
    expect(library.decode([...ids], { clean_up_tokenization_spaces: false })).toBe(text);
  });

  it("has fewer tokens than asked for where a text has nothing more to merge", async () => {
    expect(trainBpe("", 1000).tokens.length).toBe(256);
    const path = folder.write("tiny.txt", "abc abc ".repeat(2).padEnd(200, "xyz"));
    expect((await trainTokenizer(path, { vocabulary: 4096 })).vocabulary).toBeLessThan(300);
    expect(await refusal(() => trainTokenizer(folder.write("latin.txt", Uint8Array.of(0xe9, 0x20, 0xe9)), { vocabulary: 300 }))).toContain(
      "error[not-text]",
    );
  });
});
