// Corpora: the texts that come with packages, files, folders and JSON lines, how they are divided, and what is said where they do not fit.
import { createHash } from "node:crypto";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitText } from "../../runtime/data/corpus.ts";
import { readCorpus } from "../../runtime/data/corpus-text.ts";
import type { Argument } from "../../runtime/data/dataset.ts";
import { openData } from "../../runtime/data/source.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const open = (
  args: readonly Argument[],
  named: Readonly<Record<string, Argument>> = {},
  types: Readonly<Record<string, string>> = { tokens: "i32[8, 129]" },
  below?: number,
) =>
  openData(
    { source: "corpus", args, named, arrays: Object.keys(types) },
    { inputs: Object.entries(types).map(([name, type]) => ({ name, type, source: "data", ...(below === undefined ? {} : { below }) })) },
  );

describe("packaged corpora", () => {
  // The hashes are those of `cat data/*.txt` with LC_ALL=C, and of data/data.txt.
  it("sotu is all addresses in the order of their names", async () => {
    const sotu = await readCorpus("sotu", "text");
    expect(sotu.length).toBe(10_761_413);
    expect(sha256(sotu)).toBe("805ccd2b2645318eb01caa3d4a0d374bee2544c1d5e48d2c66f8feaf7ae25790");
  });

  it("moby-dick is one file, each chapter in it once", async () => {
    const whale = await readCorpus("moby-dick", "text");
    expect(whale.length).toBe(1_204_997);
    expect(sha256(whale)).toBe("fe282a57094ed62e7144fb7c804a9748fc1c909bf3b49d06e7276015f9f67240");
    expect(text(whale).split("Call me Ishmael.").length - 1).toBe(1);
  });
});

describe("files", () => {
  it("a folder gives its text files in the order of their names, with nothing between", async () => {
    for (const [name, content] of Object.entries({
      "b.txt": "b",
      "a10.md": "a10 ",
      "a9.txt": "a9 ",
      "B.txt": "B",
      ".hidden.txt": "no",
      "a.json": "no",
    }))
      folder.write(`mixed/${name}`, content);
    folder.write("mixed/inner/c.txt", "no");
    folder.write("mixed/c.jsonl", '{"text":"c"}\n');
    mkdirSync(join(folder.path, "mixed/d.txt"));
    expect(text(await readCorpus(join(folder.path, "mixed"), "text"))).toBe("Ba10 a9 bc\n");
  });

  it("a file is taken byte for byte, a link as what it names", async () => {
    const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
    const path = folder.write("any.bin", bytes);
    symlinkSync(path, join(folder.path, "link"));
    expect(await readCorpus(join(folder.path, "link"), "text")).toEqual(Buffer.from(bytes));
  });

  it("JSON lines give one field, a newline behind each; blank lines and other fields do not matter", async () => {
    const path = folder.write("x.jsonl", '{"text":"one","n":1}\n\n  \r\n{"text":"zwei\\u00fc\\n"}\r\n{"body":"b","text":""}');
    expect(text(await readCorpus(path, "text"))).toBe("one\nzweiü\n\n\n");
    const other = folder.write("y.ndjson", '{"body":"b"}\n');
    expect(text(await readCorpus(other, "body"))).toBe("b\n");
  });

  it.each<[string, string | Uint8Array, string]>([
    ["no JSON", '{"text":"a"}\n{"text":\n', "bad.jsonl:2: the line is not JSON"],
    ["cut off", '{"text":"a"}\n\n{"text":"b', "bad.jsonl:3: the line is not JSON"],
    ["a list", "[1]\n", "bad.jsonl:1: the line is not a JSON object"],
    ["null", "null\n", "bad.jsonl:1: the line is not a JSON object"],
    ["a number for a text", '{"text":1}\n', "bad.jsonl:1: `text` is not a text"],
    [
      "another field",
      '{"body":"x","id":1}\n',
      'bad.jsonl:1: the record has no field `text`\nhelp: it has `body`, `id`: say which with `field = "..."`',
    ],
    ["no field", "{}\n", "the record has no field `text`\nhelp: it has none"],
    ["no UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "bad.jsonl:1: the line is not JSON"],
  ])("JSON lines with %s are refused by line", async (_, content, message) => {
    const path = folder.write("bad.jsonl", content);
    const said = await refusal(() => readCorpus(path, "text"));
    expect(said).toContain("error[bad-jsonl]");
    expect(said).toContain(message);
  });

  it("does not take what objects inherit for a field", async () => {
    const path = folder.write("proto.jsonl", '{"__proto__":"x"}\n');
    expect(text(await readCorpus(path, "__proto__"))).toBe("x\n");
    expect(await refusal(() => readCorpus(path, "constructor"))).toContain("no field `constructor`");
  });

  it("any bytes as JSON lines give a text or a refusal, and every record that was written comes back", async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        const path = folder.write(`fuzz-${n++ % 4}.jsonl`, bytes);
        await readCorpus(path, "text").catch((problem: Error) => expect(problem.message).toMatch(/error\[(bad-jsonl|empty-corpus)\]/));
      }),
      { numRuns: 300 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ unit: "grapheme" }), { minLength: 1, maxLength: 6 }), async (texts) => {
        const path = folder.write("round.jsonl", texts.map((t) => `${JSON.stringify({ id: 1, text: t })}\n`).join(""));
        expect(text(await readCorpus(path, "text"))).toBe(texts.map((t) => `${t}\n`).join(""));
      }),
      { numRuns: 100 },
    );
  });

  it("says what is missing or empty", async () => {
    expect(await refusal(() => readCorpus("no/such.txt", "text"))).toMatch(
      /error\[no-file\]: cannot read the corpus `no\/such.txt` \(ENOENT.*\n.*`sotu`, `moby-dick`, or a file or folder, relative to the working directory/,
    );
    expect(await refusal(() => readCorpus(folder.write("empty.txt", ""), "text"))).toContain("error[empty-corpus]");
    mkdirSync(join(folder.path, "bare"));
    expect(await refusal(() => readCorpus(join(folder.path, "bare"), "text"))).toContain("help: of a folder the files that end in .txt");
    expect(await refusal(() => readCorpus("/dev/null", "text"))).toContain("neither a file nor a folder");
    // A name that objects have is a path like any other.
    expect(await refusal(() => readCorpus("constructor", "text"))).toContain("error[no-file]");
  });
});

