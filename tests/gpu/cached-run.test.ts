// Runs with a cache against runs without one, on every adapter: the cached run is fed the greedy tokens of the uncached one, and must choose
// the same next token at 200 positions, except where the two best logits lie within 1e-3, which is counted.
import { afterAll, describe, expect, test } from "vitest";
import { type CompileOptions, compile } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { contextOf, generate } from "../../runtime/generate.ts";
import { mostLikely } from "../../runtime/sampling.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { llamaSource, textBatches } from "../support/llama.ts";

const context = 256;
const positions = 200;
const near = 1e-3;
const prompt = [..."We the people"].map((c) => c.charCodeAt(0));

const small = ["model.dim=32", "model.depth=2", "model.hidden=48", "B=1", `T=${context}`];
interface Variant {
  readonly policy: string;
  readonly set: readonly string[];
  /** Steps of training on text; random weights without. */
  readonly steps?: number;
}
const variants: Readonly<Record<string, Variant>> = {
  "random weights": { policy: "float", set: [...small, "model.heads=4", "model.kv_heads=4", "model.deviation=0.3"] },
  "random weights, grouped heads, heads of 10 channels": {
    policy: "float",
    set: [...small, "model.dim=40", "model.heads=4", "model.kv_heads=2", "model.deviation=0.4"],
  },
  "random weights, 4-bit weights and activations": {
    policy: "quest_w4a4",
    set: [...small, "model.heads=2", "model.kv_heads=1", "model.deviation=0.3"],
  },
  "trained, 4-bit weights and activations": { policy: "quest_w4a4", set: [...small, "model.heads=2", "model.kv_heads=2"], steps: 240 },
};

