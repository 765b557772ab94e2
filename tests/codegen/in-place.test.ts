// Results in the place of operands: kernels of every family, on every adapter and subgroup path, against the reference, which loads
// everything before it stores anything.

import { describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { PointwiseProblem, Problem, RowsProblem, Schedule } from "../../ir/plan.ts";
import { float, input, plus, times, unary, variable } from "../../ir/scalar.ts";
import { epsilon, sumBound, type Words } from "../../ir/sum-error.ts";
import { InPlaceTable, inPlacePairs } from "../../passes/in-place.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, dotProblem, loadF32, noise, reduceProblem, storeF32 } from "./support/problems.ts";

/** x -> (x * y, x + y): the first result may lie on either operand, the second too. */
function pointwise(count: number): PointwiseProblem {
  const c = variable("c0", count);
  const [x, y] = [loadF32(0, c), loadF32(1, c)];
  return { kind: "pointwise", shape: [count], stores: [storeF32(2, c, times(x, y)), storeF32(3, c, plus(x, y))] };
}

/** A row is rotated, scaled by its own root mean square, and added to what lay there. */
function rows(count: number, columns: number, block: number, statistic: boolean): RowsProblem {
  const place = at(variable("row", count), variable("column", columns), columns);
  const scaled = statistic ? times(input(0, "f32"), input(1, "f32")) : input(0, "f32");
  return {
    kind: "rows",
    rows: count,
    columns,
    block,
    element: loadF32(0, place),
    ...(statistic ? { statistic: "mean_square", perRow: plus(unary("sqrt", input(0, "f32")), float(1)) } : {}),
    stores: [storeF32(1, place, plus(scaled, loadF32(0, place)))],
    rowStores: [],
  };
}

/** The problem with a result bound where an operand is, and the buffers without the result's. */
function inPlace(problem: Problem, result: number, operand: number, buffers: readonly Words[]) {
  expect(inPlacePairs(problem)).toContainEqual({ result, operand });
  return { problem: new InPlaceTable().merged(problem, [{ result, operand }]), buffers: buffers.filter((_, i) => i !== result) };
}

describe("pairs", () => {
  test("nothing that is loaded at another element is written over", () => {
    const c = variable("c0", 8);
    const shifted: PointwiseProblem = {
      kind: "pointwise",
      shape: [8],
      stores: [storeF32(1, c, plus(loadF32(0, c), loadF32(0, plus(c, c))))],
    };
    expect(inPlacePairs(shifted)).toEqual([]);
    // The operands of a contraction and what a reduction sums are read many times.
    expect(inPlacePairs(dotProblem(4, 4, 4))).toEqual([]);
    expect(inPlacePairs(reduceProblem(1, 1, "inner", "sum"))).toEqual([]);
  });

  test("of two results each may take each operand", () => {
    expect(inPlacePairs(pointwise(8))).toEqual([2, 3].flatMap((result) => [0, 1].map((operand) => ({ result, operand }))));
  });
});

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const device = deviceOn(path);

      test.each([1, 4, 31, 1024, 4099])("pointwise, %i elements", async (count) => {
        const buffers = [noise(count, 1), noise(count, 2), new Float32Array(count), new Float32Array(count)];
        for (const operand of [0, 1]) {
          const merged = inPlace(pointwise(count), 2, operand, buffers);
          await expectAgreement(device(), { ...merged, schedule: chooseSchedule(merged.problem, target), target });
        }
        const single = inPlace(pointwise(count), 3, 0, buffers);
        await expectAgreement(device(), { ...single, schedule: { kind: "pointwise", width: 1, perLane: 4, workgroup: 32 }, target });
      });

      test.each([
        [5, 7, 9],
        [64, 64, 16],
        [33, 34, 32],
        [70, 1, 8],
      ])("dot %i x %i x %i onto what its epilogue adds", async (m, n, k) => {
        const residual = dotProblem(m, n, k, { epilogue: (sum, row, column) => plus(sum, loadF32(3, at(row, column, n))) });
        const merged = inPlace(residual, 2, 3, [noise(m * k, 1), noise(k * n, 2), new Float32Array(m * n), noise(m * n, 3)]);
        const sums = sumBound(merged.problem, merged.buffers, 2, k);
        const bound = (binding: number, index: number) => sums(binding, index) + 4 * epsilon;
        for (const schedule of [
          ...schedulesOf(merged.problem, target),
          { kind: "dot", frame: "tile", rows: 4, workgroup: [4, 2] } as const,
        ])
          await expectAgreement(device(), { ...merged, schedule, target, bound });
      });

      test.each([
        [7, 5, "inner"],
        [64, 33, "outer"],
        [3, 4096, "inner"],
      ] as const)("reduce %i x %i along %s onto what its epilogue adds", async (outer, inner, axis) => {
        const problem = reduceProblem(outer, inner, axis, "max");
        const count = axis === "inner" ? outer : inner;
        const c = variable("c0", count);
        const shifted: Problem = { ...problem, stores: [storeF32(1, c, plus(input(0, "f32"), loadF32(2, c)))] };
        const merged = inPlace(shifted, 1, 2, [noise(outer * inner, 1), new Float32Array(count), noise(count, 2)]);
        await expectAgreement(device(), { ...merged, schedule: chooseSchedule(merged.problem, target), target });
      });

      test.each([
        [3, 784, 16, true],
        [5, 128, 128, false],
        [2, 7, 1, true],
        [9, 40, 8, false],
        [2, 1152, 128, true],
        [2, 8192, 128, true],
        [2, 8192, 1, false],
      ])("%i rows of %i in blocks of %i, statistic %s", async (count, columns, block, statistic) => {
        const problem = rows(count, columns, block, statistic);
        const merged = inPlace(problem, 1, 0, [noise(count * columns, 1), new Float32Array(count * columns)]);
        const bound = () => 64 * epsilon * Math.sqrt(block);
        for (const schedule of schedulesOf(merged.problem, target)) await expectAgreement(device(), { ...merged, schedule, target, bound });
      });
    });
  }
}

function schedulesOf(problem: Problem, target: Parameters<typeof chooseSchedule>[1]): readonly Schedule[] {
  const plain: readonly Schedule[] = problem.kind === "rows" ? [{ kind: "rows", frame: "workgroup", workgroup: 64 }] : [];
  return [chooseSchedule(problem, target), ...plain].filter((schedule) => refuseSchedule(problem, schedule, target) === undefined);
}
