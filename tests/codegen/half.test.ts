// Kernels of every family with operands and results in f16, on every adapter that has it, against the reference: sizes around tiles and vectors.
import { describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel } from "../../compiler/codegen/templates.ts";
import { Reference } from "../../ir/agreement.ts";
import { halfBits, halfValue } from "../../ir/half.ts";
import type { Problem, Target } from "../../ir/plan.ts";
import { mapPlaces } from "../../ir/problem-parts.ts";
import { float, input, type ScalarExpr, type Storage, times, unary, variable } from "../../ir/scalar.ts";
import type { Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, dense, dotProblem, loadF32, noise, questRows, reduceProblem, storeF32 } from "./support/problems.ts";
import { runKernel } from "./support/run-kernel.ts";

const half = { kind: "dense", scalar: "f16" } as const satisfies Storage;

/** The problem with every dense float in f16, but for bindings of `kept`. */
const inHalf = (problem: Problem, kept: readonly number[] = []): Problem =>
  mapPlaces(problem, ({ binding, storage }) => ({ binding, storage: storage === dense && !kept.includes(binding) ? half : storage }));

/** f32 numbers as f16, in whole words. */
function packed(values: Float32Array): Uint32Array<ArrayBuffer> {
  const bits = new Uint16Array(Math.ceil(values.length / 2) * 2);
  bits.set(Array.from(values, halfBits));
  return new Uint32Array(bits.buffer);
}

async function check(
  device: Device,
  target: Target,
  problem: Problem,
  given: readonly Words[],
  kept: readonly number[] = [],
): Promise<void> {
  const problemInHalf = inHalf(problem, kept);
  const before = given.map((words, i) =>
    words instanceof Float32Array && !kept.includes(i) ? packed(words) : new Uint32Array(words.slice().buffer),
  );
  const kernel = emitKernel(problemInHalf, chooseSchedule(problemInHalf, target), target, ["%result"]);
  expect(kernel.features).toContain("shader-f16");
  expect(kernel.text).toContain("enable f16;");
  const found = await runKernel(device, kernel, before);
  const difference = new Reference(problemInHalf, before).differenceFrom(found);
  if (difference !== undefined) expect.fail(`${difference}\n${kernel.text}`);
}

const adapters = (await availableAdapters()).filter(({ description }) => description.features.includes("shader-f16"));

test("some adapter has f16, where lavapipe is installed", async () => {
  const names = (await availableAdapters()).map(({ name }) => name);
  expect(adapters.length > 0 || !names.some((name) => name.includes("lavapipe"))).toBe(true);
});

