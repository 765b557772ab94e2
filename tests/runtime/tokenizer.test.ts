// Tokenizers: ids back to text as they come, files of other makers, and what is said of files and texts that do not fit.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { byteCharacters, tokenizerJson, trainBpe } from "../../runtime/data/bpe.ts";
import { corpusTokenizer } from "../../runtime/data/corpus.ts";
import { bytes, decode, type Tokenizer } from "../../runtime/data/tokenizer.ts";
import { readTokenizer } from "../../runtime/data/tokenizer-file.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const utf8 = new TextEncoder();
// Merges inside and across characters: tokens end in the middle of them.
const trained = await readTokenizer(
  folder.write("trained.json", tokenizerJson(trainBpe("né né né — — 𝄞𝄞 𝄞𝄞 дом дома домой ".repeat(3), 290))),
);

const pieces = (tokenizer: Tokenizer, ids: Iterable<number>) => {
  const decoder = tokenizer.decoder();
  return [...Array.from(ids, (id) => decoder.push(id)), decoder.end()];
};

describe.each([bytes, trained])("decoding with $name", (tokenizer) => {
  const decodeWhole = (data: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(data);

  it("gives the same text in pieces as at once, and no half characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("n", "é", " ", "—", "𝄞", "д", "о", "м", "\uFEFF", "\n") }), (text) => {
        const parts = pieces(tokenizer, tokenizer.encode(utf8.encode(text), "text"));
        expect(parts.join("")).toBe(text);
        expect(parts.join("|")).not.toContain("\uFFFD");
        expect(parts.at(-1)).toBe("");
      }),
    );
  });

  it("gives out a character with its last byte", () => {
    const ids = tokenizer.encode(utf8.encode("😀"), "text");
    expect(pieces(tokenizer, ids)).toEqual([...new Array(ids.length - 1).fill(""), "😀", ""]);
  });

  it("of any ids is the text of their bytes, with U+FFFD for what is no character", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(255)), (ids) => {
        // Both tokenizers have the byte i as token i.
        expect(decode(tokenizer, ids)).toBe(decodeWhole(Uint8Array.from(ids)));
      }),
      { numRuns: 500 },
    );
    expect(pieces(tokenizer, [0xe2, 0x82])).toEqual(["", "", "\uFFFD"]);
    expect(decode(tokenizer, [0x61, 99_999, 0x62])).toBe("a\uFFFDb");
  });
});

describe("a recipe's tokenizer", () => {
  it("is bytes, or read from its file", async () => {
    expect(await corpusTokenizer({})).toBe(bytes);
    expect(await corpusTokenizer({ tokenizer: "bytes", field: "body" })).toBe(bytes);
    expect(await corpusTokenizer({ tokenizer: trained.name })).toMatchObject({ name: trained.name, vocabulary: trained.vocabulary });
  });
});

/** The parts that the library wants. */
const file = (model: unknown, more: object = {}) => ({
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model,
  ...more,
});
const read = (content: unknown) => readTokenizer(folder.write("t.json", typeof content === "string" ? content : JSON.stringify(content)));

