// What lowered programs compute, by the reference interpreter, against formulas written out here.
import { describe, expect, test } from "vitest";
import { lower } from "../../compiler/lower/lower.ts";
import { resolve } from "../../compiler/sema/resolve.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { loadSource } from "./file-cases.ts";

const compiled = (text: string, model?: string): Module =>
  unwrap(lower(unwrap(resolve({ path: "models/test.loom", text }, { load: loadSource, ...(model === undefined ? {} : { model }) }))));

/** Numbers without a pattern, from -1 to 1, the same in every run. */
function noise(shape: readonly number[], seed: number): Tensor {
  const data = Float64Array.from({ length: elementCount(shape) }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453;
    return 2 * (x - Math.floor(x)) - 1;
  });
  return denseTensor(shape, data);
}

const ints = (shape: readonly number[], values: readonly number[]): Tensor => denseTensor(shape, Int32Array.from(values));
const stateOf = (module: Module): Record<string, Tensor> =>
  Object.fromEntries(module.states.map(({ name, type }, i) => [name, noise(shapeOf(type), i + 1)]));

function run(module: Module, entry: string, inputs: Record<string, Tensor>, state = stateOf(module)): Record<string, number[]> {
  const { outputs } = evaluateEntry(module, entry, { precision: "wide", inputs, state });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, [...contiguous(tensor)]]));
}

const rows = (t: Tensor | undefined): number[][] => {
  if (t === undefined) throw new Error("no such tensor");
  const width = t.shape.at(-1) ?? 1;
  const flat = [...t.data];
  return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
};
const linear = (x: number[][], weight: number[][], shift: number[] = []): number[][] =>
  x.map((row) => weight.map((w, o) => row.reduce((sum, v, i) => sum + v * (w[i] ?? 0), 0) + (shift[o] ?? 0)));

function expectClose(actual: readonly number[] | undefined, expected: readonly number[]): void {
  expect(actual?.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(actual?.[i]).toBeCloseTo(value, 12);
}

const classifier = `
use std.{Linear}
module Net {
  fc1 = Linear(4, 6, bias = true)
  fc2 = Linear(6, 3)
  fn (x: f32[B, 4]) -> f32[B, 3] { return x |> fc1 |> relu |> fc2 }
}
train run of Net {
  data x: f32[5, 4], labels: i32[5] = noise()
  loss { return cross_entropy(model(x), labels) }
  optimizer adamw
  schedule constant { rate = 0.1, steps = 10 }
}
`;

describe("a classifier", () => {
  const module = compiled(classifier);
  const state = stateOf(module);
  const x = noise([5, 4], 99);
  const labels = [2, -1, 0, 1, -1];
  const hidden = linear(rows(x), rows(state["fc1.weight"]), rows(state["fc1.shift"])[0]);
  const logits = linear(
    hidden.map((row) => row.map((v) => Math.max(0, v))),
    rows(state["fc2.weight"]),
  );
  const losses = logits.map((row, i) => {
    const label = labels[i] ?? -1;
    return label < 0 ? 0 : Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - (row[label] ?? 0);
  });
  const total = losses.reduce((a, b) => a + b);
  const right = logits.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]).length;
  const inputs = { x, labels: ints([5], labels) };

  test("@logits, with its size bound by what is given", () => expectClose(run(module, "logits", { x })["logits"], logits.flat()));
  test("@train: the mean loss over the labels that count", () => expectClose(run(module, "train", inputs)["loss"], [total / 3]));
  test("@eval: sums that add up over batches", () => {
    const { loss_sum: lossSum, correct, targets } = run(module, "eval", inputs);
    expectClose(lossSum, [total]);
    expect(correct).toEqual([right]);
    expect(targets).toEqual([3]);
  });
  test("@eval where nothing counts", () => {
    const nothing = run(module, "eval", { x, labels: ints([5], [-1, -1, -1, -1, -1]) });
    expectClose(nothing["loss_sum"], [0]);
    expect([nothing["correct"], nothing["targets"]]).toEqual([[0], [0]]);
  });
});

test("@eval of a loss that classifies nothing counts rows", () => {
  const module = compiled(
    classifier.replace("labels: i32[5]", "y: f32[5, 3]").replace("cross_entropy(model(x), labels)", "mse(model(x), y)"),
  );
  const inputs = { x: noise([5, 4], 1), y: noise([5, 3], 2) };
  const loss = run(module, "train", inputs)["loss"]?.[0] ?? Number.NaN;
  const outputs = run(module, "eval", inputs);
  expectClose(outputs["loss_sum"], [loss * 5]);
  expect(outputs["targets"]).toEqual([5]);
  // Nothing is right or wrong.
  expect(Object.keys(outputs)).toEqual(["loss_sum", "targets"]);
});