const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  const open = async ({ policy, set, steps }: Variant, options: CompileOptions = {}): Promise<Session> => {
    const entries = ["logits", "prefill", "decode", ...(steps === undefined ? [] : ["train"])];
    const artifact = unwrap(
      compile(llamaSource(4, 48), {
        recipe: "demo",
        policy,
        set: [...set, "schedule.peak=1e-2", "schedule.warmup=10", "schedule.steps=240"],
        inference: { context },
        entries: (name) => entries.includes(name),
        targets: [await targetOn(await device)],
        portable: false,
        ...options,
      }),
    );
    const session = await Session.open(artifact, await device, { seed: 3 });
    const batches = textBatches(4, 48);
    for (let step = 0; step < (steps ?? 0); step++) await session.run("train", batches(step), { step });
    return session;
  };

  // Training takes SwiftShader long, and what it trains is a model like the random ones; so are plain heads beside grouped ones.
  const isSlow = adapter.description.adapterClass === "swiftshader" && adapters.length > 1;
  const tried = Object.entries(variants).filter(([what, { steps }]) => !(isSlow && (steps !== undefined || what === "random weights")));
  test.each(tried)("%s", { timeout: 120_000 }, async (what, variant) => {
    using session = await open(variant);
    const ids = new Int32Array(context);
    ids.set(prompt);
    /** Logits behind the first `length` ids, without a cache. */
    const uncached = async (length: number) => {
      const { logits } = await session.run("logits", { ids });
      const vocabulary = logits!.length / context;
      return logits!.subarray((length - 1) * vocabulary, length * vocabulary);
    };
    const chunk = new Int32Array(64);
    chunk.set(prompt);
    let cached = (await session.run("prefill", { ids: chunk, first: Int32Array.of(0), last: Int32Array.of(prompt.length - 1) }))["logits"]!;
    const told = { same: 0, close: 0, worst: 0, tokens: new Set<number>() };
    for (let i = 0; i < positions; i++) {
      const length = prompt.length + i;
      const expected = await uncached(length);
      const token = mostLikely(expected);
      const gap = expected[token]! - Math.max(...expected.filter((_, id) => id !== token));
      for (const [id, logit] of expected.entries()) told.worst = Math.max(told.worst, Math.abs(logit - cached[id]!));
      if (mostLikely(cached) === token) told.same++;
      else {
        expect(gap, `position ${length}`).toBeLessThan(near);
        told.close++;
      }
      told.tokens.add(token);
      ids[length] = token;
      cached = (await session.run("decode", { ids: Int32Array.of(token), first: Int32Array.of(length) }))["logits"]!;
    }
    process.stderr.write(
      `${adapter.name}, ${what}: ${told.same} of ${positions} the same, ${told.close} within ${near}, ${told.tokens.size} different tokens, ` +
        `logits differ by ${told.worst.toExponential(1)} at most\n`,
    );
    expect(told.same + told.close).toBe(positions);
    // A run of one token would show little.
    expect(told.tokens.size).toBeGreaterThan(3);

    // What `generate` makes greedily are these tokens, until one is as likely as another.
    const made: number[] = [];
    for await (const token of generate(session, { prompt, tokens: 60 })) made.push(token);
    if (told.close === 0) expect(made).toEqual([...ids.slice(prompt.length, prompt.length + 60)]);
  });

  test("the end of the context: the text stops, or goes on from its newest half", { timeout: 60_000 }, async () => {
    using session = await open(variants["random weights"]!, { inference: { context: 16, chunk: 6 } });
    expect(contextOf(session)).toBe(16);
    const run = async (options: Omit<Parameters<typeof generate>[1], "prompt">, from: readonly number[] = prompt) => {
      const made: number[] = [];
      const text = generate(session, { prompt: from, ...options });
      for (;;) {
        const { done, value } = await text.next();
        if (done === true) return { made, ...value };
        made.push(value);
      }
    };
    const stopped = await run({});
    expect(stopped).toMatchObject({ ended: "context", tokens: 16 - prompt.length + 1, slides: 0 });
    const slid = await run({ tokens: 20, atContextEnd: "slide" });
    expect(slid).toMatchObject({ ended: "tokens", tokens: 20, slides: 2 });
    expect(slid.made.slice(0, stopped.made.length)).toEqual(stopped.made);
    // Behind a slide the text is that of its newest half.
    const whole = [...prompt, ...slid.made];
    const again = await run({ tokens: 3 }, whole.slice(17 - 8, 17));
    expect(again.made).toEqual(whole.slice(17, 20));
    // A prompt that is longer than the context begins with its end, or is refused.
    const long = Array.from({ length: 40 }, (_, i) => 65 + (i % 26));
    expect((await run({ tokens: 4, atContextEnd: "slide" }, long)).made).toEqual((await run({ tokens: 4 }, long.slice(-8))).made);
    await expect(run({}, long)).rejects.toThrow("the prompt has 40 tokens, the context holds 16");
    await expect(run({}, [])).rejects.toThrow("at least");
    await expect(run({}, [256])).rejects.toThrow("the prompt has the token 256, the model knows 0 to 255");
    // Sampling depends on the seed alone, and a signal ends the text.
    const sampled = (seed: number) => run({ tokens: 12, temperature: 1.5, topK: 40, seed, atContextEnd: "slide" });
    expect(await sampled(1)).toMatchObject({ made: (await sampled(1)).made });
    expect((await sampled(1)).made).not.toEqual((await sampled(2)).made);
    expect(await run({ signal: AbortSignal.abort() })).toMatchObject({ made: [], ended: "aborted" });
  });

  test("artifacts that continue no text, or several at a time", { timeout: 60_000 }, async () => {
    using without = await open(variants["random weights"]!, { entries: (name) => name === "logits" });
    await expect(generate(without, { prompt }).next()).rejects.toThrow("no entries that continue a text");
    using two = await open({ ...variants["random weights"]!, set: [...variants["random weights"]!.set, "B=2"] });
    await expect(generate(two, { prompt }).next()).rejects.toThrow("continues 2 texts at a time, not one");
  });
});