describe("the split", () => {
  it("holds out the last 5 %, and cuts no character", () => {
    const digits = splitText(Buffer.from("0123456789".repeat(10)));
    expect([digits.training.length, digits.heldOut.length]).toEqual([95, 5]);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (string) => {
        const whole = Buffer.from(string);
        const { training, heldOut } = splitText(whole);
        expect(Buffer.concat([training, heldOut])).toEqual(whole);
        expect(text(training) + text(heldOut)).toBe(string.toWellFormed());
        expect(training.length - Math.floor((whole.length * 19) / 20)).toBeLessThanOrEqual(3);
      }),
    );
  });

  it("is the same bytes under every tokenizer", async () => {
    const sotu = splitText(await readCorpus("sotu", "text"));
    expect([sotu.training.length, sotu.heldOut.length]).toEqual([10_223_342, 538_071]);
  });
});

describe("a recipe's call", () => {
  it("opens windows of bytes, the last 5 % held out", async () => {
    const data = await open(["moby-dick"], { tokenizer: "bytes" });
    const whale = await readCorpus("moby-dick", "text");
    expect(data).toMatchObject({ unit: "token", unitsPerExample: 128, fields: [{ scalar: "i32", shape: [129], padding: -1 }] });
    expect(data.count("held-out")).toBe(Math.floor((1_204_997 - 1_144_747) / 129));
    const window = new Int32Array(129);
    data.copy("held-out", 3, 0, window, 0);
    const start = 1_144_747 + 3 * 129;
    expect([...window]).toEqual([...whale.subarray(start, start + 129)]);
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ["two arrays", { tokens: "i32[8, 128]", targets: "i32[8, 128]" }],
    ["floats", { tokens: "f32[8, 129]" }],
    ["a vector", { tokens: "i32[8]" }],
    ["three axes", { tokens: "i32[2, 4, 129]" }],
    ["windows without a target", { tokens: "i32[8, 1]" }],
    ["no array", {}],
  ])("refuses %s", async (_, types) => {
    const said = await refusal(() => open(["moby-dick"], {}, types));
    expect(said).toContain(
      "error[data-shape]: `corpus` yields one array i32[batch, length] with a length of 2 or more; the recipe asks for",
    );
    for (const [name, type] of Object.entries(types)) expect(said).toContain(`${name}: ${type}`);
  });

  it("refuses wrong arguments", async () => {
    expect(await refusal(() => open([]))).toContain("error[bad-source]: `corpus` takes one name or path, got 0");
    expect(await refusal(() => open(["sotu", "moby-dick"]))).toContain("got 2");
    expect(await refusal(() => open([3]))).toContain("the corpus is a text, not 3");
    expect(await refusal(() => open(["sotu"], { tokenizer: 256 }))).toContain("`tokenizer` is a text, not 256");
    expect(await refusal(() => open(["sotu"], { fields: "x" }))).toContain(
      "`corpus` has no argument `fields`; it has `tokenizer` and `field`",
    );
  });

  it("refuses a corpus that fills no window, in either part", async () => {
    const path = folder.write("short.txt", "0123456789".repeat(20));
    expect(await refusal(() => open([path]))).toContain("too short for windows of 129 tokens: 190 to train on, 10 held out");
    const data = await open([path], {}, { tokens: "i32[2, 10]" });
    expect([data.count("training"), data.count("held-out")]).toEqual([20, 1]);
    expect(await refusal(() => open([path], {}, { tokens: "i32[2, 11]" }))).toContain("error[short-corpus]");
  });

  it("refuses tokens that the model has no row for", async () => {
    const path = folder.write("wide.txt", "ascii and zéro ".repeat(200));
    expect(await refusal(() => open([path], {}, undefined, 128))).toMatch(
      /error\[out-of-vocabulary\]: .* has the token 195, but the model's table of tokens has 128 rows\n.*`bytes` has 256 tokens/,
    );
    await expect(open([path], {}, undefined, 256)).resolves.toBeDefined();
    // A model for ASCII reads ASCII: what counts is the tokens that occur.
    await expect(open([folder.write("ascii.txt", "only ascii ".repeat(300))], {}, undefined, 128)).resolves.toBeDefined();
  });
});
