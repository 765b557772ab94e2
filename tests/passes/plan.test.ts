// The plan against the interpreter: the same training step, once op by op, once dispatch by dispatch at planned places.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import type { PointwiseProblem } from "../../ir/plan.ts";
import { binary, plus, uint } from "../../ir/scalar.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { planOf, runPlan } from "../support/plan-runner.ts";

const text = readFileSync(new URL("../../models/mlp.loom", import.meta.url), "utf8");

function digits(policy: string): Module {
  const { module } = unwrap(lowerSource({ path: "models/mlp.loom", text }, { recipe: "digits", policy, set: ["model.hidden=24"] }));
  return unwrap(runPasses(unwrap(selectEntries(module)))).module;
}

/** Deterministic values in [-0.5, 0.5) that differ from element to element. */
const spread = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => ((Math.sin((i + 1) * 12.9898 + seed) * 43758.5453) % 1) * 0.5);

function inputsOf(module: Module) {
  const state = Object.fromEntries(
    module.states.map((s, i) => [
      s.name,
      s.role === "parameter" ? spread(elementCount(shapeOf(s.type)), i) : new Float32Array(elementCount(shapeOf(s.type))),
    ]),
  );
  const images = spread(64 * 784, 99).map(Math.abs);
  const labels = Int32Array.from({ length: 64 }, (_, i) => i % 10);
  return { state, inputs: { images, labels } };
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < b.length; i++) {
    largest = Math.max(largest, Math.abs(b[i] ?? 0));
    difference = Math.max(difference, Math.abs((a[i] ?? Number.NaN) - (b[i] ?? 0)));
  }
  return difference / (largest || 1);
};

describe.each(["float", "quest_w4a4", "quest_w3a3", "quest_w1a1", "quest_w4", "mixed"])("%s", (policy) => {
  const module = digits(policy);
  const { state, inputs } = inputsOf(module);

  test("one training step: outputs and every replaced state", () => {
    const types = Object.fromEntries(module.states.map((s) => [s.name, s.type]));
    const tensors = Object.fromEntries(Object.entries(state).map(([name, data]) => [name, denseTensor(shapeOf(types[name]!), data)]));
    const reference = evaluateEntry(module, "train", {
      precision: "f32",
      step: 0,
      state: tensors,
      inputs: { images: denseTensor([64, 784], inputs.images), labels: denseTensor([64], inputs.labels) },
    });
    const plan = runPlan(module, state);
    const out = plan.run("train", inputs, 0);
    expect(out["ok"]?.[0]).toBe(1);
    expect(Math.abs((out["loss"]?.[0] ?? Number.NaN) / contiguous(reference.outputs["loss"]!)[0]! - 1)).toBeLessThan(1e-5);
    expect(Math.abs((out["grad_norm"]?.[0] ?? Number.NaN) / contiguous(reference.outputs["grad_norm"]!)[0]! - 1)).toBeLessThan(1e-4);
    for (const { name, role } of module.states) {
      // AdamW's first step is the sign of the gradient, which may differ where it is zero but for rounding: moments tell.
      if (role === "optimizer") expect(worst(plan.state(name), contiguous(reference.state[name]!)), name).toBeLessThan(1e-4);
    }
  });

  test("evaluation uses the new state", () => {
    const plan = runPlan(module, state);
    const before = plan.run("eval", inputs, 0);
    for (let step = 0; step < 3; step++) plan.run("train", inputs, 100);
    const after = plan.run("eval", inputs, 0);
    expect(before["targets"]?.[0]).toBe(64);
    expect(after["loss_sum"]?.[0]).toBeLessThan(before["loss_sum"]?.[0] ?? Number.NaN);
  });
});

