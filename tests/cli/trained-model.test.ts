// `bitloom eval` and `bitloom generate` on a small language model that is trained here: from a run, a checkpoint, or a file with weights.
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli, projectRoot, startCli } from "./run-cli.ts";

let folder = "";
const run = () => join(folder, "run");
const model = () => join(folder, "llama.loom");
const swiftshader = ["--adapter", "swiftshader"];
const small = ["dim=16", "hidden=24", "heads=2", "kv_heads=1", "depth=1"].flatMap((setting) => ["--set", `model.${setting}`]);
const json = async (...args: readonly string[]) => {
  const { code, out, err } = await cli(...args, ...swiftshader, "--json");
  expect([code, err]).toEqual([0, ""]);
  return JSON.parse(out);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-trained-"));
  copyFileSync(join(projectRoot, "models/llama.loom"), model());
  const args = ["train", model(), "demo", ...small, "--policy", "quest_w4a4", "--steps", "12", "--out", run(), ...swiftshader];
  const { code, err } = await cli(...args);
  if (code !== 0) throw new Error(err);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const trainedLoss = (): number =>
  readFileSync(join(run(), "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .findLast((line) => line.val_loss !== undefined).val_loss;

describe("eval", () => {
  test("a run: the loss that training saw, and what follows from it", async () => {
    // The recipe evaluates over 20 batches.
    const result = await json("eval", run(), "--batches", "20");
    expect(result).toMatchObject({ policy: "quest_w4a4", recipe: "demo", targets: 20 * 8 * 128 });
    expect(result.loss).toBe(trainedLoss());
    expect(result.perplexity).toBeCloseTo(Math.exp(result.loss), 12);
    expect(result.bitsPerByte).toBeCloseTo(result.loss / Math.LN2, 12);
    expect(result.accuracy).toBeGreaterThan(0.02);
    expect(result.accuracy).toBeLessThan(0.5);
    expect([result.unigram.toFixed(2), result.bigram.toFixed(2)]).toEqual(["3.11", "2.50"]);
  });

  test("a checkpoint, and a file with weights, are the same model", async () => {
    const checkpoint = join(run(), "checkpoints/step-000012");
    const whole = await json("eval", checkpoint, "--batches", "3");
    const named = ["eval", model(), "demo", ...small, "--policy", "quest_w4a4", "--batches", "3", "--weights"];
    expect((await json(...named, join(checkpoint, "model.safetensors"))).loss).toBe(whole.loss);
    expect((await json(...named, run())).loss).toBe(whole.loss);
  });

  test("another policy on the same weights", async () => {
    const { loss, policy } = await json("eval", run(), "--batches", "20", "--policy", "quest(w = 1, a = 1)");
    expect(policy).toBe("quest(w = 1, a = 1)");
    expect(loss).not.toBe(trainedLoss());
  });

  test("for people", async () => {
    const { code, out, err } = await cli("eval", run(), "--batches", "2", ...swiftshader);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^held-out loss \d\.\d{4} nats per byte \(\d\.\d{3} bits\); unigram table 3\.11, bigram table 2\.50\nperplexity [\d.]+ a token\naccuracy [\d.]+ %\n2048 targets in [\d.]+ s on SwiftShader \(software\)\n$/,
    );
    expect(err).toContain(join(run(), "checkpoints/step-000012"));
  });

  test("a text that has changed since the run is named", async () => {
    const text = readFileSync(model(), "utf8");
    appendFileSync(model(), "// changed\n");
    const { code, err } = await cli("eval", run(), "--batches", "1", ...swiftshader);
    writeFileSync(model(), text);
    expect(code).toBe(0);
    expect(err).toContain(`warning[changed-source]: \`${model()}\` has changed since the run was trained`);
  });
});

describe("packed", () => {
  const packed = () => join(folder, "packed/run.safetensors");
  // Of layers.0: q and o [16, 16], k and v [8, 16], gate and up [24, 16], down [16, 24].
  const weights = 2 * 16 * 16 + 2 * 8 * 16 + 3 * 24 * 16;
  const rows = 2 * 16 + 2 * 8 + 2 * 24 + 16;

  test("a run is exported, evaluated and continued", async () => {
    const exported = await json("export", run(), "-o", packed());
    expect(exported).toMatchObject({ path: packed(), policy: "quest_w4a4", quantizedWeights: weights });
    expect(exported.diagnostics).toBeUndefined();
    expect(exported.bitsPerWeight).toBeCloseTo(4 + (32 * rows) / weights, 12);
    const { loss } = await json("eval", run(), "--batches", "3");
    const named = ["eval", model(), ...small, "--batches", "3", "--weights", packed()];
    const served = await json(...named);
    expect(served).toMatchObject({ policy: "quest_w4a4", recipe: "demo", weights: packed() });
    expect(Math.abs(Math.expm1(served.loss - loss))).toBeLessThan(1e-3);
    expect(await json("generate", model(), ...small, "--prompt", "We", "--tokens", "8", "--weights", packed())).toMatchObject({
      tokens: 8,
      policy: "quest_w4a4",
    });
  });

  test("and verified", async () => {
    const { code, out } = await cli("verify", run(), "--packed", packed(), "--targets", "1000", ...swiftshader);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^weights {3}7 equal: 1920 codes, 112 scales\nfloats {4}\d+ parameters equal: \d+ elements\nlayers {4}7 equal: \d+ codes of activations; \d+ outputs differ by at most \S+ of K eps sum\|a b\|\ntext {6}256 tokens chosen alike.*\nheld-out {2}loss \S+ packed, \S+ in training, on \d+ targets: perplexity differs by \S+ of itself\n.* computes what was trained\n$/,
    );
  });

  test("a text that has changed since the run is named: what is compared is what it makes now", async () => {
    const text = readFileSync(model(), "utf8");
    appendFileSync(model(), "// changed\n");
    // Refused early, for a short test.
    const { err } = await cli("verify", run(), "--packed", packed(), "--policy", "quest(w = 3, a = 4)", ...swiftshader);
    writeFileSync(model(), text);
    expect(err).toContain(`warning[changed-source]: \`${model()}\` has changed since the run was trained`);
    expect(err).toContain("error[packed-mismatch]");
  });

  test.each([
    [
      "a float model is not packed",
      () => ["export", run(), "--policy", "float"],
      "nothing-to-pack",
      "the policy quantizes no weight of this model",
    ],
    ["nor is a packed one", () => ["export", run(), "--weights", packed()], "nothing-to-pack", "is packed already"],
    [
      "another policy",
      () => ["eval", run(), "--weights", packed(), "--policy", "quest(w = 3, a = 4)"],
      "packed-mismatch",
      "does not hold this model's packed weights\nhelp: the policy is `quest_w4a4` in the file and `quest(w = 3, a = 4)` here\n",
    ],
    [
      "another model",
      () => ["eval", join(projectRoot, "models/gpt.loom"), "--weights", packed()],
      "packed-mismatch",
      "models/gpt.loom` has no recipe `demo`; there is `small`\n",
    ],
    ["another size", () => ["eval", model(), "--weights", packed()], "packed-mismatch", "help: the model has dim = 16, "],
    [
      "training",
      () => ["train", model(), "demo", ...small, "--init", packed(), "--out", join(folder, "none")],
      "init-mismatch",
      "holds packed weights",
    ],
    [
      "no packed file",
      () => ["verify", run(), "--packed", join(run(), "checkpoints/step-000012/model.safetensors")],
      "bad-packed",
      "is no packed file",
    ],
  ])("%s", async (_, args, code, message) => {
    const said = await cli(...args(), ...swiftshader);
    expect([said.code, said.out]).toEqual([1, ""]);
    expect(said.err).toContain(`error[${code}]: `);
    expect(said.err).toContain(message);
  });
});

describe("generate", () => {
  const made = () => ["generate", run(), "--prompt", "We", "--tokens", "40"] as const;

  test("continues the prompt, the same way each time", async () => {
    const first = await json(...made());
    expect(first).toMatchObject({ prompt: "We", promptTokens: 2, tokens: 40, ended: "tokens", slides: 0, policy: "quest_w4a4" });
    expect(Buffer.from(first.text).length).toBeGreaterThanOrEqual(40);
    const { out, err } = await cli(...made(), ...swiftshader);
    expect(out).toBe(`We${first.text}\n`);
    expect(err).toMatch(/, context 128, weights /);
    expect(err).toMatch(/^40 tokens in [\d.]+ s: [\d.]+ tokens\/s; prompt of 2 in \d+ ms$/m);
  });

  test("draws by seed", async () => {
    const draw = async (...more: readonly string[]) =>
      (await json(...made(), "--temperature", "1.2", "--top-k", "50", "--top-p", "0.95", ...more)).text;
    const first = await draw("--seed", "5");
    expect(await draw("--seed", "5")).toBe(first);
    expect(await draw("--seed", "6")).not.toBe(first);
  });

  test("a context that is smaller than the text slides, or ends it", async () => {
    const slid = await json(...made(), "--context", "16");
    expect(slid).toMatchObject({ tokens: 40, ended: "tokens" });
    expect(slid.slides).toBeGreaterThan(2);
    expect(await json(...made(), "--context", "16", "--context-end", "stop")).toMatchObject({ tokens: 15, ended: "context" });
    const { code, err } = await cli(
      "generate",
      run(),
      "--prompt",
      "x".repeat(20),
      "--context",
      "16",
      "--context-end",
      "stop",
      ...swiftshader,
    );
    expect(code).toBe(1);
    expect(err).toContain("error[bad-prompt]: the prompt has 20 tokens, the context holds 16");
  });

  test("the prompt from the standard input, in a process of its own", async () => {
    const { child, said } = startCli(["generate", run(), "--prompt", "-", "--tokens", "8", "--json", ...swiftshader]);
    child.stdin?.end("Dear é");
    const { code, out } = await said;
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ prompt: "Dear é", promptTokens: 7, tokens: 8 });
  });
});

