// Accumulated steps in the interpreter: equal to steps of whole batches, and how much counts where labels are left out.
import { describe, expect, test } from "vitest";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { planOf } from "../support/plan-runner.ts";
import { run } from "./run.ts";

const text = (batch: number, accumulate: number) => `
module Classifier(inputs: int, hidden: int, classes: int) {
  param first: f32[hidden, inputs] = normal(0.0, 0.5)
  param gain: f32[hidden] = ones
  param second: f32[classes, hidden] = normal(0.0, 0.5)
  fn (x: f32[B, inputs]) -> f32[B, classes] { return x |> dot(first) |> rms_norm(gain) |> tanh |> dot(second) }
}
train it of Classifier(inputs = 5, hidden = 6, classes = 4) {
  data x: f32[${batch}, 5], labels: i32[${batch}] = mnist()
  loss { return cross_entropy(model(x), labels) }
  optimizer adamw { decay = 0.1 }
  schedule constant { rate = 1e-2, steps = 10 }
  clip grad_norm = 0.5
  accumulate = ${accumulate}
}`;

const differentiated = (batch: number, accumulate: number): Module => {
  const { module } = unwrap(lowerSource({ path: "it.loom", text: text(batch, accumulate) }, { recipe: "it" }));
  return run({ ...module, entries: module.entries.slice(0, 1) }, "canonicalize,cleanup,insert-quant,differentiate").module;
};

type State = Readonly<Record<string, Tensor>>;

const wave = (shape: readonly number[], salt: number): Tensor =>
  denseTensor(
    shape,
    Float64Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(1.3 * i + salt) + 0.3 * Math.cos(7 * i * salt)),
  );

const initial = (module: Module): State =>
  Object.fromEntries(
    module.states.map((s) => [
      s.name,
      s.role === "parameter"
        ? wave(shapeOf(s.type), s.name.length)
        : denseTensor(shapeOf(s.type), new Float64Array(elementCount(shapeOf(s.type)))),
    ]),
  );

/** Rows `from` to `to` of a step's examples; labels below zero do not count. */
function rows(step: number, labels: readonly number[], from: number, to: number): State {
  const x = Array.from({ length: 5 * (to - from) }, (_, i) => Math.cos(0.7 * (i + 5 * from) + step));
  return {
    x: denseTensor([to - from, 5], Float64Array.from(x)),
    labels: denseTensor([to - from], Int32Array.from(labels.slice(from, to))),
  };
}

function stepOf(module: Module, state: State, step: number, parts: number, labels: readonly number[]) {
  const at = { precision: "wide", step } as const;
  if (parts === 1) return evaluateEntry(module, "train", { ...at, state, inputs: rows(step, labels, 0, labels.length) });
  const size = labels.length / parts;
  let summed = state;
  for (let part = 0; part < parts; part++)
    summed = evaluateEntry(module, "accumulate", {
      ...at,
      state: summed,
      inputs: rows(step, labels, part * size, (part + 1) * size),
    }).state;
  return evaluateEntry(module, "apply", { ...at, state: summed, inputs: {} });
}

const numbers = (tensor: Tensor | undefined): readonly number[] => [...contiguous(tensor!)];

function expectClose(actual: Tensor | undefined, expected: Tensor | undefined, what: string): void {
  const [a, e] = [numbers(actual), numbers(expected)];
  for (const [i, value] of e.entries()) expect(Math.abs(a[i]! - value), `${what}[${i}]`).toBeLessThan(1e-12 * Math.max(1, Math.abs(value)));
}

describe("a step in micro-batches", () => {
  const labels = [0, 3, 1, 2, 2, 0, 1, 3];

  test.each([2, 4, 8])("%i of them are one batch", (parts) => {
    const [whole, split] = [differentiated(8, 1), differentiated(8 / parts, parts)];
    expect(split.entries.map((e) => e.name)).toEqual(["accumulate", "apply"]);
    let [a, b] = [initial(whole), initial(split)];
    for (let step = 0; step < 3; step++) {
      const [expected, actual] = [stepOf(whole, a, step, 1, labels), stepOf(split, b, step, parts, labels)];
      for (const [name, value] of Object.entries(expected.outputs)) expectClose(actual.outputs[name], value, `${name} of step ${step}`);
      for (const [name, value] of Object.entries(expected.state)) expectClose(actual.state[name], value, `${name} after step ${step}`);
      for (const { name, role } of split.states)
        if (role === "gradient") expect(new Set(numbers(actual.state[name])), name).toEqual(new Set([0]));
      [a, b] = [expected.state, actual.state];
    }
  });

  test("micro-batches count the same, however many of their labels do", () => {
    const uneven = [0, 3, 1, 2, -1, -1, -1, 3];
    const split = differentiated(4, 2);
    const means = [0, 4].map((from) => {
      const alone = differentiated(4, 1);
      const { outputs } = evaluateEntry(alone, "train", {
        precision: "wide",
        step: 0,
        state: initial(alone),
        inputs: rows(0, uneven, from, from + 4),
      });
      return numbers(outputs["loss"])[0]!;
    });
    const { outputs } = stepOf(split, initial(split), 0, 2, uneven);
    expect(numbers(outputs["loss"])[0]).toBeCloseTo((means[0]! + means[1]!) / 2, 12);
  });
});

test("its plan: sums in place, one update for each group of parameters, one fill", () => {
  const { module } = unwrap(lowerSource({ path: "it.loom", text: text(4, 2) }, { recipe: "it" }));
  const plan = planOf(run({ ...module, entries: module.entries.slice(0, 1) }, pipeline).module);
  const [accumulate, apply] = plan.entries.map((e) => e.dispatches);
  // A copy into a state serves the state, not a value.
  expect(accumulate!.flatMap((d) => d.serves).filter((name) => !name.startsWith("%"))).toEqual([]);
  const writes = (d: { readonly bind: readonly { readonly buffer: string; readonly through?: string; readonly access: string }[] }) =>
    d.bind.flatMap((b) =>
      b.access === "read" || b.buffer.startsWith("%") ? [] : [b.through === undefined ? b.buffer : `${b.buffer} to ${b.through}`],
    );
  expect(apply!.map(writes).filter((w) => w.length > 0)).toEqual([
    ["gain", "gain#adamw.m", "gain#adamw.v"],
    ["first to second", "first#adamw.m to second#adamw.m", "first#adamw.v to second#adamw.v"],
    ["first#grad to gain#grad"],
    ["#loss"],
  ]);
  const { places } = plan.memory;
  for (const name of ["first", "second", "gain"])
    expect(places["apply"]![`${name}#grad`]).toEqual({ slab: "gradients", offset: places["apply"]![name]!.offset });
});