describe("files of other makers", () => {
  it("of words with an unknown token give it for what they do not have", async () => {
    const vocab = { "[UNK]": 0, the: 1, whale: 2, "##s": 3 };
    const tokenizer = await read(
      file(
        { type: "WordPiece", vocab, unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100 },
        { pre_tokenizer: { type: "Whitespace" }, decoder: { type: "WordPiece", prefix: "##", cleanup: false } },
      ),
    );
    const ids = tokenizer.encode(utf8.encode("the whales swim"), "text");
    expect([...ids]).toEqual([1, 2, 3, 0]);
    expect(ids).toBeInstanceOf(Uint8Array);
    expect(decode(tokenizer, ids)).toBe("the whales [UNK]");
    expect(pieces(tokenizer, [1, 2, 3])).toEqual(["the", " whale", "s", ""]);
  });

  it("with tokens of their own count these, and put nothing around a text", async () => {
    const model = { type: "BPE", vocab: Object.fromEntries(byteCharacters.map((c, i) => [c, i])), merges: [] };
    const added = { id: 300, content: "<|end|>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
    const template = {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<|end|>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: {},
    };
    const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
    const tokenizer = await read(
      file(model, { added_tokens: [added], post_processor: template, pre_tokenizer: byteLevel, decoder: byteLevel }),
    );
    expect(tokenizer.vocabulary).toBe(301);
    const ids = tokenizer.encode(utf8.encode("a<|end|>é"), "text");
    expect([...ids]).toEqual([0x61, 300, 0xc3, 0xa9]);
    expect(decode(tokenizer, ids)).toBe("a<|end|>é");
    expect(decode(tokenizer, [299])).toBe("\uFFFD");
  });

  it("that would leave characters out without a word are refused for texts with them", async () => {
    const tokenizer = await read(file({ type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: [["a", "b"]] }));
    expect([...tokenizer.encode(utf8.encode("abba"), "text")]).toEqual([2, 1, 0]);
    expect(await refusal(() => tokenizer.encode(utf8.encode("abc"), "my.txt"))).toMatch(
      /error\[out-of-vocabulary\]: my.txt: `.*t.json` has no token for "c"/,
    );
  });

  it("need text in UTF-8", async () => {
    expect(await refusal(() => trained.encode(Uint8Array.of(0x61, 0xff), "my.bin"))).toMatch(
      /error\[not-text\]: my.bin .*\n.*`tokenizer = bytes` takes any data/,
    );
  });
});

describe("files that are no tokenizer", () => {
  const vocab = { a: 0 };
  it.each<[string, unknown, string]>([
    ["text", "hello", "not JSON"],
    ["a list", [], "not a JSON object"],
    ["nothing in it", {}, "it has no `model`"],
    ["no vocabulary", file({ type: "BPE", merges: [] }), "its model has no `vocab`"],
    ["an empty vocabulary", file({ type: "BPE", vocab: {}, merges: [] }), "its vocabulary is empty"],
    ["an endless id", file({ type: "BPE", vocab: { a: 4e9 }, merges: [] }), "4000000000 is no token id"],
    ["a negative id", file({ type: "BPE", vocab: { a: -1 }, merges: [] }), "-1 is no token id"],
    ["a text for an id", file({ type: "BPE", vocab: { a: "0" }, merges: [] }), '"0" is no token id'],
    ["no added tokens", { ...file({ type: "BPE", vocab, merges: [] }), added_tokens: undefined }, "it has no `added_tokens`"],
    ["an unknown model", file({ type: "Magic", vocab, merges: [] }), 'models of type "Magic" are not read'],
    ["merges of another kind", file({ type: "BPE", vocab, merges: 3 }), ""],
    ["an unknown part", file({ type: "BPE", vocab, merges: [] }, { normalizer: { type: "Magic" } }), "Magic"],
  ])("%s", async (_, content, message) => {
    const said = await refusal(() => read(content));
    expect(said).toContain("error[bad-tokenizer]");
    expect(said).toContain(message);
  });

  it("and none at all", async () => {
    expect(await refusal(() => readTokenizer("no/such.json"))).toMatch(
      /error\[no-file\]: cannot read the tokenizer `no\/such.json`.*\n.*`bitloom tokenizer CORPUS` makes one/,
    );
  });

  it("never throw anything but a diagnostic, whatever was changed in them", async () => {
    const good = tokenizerJson(trainBpe("the whale the whale", 262));
    const paths = [
      "type",
      "vocab",
      "merges",
      "model",
      "decoder",
      "pre_tokenizer",
      "added_tokens",
      "use_regex",
      "normalizer",
      "post_processor",
      "unk_token",
      "byte_fallback",
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 2 }), async (key, value) => {
        const changed = JSON.parse(good, (k, v) => (k === key ? value : v)) as unknown;
        try {
          const tokenizer = await read(changed);
          decode(tokenizer, tokenizer.encode(utf8.encode("the whale 1.\n"), "text"));
        } catch (problem) {
          expect(problem).toBeInstanceOf(DiagnosticError);
        }
      }),
      { numRuns: 400 },
    );
  });
});
