// `bitloom run`: entries and functions on tensors from files and literals; the adapter and the interpreter answer the same.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeWeights, encodeWeights, type SavedTensor } from "../../runtime/index.ts";
import { cli } from "./run-cli.ts";

let folder = "";
const at = (name: string) => join(folder, name);
const model = `use std.{Linear}

module Net {
  fc = Linear(3, 2, bias = true)

  fn (x: f32[B, 3]) -> f32[B, 2] {
    return fc(x) |> silu
  }
  fn mixed (x: f32[B, 3], y: f32[B, 3], ids: i32[B]) -> f32[B, 3] {
    return select(x < y, x, exp(y)) + gather(fc.weight, ids)
  }
  fn below (x: f32[B, 3], y: f32[B, 3]) -> bool[B, 3] {
    return x < y
  }
  fn count (x: i32[N], step: i32[]) -> i32[N] {
    return x * step + positions(N)
  }
}

quantize half for Net {
  ** => quest { w = 4, a = 4, hadamard = none }
}

train fit of Net {
  data x: f32[4, 3], y: f32[4, 2] = arrays("x.npy", "y.npy")
  loss {
    return mse(model(x), y)
  }
  optimizer adamw
  schedule constant { rate = 0.1, steps = 10 }
}
`;

const f32 = (shape: readonly number[], values: readonly number[]): SavedTensor => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});
const i64 = (shape: readonly number[], values: readonly number[]): SavedTensor => ({
  dtype: "I64",
  shape,
  bytes: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-run-"));
  writeFileSync(at("net.loom"), model);
  const tensors = new Map([
    ["x", f32([2, 3], [1, -2, 3, 0.5, 0.25, -1])],
    ["y", f32([2, 3], [0, 1, 3, 1, 0, -0.5])],
    ["ids", i64([2], [1, 0])],
  ]);
  writeFileSync(at("all.safetensors"), encodeWeights({ tensors, metadata: {} }));
  const one = new Map([["something", f32([2, 3], [1, -2, 3, 0.5, 0.25, -1])]]);
  writeFileSync(at("one.safetensors"), encodeWeights({ tensors: one, metadata: {} }));
  const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }\n";
  writeFileSync(
    at("x.npy"),
    Buffer.concat([
      Buffer.from("\x93NUMPY\x01\x00", "latin1"),
      Buffer.from(Uint16Array.of(header.length).buffer),
      Buffer.from(header),
      Buffer.from(Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)).buffer),
    ]),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly outputs: readonly { readonly name: string; readonly type: string; readonly values: readonly number[] }[];
}

async function result(backend: string, entry: string, ...args: readonly string[]): Promise<Result["outputs"]> {
  const { code, out, err } = await cli("run", at("net.loom"), entry, ...args, "--backend", backend, "--adapter", "swiftshader", "--json");
  expect([code, err, out.slice(0, code === 0 ? 0 : 300)]).toEqual([0, "", ""]);
  return (JSON.parse(out) as Result).outputs;
}

/** Both answer the same types, and numbers within a few roundings of f32. */
async function both(entry: string, ...args: readonly string[]): Promise<Result["outputs"]> {
  const [adapter, interpreter] = [await result("webgpu", entry, ...args), await result("interpreter", entry, ...args)];
  expect(adapter.map(({ name, type }) => `${name}: ${type}`)).toEqual(interpreter.map(({ name, type }) => `${name}: ${type}`));
  for (const [i, { values }] of interpreter.entries())
    for (const [k, value] of values.entries())
      expect(Math.abs(adapter[i]!.values[k]! - value)).toBeLessThanOrEqual(4e-6 * Math.max(1, Math.abs(value)));
  return interpreter;
}

