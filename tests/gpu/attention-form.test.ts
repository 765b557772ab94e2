// Attention as one op against the same written out in products and a softmax: results and gradients, in the interpreter, as a plan on
// the CPU, and on every adapter. And what it is for: memory that grows with the length of the sequence, not with its square.
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { shapeOf } from "../../ir/type.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { Session } from "../../runtime/session.ts";
import { uniform } from "../ops/support/values.ts";
import { availableAdapters } from "../support/adapters.ts";
import { type Arrays, allBackends, stateTypes, targetOn } from "../support/backends.ts";
import { llamaSource, textBatches } from "../support/llama.ts";
import { runSteps } from "../support/quantized-linear.ts";

const [batch, length, heads, channels] = [2, 13, 2, 8];

/** A loss over attention of three parameters, whose gradients an SGD step of rate 1 leaves in the parameters. */
const source = (body: string) => `
module Net() {
  param q: f32[${batch}, ${length}, ${heads}, ${channels}] = normal(0.0, 1.0)
  param k: f32[${batch}, ${length}, ${heads}, ${channels}] = normal(0.0, 1.0)
  param v: f32[${batch}, ${length}, ${heads}, ${channels}] = normal(0.0, 1.0)

  fn (ct: f32[${batch}, ${length}, ${heads}, ${channels}]) -> f32[] {
${body}
    return sum(out * ct)
  }
}

train step of Net {
  data ct: f32[${batch}, ${length}, ${heads}, ${channels}] = mnist()
  loss { return model(ct) }
  optimizer sgd { momentum = 0.0, decay = 0.0 }
  schedule constant { rate = 1.0, steps = 1 }
}
`;

const fused = (causal: boolean) => source(`    let out = attention(q, k, v, causal = ${causal})`);

/** With arithmetic right in front of attention and right behind it, which must not end up in its kernels. */
const wrapped = source("    let out = silu(attention(silu(q), k * 0.5, tanh(v), causal = true)) * q");
const wrappedUnfused =
  source(`    let scores = matmul(silu(q) |> transpose(1, 2), k * 0.5 |> transpose(1, 2) |> transpose) * ${1 / Math.sqrt(channels)}
    let row = reshape(cast(positions(${length}), f32), [${length}, 1])
    let hidden = max(reshape(row, [1, ${length}]) - row, 0.0) * -1e4
    let out = silu(matmul(softmax(scores + hidden), tanh(v) |> transpose(1, 2)) |> transpose(1, 2)) * q`);

/** Scores of keys behind the query are pushed to where their exponentials are 0. */
const unfused = (causal: boolean) =>
  source(`    let scores = matmul(q |> transpose(1, 2), k |> transpose(1, 2) |> transpose) * ${1 / Math.sqrt(channels)}
    let row = reshape(cast(positions(${length}), f32), [${length}, 1])
    let column = reshape(row, [1, ${length}])
    let hidden = max(column - row, 0.0) * ${causal ? "-1e4" : "0.0"}
    let out = matmul(softmax(scores + hidden), v |> transpose(1, 2)) |> transpose(1, 2)`);

function moduleOf(text: string): Module {
  const { module } = unwrap(lowerSource({ path: "net.loom", text }, { recipe: "step" }));
  return runSteps({ ...module, entries: module.entries.filter((e) => e.name === "train") }, pipeline);
}

const random = (seed: number, count: number): Float32Array => {
  const next = uniform(seed);
  return Float32Array.from({ length: count }, () => 2 * next() - 1);
};
const count = batch * length * heads * channels;
const state: Arrays = { q: random(1, count), k: random(2, count), v: random(3, count) };
const ct = random(4, count);

/** Loss and state after one step, in f64. */
function step(module: Module) {
  const types = stateTypes(module);
  const before = Object.fromEntries(
    Object.entries(types).map(([name, type]) => [name, denseTensor(shapeOf(type), Float64Array.from(state[name] ?? []))]),
  );
  const inputs = { ct: denseTensor([batch, length, heads, channels], Float64Array.from(ct)) };
  const { outputs, state: after } = evaluateEntry(module, "train", { precision: "wide", step: 0, inputs, state: before });
  return { loss: contiguous(outputs["loss"]!)[0]!, after: Object.fromEntries(Object.keys(types).map((n) => [n, contiguous(after[n]!)])) };
}

describe.each([
  ["all keys", fused(false), unfused(false)],
  ["causal", fused(true), unfused(true)],
  ["between pointwise ops", wrapped, wrappedUnfused],
])("%s", (_, whole, written) => {
  const [one, other] = [moduleOf(whole), moduleOf(written)];

  test("result and gradients are those of the unfused form, in 64 bits", () => {
    const [a, b] = [step(one), step(other)];
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-12);
    for (const name of ["q", "k", "v"]) {
      for (let i = 0; i < count; i++) expect(Math.abs(a.after[name]![i]! - b.after[name]![i]!), `${name}[${i}]`).toBeLessThan(1e-12);
      expect(a.after[name], `${name} moves`).not.toEqual(state[name]);
    }
  });

  test("every backend gives them in 32 bits", async () => {
    const expected = step(other);
    const backends = await allBackends();
    for (const backend of backends) {
      const [loss, next] = await backend.train(one, { ct }, state, 2);
      expect(Math.abs(loss! - expected.loss), backend.name).toBeLessThan(1e-4);
      // The second step's loss is a function of all gradients.
      const second = secondLoss(expected.after);
      expect(Math.abs(next! / second - 1), backend.name).toBeLessThan(1e-4);
    }
    for (const backend of backends) backend.dispose();
  });

  function secondLoss(after: Readonly<Record<string, ArrayLike<number>>>): number {
    const tensors = Object.fromEntries(
      Object.entries(after).map(([name, data]) => [name, denseTensor([batch, length, heads, channels], Float64Array.from(data))]),
    );
    const inputs = { ct: denseTensor([batch, length, heads, channels], Float64Array.from(ct)) };
    const { outputs } = evaluateEntry(other, "train", { precision: "wide", step: 0, inputs, state: tensors });
    return contiguous(outputs["loss"]!)[0]!;
  }
});

// The plan decides it, which is alike for all drivers: the last one listed is the fastest.
describe.each((await availableAdapters()).slice(-1))("memory on $name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test("of a training step grows linearly from 128 to 2048 tokens", async () => {
    const lengths = [128, 512, 2048];
    const bytes: number[] = [];
    const options = { recipe: "demo", policy: "quest_w4a4", targets: [await targetOn(await device)], portable: false };
    const compiled = lengths.map((tokens) => {
      const entries = (name: string) => name === "train";
      const planned = ({ memory }: PlacedPlan) => void bytes.push(memory.peakBytes);
      return unwrap(compile(llamaSource(1, tokens), { ...options, entries, planned }));
    });
    using session = await Session.open(compiled[2]!, await device);
    expect(session.byteLength).toBe(bytes[2]);
    const { outputs } = await session.submit("train", textBatches(1, 2048)(0), { step: 0 }).read();
    expect(Math.abs(outputs["loss"]![0]! - Math.log(256))).toBeLessThan(0.3);
    expect(outputs["ok"]![0]).toBe(1);
    const perToken = (i: number) => (bytes[i]! - bytes[i - 1]!) / (lengths[i]! - lengths[i - 1]!);
    // Logits of every position included; the square of 2048 positions alone would be 16 MiB a head.
    expect(perToken(2) / perToken(1)).toBeLessThan(1.05);
    expect(bytes[2]!).toBeLessThan(48 * 2 ** 20);
  }, 120_000);
});
