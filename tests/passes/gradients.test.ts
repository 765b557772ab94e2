// Whole training steps: gradients of whole entries against differences, the clip factor, and steps that must change nothing.
import { describe, expect, test } from "vitest";
import { type Evaluation, evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { moduleFile, moduleOf, run } from "./run.ts";

/** Numbers in (-1, 1), the same in every run. */
function numbers(count: number, seed: number): Float64Array {
  let state = seed;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

type Tensors = Readonly<Record<string, Tensor>>;

const withoutStamps = (text: string): string => text.replaceAll(/, quantize = quest\([^)]*\)/g, "");
const withSgd = (text: string): string =>
  text
    .replace(/training .*/, 'training {optimizer = sgd(momentum = 0.0, decay = 0.0), rate = "lr"}')
    .replace(/host .*/, 'host "lr" = constant(value = 1.0)');

function stateOf(module: Module): Tensors {
  return Object.fromEntries(
    module.states.map(({ name, type, role }, i) => {
      const shape = shapeOf(type);
      const count = elementCount(shape);
      return [name, denseTensor(shape, role === "parameter" ? numbers(count, i + 1) : new Float64Array(count))];
    }),
  );
}

const images = denseTensor([8, 32], numbers(256, 77));
// One label is negative: it is left out of the loss.
const labels = denseTensor([8], Int32Array.of(0, 3, 1, 2, -1, 3, 0, 1));
const train = (module: Module, state: Tensors, inputs: Tensors = { images, labels }): Evaluation =>
  evaluateEntry(module, "train", { precision: "wide", inputs, state, step: 0 });
const scalar = (tensor: Tensor | undefined): number => contiguous(tensor ?? denseTensor([], Float64Array.of(NaN)))[0] ?? NaN;

describe("the gradients of a float network", () => {
  const text = withSgd(withoutStamps(moduleFile("mlp.loomir")));
  const surface = moduleOf(text);
  const { module } = run(surface, pipeline, { until: "primitive" });
  const state = stateOf(surface);
  const { state: after, outputs } = train(module, state);
  const parameters = surface.states.map((s) => s.name);
  const gradient = (name: string): readonly number[] => {
    const [before, next] = [state[name], after[name]].map((t) => (t === undefined ? [] : Array.from(contiguous(t))));
    return (before ?? []).map((v, i) => v - (next?.[i] ?? NaN));
  };

  test.each([...parameters, "all"])("%s: central difference in a random direction", (which) => {
    const step = 1e-5;
    const directions = Object.fromEntries(
      parameters.map((name, i) => [
        name,
        which === "all" || which === name ? numbers(contiguous(state[name] as Tensor).length, 500 + i) : undefined,
      ]),
    );
    const lossAt = (distance: number): number => {
      const moved = Object.fromEntries(
        Object.entries(state).map(([name, t]) => {
          const direction = directions[name];
          return [
            name,
            direction === undefined
              ? t
              : denseTensor(
                  t.shape,
                  Float64Array.from(contiguous(t), (v, i) => v + distance * (direction[i] ?? 0)),
                ),
          ];
        }),
      );
      return scalar(train(surface, moved).outputs["loss"]);
    };
    const difference = (lossAt(step) - lossAt(-step)) / (2 * step);
    const product = parameters.reduce((sum, name) => sum + gradient(name).reduce((s, g, i) => s + g * (directions[name]?.[i] ?? 0), 0), 0);
    expect(Math.abs(product), "the direction should matter").toBeGreaterThan(1e-4);
    expect(Math.abs(product - difference) / Math.abs(difference)).toBeLessThan(1e-6);
  });

  test("the norm is that of all of them, and the step is fine", () => {
    const squares = parameters.flatMap((name) => gradient(name)).reduce((sum, g) => sum + g * g, 0);
    expect(scalar(outputs["grad_norm"])).toBeCloseTo(Math.sqrt(squares), 12);
    expect(scalar(outputs["ok"])).toBe(1);
  });

  test("every later form computes the same step", () => {
    for (const until of ["differentiated", "primitive"]) {
      const result = train(run(surface, pipeline, { until }).module, state);
      for (const name of parameters)
        expect(Array.from(contiguous(result.state[name] as Tensor)), `${name} at ${until}`).toEqual(
          Array.from(contiguous(after[name] as Tensor)),
        );
    }
  });
});

describe("clipping", () => {
  const clipped = (limit: string): readonly [number, number] => {
    const text = withSgd(withoutStamps(moduleFile("mlp.loomir"))).replace("rate =", `clip = ${limit}, rate =`);
    const surface = moduleOf(text);
    const state = stateOf(surface);
    const { state: after, outputs } = train(run(surface, pipeline).module, state);
    let squares = 0;
    for (const { name } of surface.states) {
      const next = contiguous(after[name] as Tensor);
      for (const [i, v] of contiguous(state[name] as Tensor).entries()) squares += (v - (next[i] ?? NaN)) ** 2;
    }
    return [Math.sqrt(squares), scalar(outputs["grad_norm"])];
  };

  test("a norm above the limit is scaled down to it, norm / (norm + 1e-6) short of it", () => {
    const [moved, norm] = clipped("0.01");
    expect(norm).toBeGreaterThan(0.1);
    expect(moved).toBeCloseTo((0.01 * norm) / (norm + 1e-6), 10);
  });

  test("a norm below the limit is left alone, and so is what is reported", () => {
    const [moved, norm] = clipped("1000.0");
    expect(moved).toBeCloseTo(norm, 12);
    expect(clipped("0.01")[1]).toBe(norm);
  });
});

test.each([
  ["NaN in the data", NaN],
  ["an infinity in the data", Infinity],
])("%s: ok is 0 and nothing changes, moments included", (_what, poison) => {
  const surface = moduleOf(withoutStamps(moduleFile("mlp.loomir")));
  const { module } = run(surface, pipeline);
  const state = stateOf(module);
  const poisoned = denseTensor([8, 32], numbers(256, 77).fill(poison, 100, 101));
  const { state: after, outputs } = train(module, state, { images: poisoned, labels });
  expect(scalar(outputs["ok"])).toBe(0);
  for (const [name, before] of Object.entries(state))
    expect(Array.from(contiguous(after[name] as Tensor)), name).toEqual(Array.from(contiguous(before)));
  expect(scalar(train(module, state).outputs["ok"])).toBe(1);
});

test("adamw: two steps by the formula of arXiv:1711.05101, decay on the weight and not on the shift", () => {
  const surface = moduleOf(
    withoutStamps(moduleFile("mlp.loomir"))
      .replace("clip = 1.0, ", "")
      .replace(/host .*/, 'host "lr" = constant(value = 0.01)'),
  );
  const plain = moduleOf(withSgd(withoutStamps(moduleFile("mlp.loomir"))));
  const [adam, descent] = [surface, plain].map((m) => run(m, pipeline).module) as [Module, Module];
  let state = stateOf(adam);
  const moments = new Map<string, { readonly m: number; readonly v: number }>();
  for (const step of [0, 1]) {
    const gradients = train(descent, state).state;
    const { state: after } = evaluateEntry(adam, "train", { precision: "wide", inputs: { images, labels }, state, step });
    for (const { name, decay } of surface.states) {
      const next = contiguous(after[name] as Tensor);
      const before = contiguous(state[name] as Tensor);
      const stepped = contiguous(gradients[name] as Tensor);
      for (const [i, w] of before.entries()) {
        const g = w - (stepped[i] ?? NaN);
        const old = moments.get(`${name} ${i}`) ?? { m: 0, v: 0 };
        const [m, v] = [0.9 * old.m + 0.1 * g, 0.95 * old.v + 0.05 * g * g];
        moments.set(`${name} ${i}`, { m, v });
        const update = m / (1 - 0.9 ** (step + 1)) / (Math.sqrt(v / (1 - 0.95 ** (step + 1))) + 1e-8);
        expect(next[i], `${name}[${i}] after step ${step}`).toBeCloseTo(w - 0.01 * (update + (decay ? 0.1 : 0) * w), 9);
      }
    }
    state = after;
  }
});
