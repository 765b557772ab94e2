// Attention on every adapter and subgroup path against the reference: forward and both gradients, odd sizes, shared heads, caches.

import { describe, expect, test } from "vitest";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { AttentionShape } from "../../ir/ops/attention-tensors.ts";
import type { AttentionProblem, Schedule, Store } from "../../ir/plan.ts";
import { input, load, plus, type ScalarExpr, times, uint, variable } from "../../ir/scalar.ts";
import { epsilon, type Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { loadF32, noise } from "./support/problems.ts";

const linear = (...axes: readonly (readonly [name: string, size: number])[]): ScalarExpr =>
  axes
    .map(([name, size]) => ({ at: variable(name, size), size }))
    .reduce((p, { at, size }) => plus(times(p, uint(size)), at), uint(0) as ScalarExpr);

interface Given {
  readonly problem: AttentionProblem;
  readonly buffers: readonly Words[];
}

/** Row-major operands in bindings 0 to 5, results behind them. */
function given(pass: AttentionProblem["pass"], shape: AttentionShape, causal: boolean, first?: number): Given {
  const { batch, queries, keys, heads, groups, channels } = shape;
  const row = [
    ["z", batch],
    ["t", queries],
    ["h", heads],
  ] as const;
  const query = linear(...row, ["c", channels]);
  const key = linear(["z", batch], ["s", keys], ["g", groups], ["c", channels]);
  const querySize = batch * queries * heads * channels;
  const keySize = batch * keys * groups * channels;
  const store = (binding: number, column: ScalarExpr, index: number): Store => ({
    binding,
    storage: { kind: "dense", scalar: "f32" },
    row: uint(0),
    column,
    value: input(index, "f32"),
  });
  const operands = [noise(querySize, 1), noise(keySize, 2), noise(keySize, 3)];
  const elements = { q: loadF32(0, query), k: loadF32(1, key), v: loadF32(2, key) };
  const rule = { causal, scale: 1 / Math.sqrt(channels) };
  const common = { kind: "attention" as const, pass, shape, rule };
  if (pass === "forward") {
    const at = first === undefined ? {} : { first: load("i32", 5, { kind: "dense", scalar: "i32" }, uint(0)) };
    return {
      problem: {
        ...common,
        elements: { ...elements, ...at },
        stores: [store(3, query, 0)],
        rowStores: [store(4, linear(...row), 0)],
      },
      buffers: [
        ...operands,
        new Float32Array(querySize),
        new Float32Array(querySize / channels),
        ...(first === undefined ? [] : [Int32Array.of(first)]),
      ],
    };
  }
  const rows = noise(querySize / channels, 5);
  const gradients = { ct: loadF32(3, query), lse: loadF32(4, linear(...row)), delta: loadF32(5, linear(...row)) };
  const inputs = [...operands, noise(querySize, 4), rows.map((x) => x + Math.log(keys) + 1), noise(querySize / channels, 6)];
  const stores = pass === "grad_query" ? [store(6, query, 0)] : [store(6, key, 0), store(7, key, 1)];
  const results = pass === "grad_query" ? [new Float32Array(querySize)] : [new Float32Array(keySize), new Float32Array(keySize)];
  return { problem: { ...common, elements: { ...elements, ...gradients }, stores, rowStores: [] }, buffers: [...inputs, ...results] };
}

async function check(device: Device, path: ReturnType<typeof pathsOf>[number], { problem, buffers }: Given, rows: number): Promise<void> {
  const { target } = path;
  const schedule: Schedule =
    target.subgroups === "none"
      ? { kind: "attention", frame: "plain", workgroup: 4 * rows }
      : { kind: "attention", frame: "broadcast", rows };
  expect(refuseSchedule(problem, schedule, target)).toBeUndefined();
  const { keys, queries, channels, heads, groups } = problem.shape;
  // Elements are below 1. Each result sums products of weights (exponentials of sums over channels) over positions: their errors add up.
  const terms = problem.pass === "grad_key" ? (queries * heads) / groups : keys;
  const bound = 16 * epsilon * (terms + channels) * Math.sqrt(channels);
  await expectAgreement(device, { problem, schedule, target, buffers, bound: () => bound });
}

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const device = deviceOn(path);
      const s = path.target.subgroupSize;

      for (const pass of ["forward", "grad_query", "grad_key"] as const) {
        test(`${pass}: causal, sizes around the tile`, async () => {
          for (const length of path.name === "none" || path.name.startsWith("fixed") ? [1, s - 1, s, s + 1, 3 * s + 2] : [s + 1]) {
            if (length < 1) continue;
            const shape = { batch: 2, queries: length, keys: length, heads: 2, groups: 2, channels: 8 };
            await check(device(), path, given(pass, shape, true), 1);
          }
        });
        test(`${pass}: four query heads share two, other numbers of keys, odd channels`, async () => {
          const shape = { batch: 1, queries: s + 3, keys: 2 * s + 1, heads: 4, groups: 2, channels: 6 };
          await check(device(), path, given(pass, shape, false), 2);
        });
      }

      test("a cache of which a part is filled", async () => {
        const shape = { batch: 2, queries: 3, keys: 2 * s + 5, heads: 2, groups: 1, channels: 4 };
        await check(device(), path, given("forward", shape, true, s + 1), 1);
      });
    });
  }
}