describe("the plan verifier", () => {
  const plan = planOf(digits("quest_w4a4"));
  const train = plan.entries.find((e) => e.name === "train")!;

  test("the peak is near the lower bound", () => {
    expect(plan.memory.peakBytes).toBeLessThanOrEqual(plan.memory.lowerBoundBytes * 1.05);
  });

  test("notices a buffer that is moved onto another one", () => {
    const images = { ...plan.memory.places["train"]!["%images_c"]! };
    const onto = { ...plan.memory.places, train: { ...plan.memory.places["train"], "%fc1_weight_c": images } };
    expect(() => verifyPlan({ ...plan, memory: { ...plan.memory, places: onto } })).toThrow(/overlap|overwritten/);
  });

  test("notices dispatches in a wrong order", () => {
    const swapped = { ...train, dispatches: train.dispatches.toReversed() };
    expect(() => verifyPlan({ ...plan, entries: [swapped] })).toThrow("is read before it is written");
  });

  test("notices a gradient that is missing from the norm's range", () => {
    const gradients = train.buffers.filter((b) => b.role.kind === "gradient").map((b) => b.name);
    expect(gradients.length).toBeGreaterThan(4);
    for (const name of gradients) {
      const dispatches = train.dispatches.filter((d) => !d.bind.some((b) => b.buffer === name && b.access !== "read"));
      expect(() => verifyPlan({ ...plan, entries: [{ ...train, dispatches }] }), name).toThrow(`${name} is read before it is written`);
    }
  });

  test("notices a result that does not lie where the operand lies whose place it takes", () => {
    const use = train.dispatches.flatMap((d) => d.bind).find((b) => b.over !== undefined && b.buffer.startsWith("%d_"))!;
    const { offset, ...rest } = plan.memory.places["train"]![use.over!]!;
    const places = { ...plan.memory.places, train: { ...plan.memory.places["train"], [use.over!]: { ...rest, offset: offset + 256 } } };
    expect(() => verifyPlan({ ...plan, memory: { ...plan.memory, places } })).toThrow(
      /does not lie where %\w+ lies, whose place it takes|overlap/,
    );
  });

  test("notices an operand that is read elsewhere than where its place is written", () => {
    const at = train.dispatches.findIndex((d) => d.problem.kind === "pointwise" && d.bind.some((b) => b.over !== undefined));
    const dispatch = train.dispatches[at]!;
    const problem = dispatch.problem as PointwiseProblem;
    const stores = problem.stores.map((s) => ({ ...s, column: binary("rem", plus(s.column, uint(1)), uint(4)) }));
    const dispatches = train.dispatches.with(at, { ...dispatch, problem: { ...problem, stores } });
    expect(() => verifyPlan({ ...plan, entries: [{ ...train, dispatches }] })).toThrow("is read and written at different elements");
  });

  test("notices a read of what was in the place before a result took it", () => {
    const at = train.dispatches.findIndex((d) => d.bind.some((b) => b.over !== undefined));
    const { over } = train.dispatches[at]!.bind.find((b) => b.over !== undefined)!;
    const dispatches = [...train.dispatches.slice(0, at + 1), ...train.dispatches.slice(at)];
    expect(() => verifyPlan({ ...plan, entries: [{ ...train, dispatches }] })).toThrow(`${over} has been overwritten`);
  });

  test("notices a buffer in the padding of gradients, which is summed as zeros", () => {
    const { places } = plan.memory;
    const ends = train.buffers
      .filter((b) => b.role.kind === "gradient" && b.bytes % 256 !== 0)
      .map((b) => places["train"]![b.name]!.offset + b.bytes);
    const eval_ = plan.entries.find((e) => e.name === "eval")!;
    const [moved] = eval_.buffers.filter((b) => b.role.kind === "temporary" && b.bytes === 16);
    const offset = Math.floor(ends[0]! / 256) * 256;
    const into = { ...places, eval: { ...places["eval"], [moved!.name]: { slab: "arena.0", offset } } };
    const alone = { ...eval_, dispatches: [], outputs: [] };
    expect(() =>
      verifyPlan({
        ...plan,
        entries: [train, { ...alone, buffers: [{ ...moved!, bytes: 256 }] }],
        memory: { ...plan.memory, places: into },
      }),
    ).toThrow("lies in the gap behind");
  });

  test("notices a place that no adapter can bind", () => {
    const places = { ...plan.memory.places, train: { ...plan.memory.places["train"], "%images_c": { slab: "arena.0", offset: 16 } } };
    expect(() => verifyPlan({ ...plan, memory: { ...plan.memory, places } })).toThrow("no multiple of 256");
  });
});
