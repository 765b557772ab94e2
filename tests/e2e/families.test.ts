// Models of other families than Llama, on every adapter: a step with tied parameters, learned positions and ignored targets is the
// interpreter's, evaluation counts what the loss counts, and they learn.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { type Outputs, Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { StepMetrics } from "../../runtime/train-options.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { runSteps } from "../support/quantized-linear.ts";

const sourceOf = (family: string) => {
  const path = `models/${family}.loom`;
  return { path, text: readFileSync(new URL(`../../${path}`, import.meta.url), "utf8") };
};
const isNeeded = (name: string) => name === "train" || name === "eval";

const [batch, context] = [3, 20];
const set = ["recipe.depth=1", `recipe.batch=${batch}`, `recipe.context=${context}`, "schedule.warmup=0"];
const families = ["gpt", "encoder"] as const;

/** Primitive ops, before kernels. */
function reference(family: string): Module {
  const { module } = unwrap(lowerSource(sourceOf(family), { recipe: "small", policy: "float", set }));
  return runSteps(
    unwrap(selectEntries(module, isNeeded)),
    pipeline.filter(({ pass }) => pass.name !== "fuse"),
  );
}

/** Bytes that repeat and lack most values; the last row is padding where `padded`. */
function tokensFor(family: string, step: number, padded = false): Int32Array {
  const length = family === "gpt" ? context + 1 : context;
  return Int32Array.from({ length: batch * length }, (_, i) =>
    padded && i >= (batch - 1) * length ? -1 : 60 + ((i * i * (step + 3)) % 41),
  );
}

const numbers = (tensor: Tensor | undefined): ArrayLike<number> => contiguous(tensor!);

function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what: string): void {
  let [largest, worst] = [1e-6, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  }
  expect(worst, what).toBeLessThan(tolerance * largest);
}

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  const open = async (family: string, policy: string, sets: readonly string[]) => {
    const options = { recipe: "small", policy, set: sets, targets: [await targetOn(await device)], portable: false, entries: isNeeded };
    return Session.open(unwrap(compile(sourceOf(family), options)), await device, { seed: 2 });
  };

  test.each(families)("%s: steps and evaluation are the interpreter's", async (family) => {
    const module = reference(family);
    using session = await open(family, "float", set);
    expect(module.states.map(({ name }) => name)).not.toContain("lm_head.weight");
    expect(module.ties).toEqual([{ path: "lm_head.weight", state: "embed.table" }]);
    const current = async (): Promise<Record<string, Tensor>> => {
      const read = module.states.map(
        async ({ name, type }) => [name, denseTensor(shapeOf(type), (await session.readState(name)) as Float32Array)] as const,
      );
      return Object.fromEntries(await Promise.all(read));
    };
    for (let step = 0; step < 2; step++) {
      const state = await current();
      const tokens = tokensFor(family, step);
      const inputs = { tokens: denseTensor([batch, tokens.length / batch], tokens) };
      for (const entry of ["eval", "train"]) {
        const expected = evaluateEntry(module, entry, { precision: "f32", step, state, inputs });
        const actual = await session.run(entry, { tokens }, { step });
        for (const [name, tensor] of Object.entries(expected.outputs))
          expectNear(actual[name]!, numbers(tensor), 2e-5, `@${entry} ${name}`);
        // First moments are gradients but for a factor; second ones square their errors, and weights move by their quotient.
        for (const [name, tensor] of Object.entries(expected.state)) {
          if (name.endsWith("#adamw.m")) expectNear(await session.readState(name), numbers(tensor), 1e-4, `${name} after step ${step}`);
        }
      }
    }
  });

  test.each(families)("%s: evaluation counts the targets that the loss counts", async (family) => {
    using session = await open(family, "float", set);
    const perRow = Array.from({ length: batch }, (_, row) =>
      family === "gpt" ? context : Array.from({ length: context }, (_, p) => (p + row) % 3).filter((phase) => phase === 0).length,
    );
    for (const padded of [false, true]) {
      const counted = perRow.slice(0, padded ? batch - 1 : batch).reduce((a, b) => a + b, 0);
      const tokens = tokensFor(family, 0, padded);
      const { loss_sum: sum, targets, correct } = await session.run("eval", { tokens });
      expect(targets).toEqual(Int32Array.of(counted));
      expect(correct![0]).toBeLessThanOrEqual(counted);
      const { loss } = await session.run("train", { tokens, lr: 0 });
      expect(Math.abs(loss![0]! - sum![0]! / counted)).toBeLessThan(1e-5 * loss![0]!);
    }
  });

  test("a batch that is nothing but padding has no targets, no loss and no gradient", async () => {
    using session = await open("encoder", "quest_w4a4", set);
    const tokens = new Int32Array(batch * context).fill(-1);
    // 0 and -0 are equal here.
    const plain = (outputs: Outputs) =>
      Object.fromEntries(Object.entries(outputs).map(([name, [value = Number.NaN]]) => [name, value + 0]));
    expect(plain(await session.run("eval", { tokens }))).toEqual({ loss_sum: 0, correct: 0, targets: 0 });
    expect(plain(await session.run("train", { tokens }))).toEqual({ loss: 0, grad_norm: 0, ok: 1 });
  });

  // SwiftShader is slow, and learns no other way (tests/e2e/learning.test.ts).
  const isSlow = adapter.description.adapterClass === "swiftshader";
  const learning = [
    ["gpt", "quest_w4a4"],
    ["gpt", "float"],
    ["encoder", "quest_w4a4"],
  ] as const;
  test.each(isSlow ? [] : learning)("%s learns under %s", async (family, policy) => {
    using session = await open(family, policy, ["recipe.depth=1", "recipe.context=64", "schedule.warmup=10"]);
    const seen: StepMetrics[] = [];
    const { evaluation, skipped } = await train(session, { seed: 1, steps: 40, progress: { stepped: (m) => seen.push(m) } });
    expect(skipped).toBe(0);
    expect(Math.abs(seen[0]!.loss - Math.log(family === "gpt" ? 256 : 257))).toBeLessThan(0.1);
    const last = seen.slice(-10).reduce((sum, { loss }) => sum + loss / 10, 0);
    // A table of how often each byte comes reaches 3.11.
    expect(last).toBeLessThan(3.3);
    expect(evaluation?.val_loss).toBeLessThan(3.3);
  });
});

test("states are those of a tied model: one table under two paths", () => {
  const module = reference("gpt");
  const count = module.states.filter(({ role }) => role === "parameter").reduce((sum, { type }) => sum + elementCount(shapeOf(type)), 0);
  expect(count).toBe(256 * 64 + context * 64 + (12 * 64 * 64 + 13 * 64) + 2 * 64);
});