describe("the standard library", () => {
  const module = compiled(
    `
use std.{RmsNorm, LayerNorm, Embedding}
module Net {
  rms = RmsNorm(4, 1e-3)
  layer = LayerNorm(4, 1e-3)
  embed = Embedding(5, 4)
  fn root_mean_square (x: f32[B, 4]) -> f32[B, 4] { return rms(x) }
  fn standard (x: f32[B, 4]) -> f32[B, 4] { return layer(x) }
  fn embedded (ids: i32[B, T]) -> f32[B, T, 4] { return embed(ids) }
}`,
    "Net",
  );
  const state = stateOf(module);
  const x = noise([3, 4], 7);
  const [gain = []] = rows(state["rms.gain"]);
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

  test("RmsNorm", () => {
    const expected = rows(x).map((row) => row.map((v, i) => (v / Math.sqrt(mean(row.map((u) => u * u)) + 1e-3)) * (gain[i] ?? 0)));
    expectClose(run(module, "root_mean_square", { x })["root_mean_square"], expected.flat());
  });
  test("LayerNorm", () => {
    const [scale = [], shift = []] = [rows(state["layer.gain"])[0], rows(state["layer.shift"])[0]];
    const expected = rows(x).map((row) => {
      const centered = row.map((v) => v - mean(row));
      const deviation = Math.sqrt(mean(centered.map((v) => v * v)) + 1e-3);
      return centered.map((v, i) => (v / deviation) * (scale[i] ?? 0) + (shift[i] ?? 0));
    });
    expectClose(run(module, "standard", { x })["standard"], expected.flat());
  });
  test("Embedding", () => {
    const table = rows(state["embed.table"]);
    expectClose(
      run(module, "embedded", { ids: ints([2, 2], [4, 0, 1, 1]) })["embedded"],
      [4, 0, 1, 1].flatMap((id) => table[id] ?? []),
    );
  });
});

describe("views and loops", () => {
  const module = compiled(
    `
module Net {
  fn sliced (x: f32[B, 4, 6]) -> f32[B, 2] { return x[.., 1, 3..5] }
  fn from_end (x: f32[B, 4]) -> f32[B, 2] { return x[.., -3..-1] }
  fn first (x: f32[B, 4]) -> f32[4] { return x[0] }
  fn swapped (x: f32[B, 2, 3]) -> f32[B, 3, 2] { return transpose(x) }
  fn regrouped (x: f32[B, 6]) -> f32[B, 3, 2] { return x |> split(-1, [2, 3]) |> merge(-2) |> split(1, [3, 2]) }
  fn powers (x: f32[B]) -> f32[B] {
    var total = x
    for i in 1..4 { total = total * x + float(i) }
    return total
  }
  fn chosen (x: f32[B]) -> f32[B] { return if 3 % 2 == 1 then -x else x }
  fn products (x: f32[B, 2, 3], y: f32[B, 3, 2]) -> f32[B, 2, 2] { return matmul(x, y) }
}`,
    "Net",
  );
  const at = (t: Tensor, ...index: number[]) => t.data[index.reduce((sum, i, axis) => sum + i * (t.strides[axis] ?? 0), 0)] ?? Number.NaN;

  test("ranges and positions", () => {
    const x = noise([2, 4, 6], 3);
    expectClose(
      run(module, "sliced", { x })["sliced"],
      [0, 1].flatMap((b) => [3, 4].map((i) => at(x, b, 1, i))),
    );
  });
  test("places from the end", () => {
    const x = noise([2, 4], 4);
    expectClose(
      run(module, "from_end", { x })["from_end"],
      [0, 1].flatMap((b) => [1, 2].map((i) => at(x, b, i))),
    );
    expectClose(run(module, "first", { x })["first"], rows(x)[0] ?? []);
  });
  test("axes", () => {
    const x = noise([2, 2, 3], 5);
    expectClose(
      run(module, "swapped", { x })["swapped"],
      [0, 1].flatMap((b) => [0, 1, 2].flatMap((j) => [0, 1].map((i) => at(x, b, i, j)))),
    );
    const flat = noise([2, 6], 6);
    expectClose(run(module, "regrouped", { x: flat })["regrouped"], [...flat.data]);
  });
  test("a `for` is unrolled with its constant", () => {
    const x = noise([3], 8);
    expectClose(
      run(module, "powers", { x })["powers"],
      [...x.data].map((v) => ((v * v + 1) * v + 2) * v + 3),
    );
    expectClose(
      run(module, "chosen", { x })["chosen"],
      [...x.data].map((v) => -v),
    );
  });
  test("matmul", () => {
    const [x, y] = [noise([2, 2, 3], 9), noise([2, 3, 2], 10)];
    const expected = [0, 1].flatMap((b) =>
      [0, 1].flatMap((i) => [0, 1].map((j) => [0, 1, 2].reduce((sum, k) => sum + at(x, b, i, k) * at(y, b, k, j), 0))),
    );
    expectClose(run(module, "products", { x, y })["products"], expected);
  });
});