describe("models that cannot be used so", () => {
  test.each<[string, () => readonly string[], string]>([
    ["a file without weights", () => ["eval", model(), "demo"], "error[no-weights]"],
    ["a folder without a run", () => ["eval", projectRoot], "error[no-run]"],
    ["nothing of the name", () => ["generate", join(folder, "other")], "error[unknown-file]"],
    ["weights of another model", () => ["eval", run(), "--set", "model.hidden=32"], "error[init-mismatch]"],
    ["weights that are not there", () => ["eval", model(), "demo", "--weights", join(folder, "none.safetensors")], "error[no-file]"],
    ["no temperature", () => ["generate", run(), "--temperature=-1"], "error[bad-sampling]"],
    ["a run that says too little", () => ["eval", bare()], "does not say which model file"],
  ])("%s", async (_what, args, message) => {
    const { code, err } = await cli(...args(), ...swiftshader);
    expect(err).toContain(message);
    expect(code).toBe(1);
  });

  const bare = (): string => {
    const path = join(folder, "bare");
    if (!existsSync(path)) mkdirSync(path);
    writeFileSync(join(path, "config.resolved.json"), "{}");
    return path;
  };

  test("a classifier continues no text, and the warning says why", async () => {
    const { code, err } = await cli("generate", "models/mlp.loom", "digits", "--weights", run(), ...swiftshader);
    expect(code).toBe(1);
    expect(err).toContain("warning[no-cache]: `@prefill` and `@decode` are left out: its input `images` is not i32[B, T]");
    expect(err).toContain("error[no-entry]: `models/mlp.loom` is no model that continues text");
  });
});