describe("on an adapter and in the interpreter", () => {
  test("the model's own function, its size from the input's shape", async () => {
    const [logits] = await both("logits", "--input", `x=${at("x.npy")}`);
    expect(logits).toMatchObject({ name: "logits", type: "f32[4, 2]" });
  });

  test("a quantized model", async () => {
    await both("logits", "--input", `x=${at("one.safetensors")}`, "--policy", "half");
  });

  test("a named function on all tensors of a file", async () => {
    const [mixed] = await both("mixed", "--input", at("all.safetensors"), "--seed", "4");
    expect(mixed?.type).toBe("f32[2, 3]");
  });

  test("truth values and whole numbers, from literals", async () => {
    const [below] = await both("@below", "--input", "x=[[1, 2, 3], [4, 5, 6]]", "--input", "y=[[2, 2, 2], [9, 9, 0.5]]");
    expect(below).toEqual({ name: "below", type: "bool[2, 3]", values: [1, 0, 0, 1, 1, 0] });
    const [count] = await both("count", "--input", "x=[5, 6, 7]", "--input", "step=-2");
    expect(count?.values).toEqual([-10, -11, -12]);
  });

  test("a training step, whose learning rate follows its rule or is given", async () => {
    const data = ["--input", `x=${at("x.npy")}`, "--input", "y=[[1, 2], [3, 4], [5, 6], [7, 8]]"];
    const outputs = await both("train", ...data, "--step", "3");
    expect(outputs.map(({ name }) => name)).toEqual(["loss", "grad_norm", "ok"]);
    await both("train", ...data, "--input", "lr=0.5");
  });

  test("the two parts of a step in micro-batches", async () => {
    const set = ["--set", "accumulate=2"];
    const data = ["--input", `x=${at("x.npy")}`, "--input", "y=[[1, 2], [3, 4], [5, 6], [7, 8]]"];
    const [loss] = await both("accumulate", ...data, ...set);
    expect(loss).toMatchObject({ name: "loss", type: "f32[]" });
    const applied = await both("apply", ...set);
    expect(applied.map(({ name, values }) => [name, ...values])).toEqual([
      ["loss", 0],
      ["grad_norm", 0],
      ["ok", 1],
    ]);
    const { code, err } = await cli("run", at("net.loom"), "train", ...data, ...set);
    expect([code, err]).toEqual([1, expect.stringContaining("has no entry `train`")]);
    expect(err).toContain("`accumulate`, `apply`");
  });

  test("weights from a file", async () => {
    const weights = new Map([
      ["fc.weight", f32([2, 3], [1, 0, 0, 0, 1, 0])],
      ["fc.shift", f32([2], [10, 20])],
    ]);
    writeFileSync(at("weights.safetensors"), encodeWeights({ tensors: weights, metadata: {} }));
    const [logits] = await both("logits", "--input", "x=[[1, 2, 3]]", "--weights", at("weights.safetensors"));
    // silu is nearly nothing but its argument there.
    expect(logits?.values[0]).toBeCloseTo(11, 3);
    expect(logits?.values[1]).toBeCloseTo(22, 3);
  });

  test("entries that continue a text, a chunk as long as its input", async () => {
    const small = ["dim=16", "hidden=24", "heads=2", "kv_heads=1", "depth=1"].flatMap((setting) => ["--set", `model.${setting}`]);
    const run = (backend: string) =>
      cli(
        "run",
        "models/llama.loom",
        "prefill",
        "--recipe",
        "demo",
        ...small,
        "--input",
        "ids=[[7, 8, 9]]",
        "--input",
        "first=0",
        "--input",
        "last=2",
        "--backend",
        backend,
        "--adapter",
        "swiftshader",
        "--json",
      );
    const [adapter, interpreter] = [await run("webgpu"), await run("interpreter")].map(
      ({ out }) => (JSON.parse(out) as Result).outputs[0]!.values,
    );
    expect(adapter?.length).toBe(256);
    for (const [i, value] of interpreter!.entries()) expect(adapter![i]).toBeCloseTo(value, 5);
  });
});

test("outputs go to a safetensors file, or into a line for people", async () => {
  const input = ["--input", "x=[[1, 2, 3], [4, 5, 6]]", "--input", "y=[[2, 2, 2], [9, 9, 0.5]]", "--backend", "interpreter"];
  const { code, out } = await cli("run", at("net.loom"), "below", ...input, "-o", at("out.safetensors"));
  expect(code).toBe(0);
  expect(out).toBe(`below: bool[2, 3]  min 0, mean 0.500000, max 1  [1, 0, 0, 1, 1, 0]\nwrote ${at("out.safetensors")}\n`);
  const saved = decodeWeights(readFileSync(at("out.safetensors")), "out").tensors.get("below");
  expect(saved).toMatchObject({ dtype: "BOOL", shape: [2, 3] });
  expect([...saved!.bytes]).toEqual([1, 0, 0, 1, 1, 0]);
});

describe("what does not fit is said", () => {
  test.each<[string, readonly string[], string]>([
    ["an entry that is not there", ["mixd"], "has no entry `mixd`"],
    ["an input that is missing", ["below", "--input", "x=[[1, 2, 3]]"], "the input `y` is missing"],
    ["an input too many", ["logits", "--input", "z=1"], "no input `z`"],
    ["a shape", ["logits", "--input", "x=[[1, 2]]"], "`x` is f32[1, 3], x=[[1, 2]] has the shape [1, 2]"],
    ["sizes that disagree", ["below", "--input", "x=[[1, 2, 3]]", "--input", "y=[[1, 2, 3], [1, 2, 3]]"], "`y` is f32[1, 3]"],
    ["uneven lists", ["logits", "--input", "x=[[1, 2, 3], [1]]"], "its lists have different lengths"],
    ["words", ["logits", "--input", "x=many"], "is neither a file"],
    ["a fraction for a whole number", ["count", "--input", "x=[1.5]", "--input", "step=1"], "1.5 is no i32"],
    ["a file that is not there", ["logits", "--input", "x=none.npy"], "error[no-file]"],
    ["one input twice", ["logits", "--input", "x=[[1, 2, 3]]", "--input", "x=[[1, 2, 3]]"], "`x` is given twice"],
    ["no name", ["logits", "--input", "[1]"], "`[1]` is no input"],
  ])("%s", async (_what, [entry = "", ...args], message) => {
    const { code, err } = await cli("run", at("net.loom"), entry, ...args, "--backend", "interpreter");
    expect(err).toContain(message);
    expect(code).toBe(1);
  });
});
