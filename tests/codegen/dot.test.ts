// Contractions on every adapter and subgroup path against the reference: all layouts, odd sizes, packed operands, batches, epilogues.

import { describe, expect, test } from "vitest";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { DotProblem, Schedule, Target } from "../../ir/plan.ts";
import { binary, cast, float, load, plus, type ScalarExpr, select, times } from "../../ir/scalar.ts";
import { epsilon, sumBound, type Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, dotProblem, loadF32, mask, noise, packed, words } from "./support/problems.ts";

const layouts = [
  { name: "NN", aByK: false, bByK: true },
  { name: "NT", aByK: false, bByK: false },
  { name: "TN", aByK: true, bByK: true },
  { name: "TT", aByK: true, bByK: false },
];

async function check(
  device: Device,
  problem: DotProblem,
  schedule: Schedule,
  target: Target,
  buffers: readonly Words[],
  slack = 2,
): Promise<void> {
  expect(refuseSchedule(problem, schedule, target)).toBeUndefined();
  // The epilogues here have slope at most 2 in the sum, and add values of size 1.
  const ofSum = sumBound(problem, buffers, 2, problem.k + 4, slack);
  await expectAgreement(device, { problem, schedule, target, buffers, bound: (b, i) => ofSum(b, i) + (b === 2 ? 4 * epsilon : 0) });
}

const buffersFor = (p: DotProblem, more: readonly Words[] = []): readonly Words[] => {
  const batches = p.batch.reduce((n, s) => n * s, 1);
  return [noise(batches * p.m * p.k, 1), noise(batches * p.n * p.k, 2), new Float32Array(batches * p.m * p.n), ...more];
};

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const s = target.subgroupSize;
      const schedule = (rows: number): Schedule =>
        target.subgroups === "none"
          ? { kind: "dot", frame: "tile", rows: 4 * rows, workgroup: [4, 2] }
          : { kind: "dot", frame: "broadcast", rows };
      const [tileM, tileN] = target.subgroups === "none" ? [8, 16] : [s, 4 * s];
      const device = deviceOn(path);

      const sizes: readonly (readonly [number, number, number])[] = [
        [1, 1, 1],
        [tileM - 1, tileN - 1, 7],
        [tileM, tileN, 8],
        [tileM + 1, tileN + 1, 9],
        [2 * tileM + 3, 2 * tileN + 4, 33],
      ];
      // Every size where kernels differ most; one odd size elsewhere, since each kernel costs compile time.
      const chosen = path.name.startsWith("fixed") || path.name === "none" ? sizes : sizes.slice(-1);
      for (const { name, aByK, bByK } of layouts) {
        test(name, async () => {
          for (const [m, n, k] of chosen) {
            const problem = dotProblem(m, n, k, { aByK, bByK });
            await check(device(), problem, schedule(1), target, buffersFor(problem));
          }
        });
      }

      test("several row groups, batches, an epilogue that reads by row, by column and by element", async () => {
        const [m, n, k] = [2 * tileM + 1, tileN, 12];
        const problem = dotProblem(m, n, k, {
          batch: [2, 3],
          epilogue: (sum, row, column) =>
            binary("max", plus(plus(times(sum, loadF32(3, row)), loadF32(4, column)), loadF32(5, at(row, column, n))), float(0)),
        });
        await check(device(), problem, schedule(2), target, buffersFor(problem, [noise(m, 3), noise(n, 4), noise(m * n, 5)]));
      });
    });
  }

  describe(`${adapter.name}, packed operands`, () => {
    const path = pathsOf(adapter)[1];
    if (path === undefined) throw new Error("the path `fixed`");
    const device = deviceOn(path);
    const s = path.target.subgroupSize;
    const broadcast: Schedule = { kind: "dot", frame: "broadcast", rows: 1 };
    const tile: Schedule = { kind: "dot", frame: "tile", rows: 4, workgroup: [4, 2] };

    // Codes with a scale a row on both sides: the forward pass (NT) and both products of the backward pass.
    for (const [bits, layout] of [
      [1, "linear"],
      [2, "linear"],
      [4, "linear"],
      [8, "linear"],
      [1, "planes"],
      [3, "planes"],
      [5, "planes"],
    ] as const) {
      test(`${bits} bits, ${layout}`, async () => {
        for (const { aByK, bByK } of [layouts[1], layouts[0], layouts[2]] as readonly { aByK: boolean; bByK: boolean }[]) {
          const [m, n, k] = [s + 3, 4 * s + 5, 38];
          const scaleOf = (side: "a" | "b", row: ScalarExpr) => loadF32(side === "a" ? 3 : 4, row);
          const decoded = (side: "a" | "b", row: ScalarExpr, column: ScalarExpr, columns: number): ScalarExpr => {
            const code = load("i32", side === "a" ? 0 : 1, packed(bits, columns, layout), column, row);
            return times(plus(cast("f32", code), float(0.5)), scaleOf(side, row));
          };
          const problem = dotProblem(m, n, k, { aByK, bByK, element: decoded });
          const [rowsA, columnsA, rowsB, columnsB] = [aByK ? k : m, aByK ? m : k, bByK ? k : n, bByK ? n : k];
          const buffers = [
            words(rowsA * packed(bits, columnsA, layout).pitch, 1),
            words(rowsB * packed(bits, columnsB, layout).pitch, 2),
            new Float32Array(m * n),
            noise(rowsA, 3),
            noise(rowsB, 4),
          ];
          await check(device(), problem, broadcast, path.target, buffers);
          if (layout === "linear") await check(device(), problem, tile, path.target, buffers);
        }
      });
    }

    test("a masked operand, and columns beyond the last that hold NaN", async () => {
      const [m, n, k] = [s + 1, 4 * s, 10];
      const problem = dotProblem(m, n, k, {
        aByK: false,
        element: (side, row, column, columns) =>
          side === "a"
            ? select(load("bool", 3, mask(columns), column, row), loadF32(0, at(row, column, columns)), float(0))
            : loadF32(1, at(row, column, columns)),
      });
      const buffers = buffersFor(problem, [words(m * mask(k).pitch, 7)]);
      await check(device(), problem, broadcast, path.target, buffers);
      await check(device(), problem, tile, path.target, buffers);
    });
  });
}