for (const adapter of adapters) {
  for (const path of pathsOf(adapter).filter(({ name }) => name.startsWith("fixed") || name === "none")) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const s = target.subgroupSize === 1 ? 8 : target.subgroupSize;
      const device = deviceOn(path);

      for (const [name, aByK, bByK] of [
        ["NN", false, true],
        ["NT", false, false],
        ["TN", true, true],
      ] as const) {
        test(`contraction ${name}: both sides and the result, and one side alone`, async () => {
          for (const [m, n, k] of [
            [1, 1, 1],
            [s - 1, 4 * s - 1, 7],
            [s, 4 * s, 8],
            [s + 1, 4 * s + 1, 33],
          ] as const) {
            const problem = dotProblem(m, n, k, { aByK, bByK });
            const buffers = [noise(m * k, 1), noise(n * k, 2), new Float32Array(m * n)];
            await check(device(), target, problem, buffers);
            await check(device(), target, problem, buffers, [0, 2]);
          }
        });
      }

      test("pointwise: one element, odd sizes, whole vectors; two results of which one is f32", async () => {
        for (const size of [1, 3, 4, 5, 256, 1027]) {
          const c = variable("c0", size);
          const stores = [storeF32(2, c, times(loadF32(0, c), loadF32(1, c))), storeF32(3, c, unary("exp", loadF32(0, c)))];
          const buffers = [noise(size, 3), noise(size, 4), new Float32Array(size), new Float32Array(size)];
          await check(device(), target, { kind: "pointwise", shape: [size], stores }, buffers, [3]);
        }
      });

      test("pointwise: a transpose, whose loads do not lie together", async () => {
        const [rows, columns] = [12, 20];
        const [r, c] = [variable("c0", columns), variable("c1", rows)];
        const stores = [storeF32(1, at(r, c, rows), loadF32(0, at(c, r, columns)))];
        await check(device(), target, { kind: "pointwise", shape: [columns, rows], stores }, [
          noise(rows * columns, 5),
          new Float32Array(rows * columns),
        ]);
      });

      test("reductions along both axes", async () => {
        for (const axis of ["inner", "outer"] as const) {
          for (const [outer, inner] of [
            [1, 1],
            [3, s + 1],
            [8, 64],
          ] as const) {
            const results = axis === "inner" ? outer : inner;
            await check(
              device(),
              target,
              reduceProblem(outer, inner, axis, "sum"),
              [noise(outer * inner, 6), new Float32Array(results)],
              [1],
            );
            await check(device(), target, reduceProblem(outer, inner, axis, "max"), [noise(outer * inner, 6), new Float32Array(results)]);
          }
        }
      });

      test("rows: rotated, rounded to codes, the rotated row in f16", async () => {
        for (const [rows, columns, block] of [
          [1, 8, 8],
          [5, 64, 16],
          [9, 128, 128],
        ] as const) {
          const problem = questRows(rows, columns, block, 4, { dense: true });
          const pitch = problem.stores.map(({ storage }) => (storage.kind === "packed" ? storage.pitch : 0));
          const buffers = [
            noise(rows * columns, 7),
            new Uint32Array(rows * (pitch[0] ?? 0)),
            new Uint32Array(rows * (pitch[1] ?? 0)),
            new Float32Array(rows),
            new Float32Array(rows * columns),
          ];
          await check(device(), target, problem, buffers, [3]);
        }
      });

      test("attention", async () => {
        for (const length of [1, s - 1, s + 1]) {
          const [heads, channels] = [2, 8];
          const shape = { batch: 1, queries: length, keys: length, heads, groups: heads, channels };
          const element = (axis: string, head: string): ScalarExpr =>
            at(at(variable(axis, length), variable(head, heads), heads), variable("c", channels), channels);
          const [query, key] = [element("t", "h"), element("s", "g")];
          const lse = at(variable("t", length), variable("h", heads), heads);
          const count = length * heads * channels;
          const elements = { q: loadF32(0, query), k: loadF32(1, key), v: loadF32(2, key) };
          const problem: Problem = {
            kind: "attention",
            pass: "forward",
            shape,
            rule: { causal: true, scale: 1 / Math.sqrt(channels) },
            elements,
            stores: [storeF32(3, query, input(0, "f32"))],
            rowStores: [storeF32(4, lse, input(0, "f32"))],
          };
          const buffers = [noise(count, 8), noise(count, 9), noise(count, 10), new Float32Array(count), new Float32Array(length * heads)];
          await check(device(), target, problem, buffers, [4]);
        }
      });

      test("a value is rounded where it stays in the kernel, and what overflows is infinite", async () => {
        const values = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, -1e6, 2 ** -24, 2 ** -26, 0);
        const c = variable("c0", values.length);
        const rounded = unary("to_f16", loadF32(0, c));
        const stores = [storeF32(1, c, times(rounded, float(2))), { ...storeF32(2, c, rounded), storage: half }];
        const problem: Problem = { kind: "pointwise", shape: [values.length], stores };
        const kernel = emitKernel(problem, chooseSchedule(problem, target), target);
        const results = await runKernel(device(), kernel, [values, new Float32Array(values.length), new Uint32Array(values.length / 2)]);
        const expected = [1, 1 + 2 ** -9, 65504, Infinity, -Infinity, 2 ** -24, 0, 0];
        expect([...new Float32Array((results[1] ?? new Uint32Array()).slice().buffer)]).toEqual(expected.map((x) => 2 * x));
        expect([...new Uint16Array((results[2] ?? new Uint32Array()).slice().buffer)].map(halfValue)).toEqual(expected);
      });
    });
  }
}
