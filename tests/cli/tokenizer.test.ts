// `bitloom tokenizer`, and what `train` says of a run on text.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { corpusLoss } from "../../cli/corpus-loss.ts";
import { bytes } from "../../runtime/data/tokenizer.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { cli } from "./run-cli.ts";

const folder = temporaryFolder();

describe("bitloom tokenizer", () => {
  test("writes a tokenizer of the training part, the same each time", async () => {
    const path = join(folder.path, "made/whale.json");
    const first = await cli("tokenizer", "moby-dick", "--vocab", "400", "-o", path);
    expect(first).toMatchObject({ code: 0, err: "" });
    expect(first.out).toMatch(/^wrote .*whale.json: 400 tokens from 1144747 bytes in [\d.]+ s\n$/);
    const text = readFileSync(path, "utf8");
    const again = await cli("tokenizer", "moby-dick", "--vocab", "400", "-o", path, "--json");
    expect(JSON.parse(again.out)).toMatchObject({ path, vocabulary: 400, trainingBytes: 1_144_747 });
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  test("reads a field of JSON lines, and says where a text has no more to learn", async () => {
    const path = folder.write("x.jsonl", '{"body":"abab abab abab abab "}\n'.repeat(3));
    const { code, out, err } = await cli("tokenizer", path, "--field", "body", "-o", join(folder.path, "x.json"));
    expect({ code, err }).toEqual({ code: 0, err: expect.stringMatching(/^no pair of tokens occurs twice after 2\d\d tokens/) });
    expect(out).toContain("x.json: 2");
  });

  test("refuses what is no corpus, and fewer tokens than there are bytes", async () => {
    expect(await cli("tokenizer", "no/such")).toMatchObject({ code: 1, err: expect.stringContaining("error[no-file]") });
    expect(await cli("tokenizer", "moby-dick", "--vocab", "255")).toMatchObject({ code: 2, err: expect.stringContaining("at least 256") });
    expect(existsSync("tokenizer.json")).toBe(false);
  });
});

test("a model's loss stands beside the tables' and per byte", () => {
  const corpus = { tokenizer: bytes, training: Uint8Array.of(1, 2, 1, 2, 1), heldOut: Uint8Array.of(2, 1, 2, 1), heldOutBytes: 4 };
  const { words, bitsPerByte, unigram, bigram } = corpusLoss(Math.LN2, corpus);
  expect(words).toBe(`0.6931 nats per byte (1.000 bits); unigram table ${unigram.toFixed(2)}, bigram table ${bigram.toFixed(2)}`);
  expect(bitsPerByte).toBeCloseTo(1, 12);
  expect(bigram).toBeLessThan(unigram);
  const coarser = corpusLoss(2 * Math.LN2, { ...corpus, heldOutBytes: 16 });
  expect(coarser.words).toContain("1.3863 nats per token (0.500 bits per byte); unigram table");
});

/** A table of logits for each token, which is all that a bigram model is: a few kernels, quick on any adapter. */
const bigramModel = (corpus: string) => `
use std.{Embedding}
module Table(vocab: int = 256) {
  after = Embedding(vocab, vocab)
  fn (ids: i32[B, T]) -> f32[B, T, vocab] { return after(ids) }
}
train table of Table {
  data tokens: i32[8, 129] = corpus(${corpus})
  loss { return cross_entropy(model(tokens[.., 0..128]), tokens[.., 1..129]) }
  optimizer adamw { decay = 0.0 }
  schedule constant { rate = 1e-1, steps = 16 }
  eval every 16 { loss over 4 }
}
`;

test("training on text says so, per byte, in words and as JSON", async () => {
  const model = folder.write("sotu.loom", bigramModel('"sotu", tokenizer = bytes'));
  const args = ["train", model, "table", "--adapter", "swiftshader"] as const;
  const said = await cli(...args, "--out", join(folder.path, "run"));
  expect(said).toMatchObject({ code: 0 });
  const [, loss, bits] =
    /^held-out loss ([34]\.\d{4}) nats per byte \((\d\.\d{3}) bits\); unigram table 3\.11, bigram table 2\.50$/m.exec(said.out) ?? [];
  expect(Number(bits)).toBeCloseTo(Number(loss) / Math.LN2, 2);
  const metrics = readFileSync(join(folder.path, "run/metrics.jsonl"), "utf8").split("\n");
  expect(JSON.parse(metrics[0] ?? "")).toMatchObject({ step: 1, tokens_per_s: expect.any(Number) });
  const json = JSON.parse((await cli(...args, "--steps", "1", "--out", join(folder.path, "json"), "--json")).out);
  expect(json.heldOut).toMatchObject({ bitsPerByte: expect.closeTo(json.heldOut.loss / Math.LN2, 9), unigram: expect.closeTo(3.1077, 4) });
});

test("a model without rows for the tokenizer's tokens is refused before it trains", async () => {
  const path = join(folder.path, "big.json");
  await cli("tokenizer", "moby-dick", "--vocab", "300", "-o", path);
  const model = folder.write("rows.loom", bigramModel(`"moby-dick", tokenizer = "${path}"`));
  const said = await cli("train", model, "table", "--adapter", "swiftshader", "--out", join(folder.path, "refused"));
  expect(said.code).toBe(1);
  expect(said.err).toMatch(
    /error\[out-of-vocabulary\]: `moby-dick` has the token \d+, but the model's table of tokens has 256 rows\nhelp: .*`--set model.vocab=300`/,
  );
  expect(existsSync(join(folder.path, "refused/metrics.jsonl"))).toBe(false);
});
