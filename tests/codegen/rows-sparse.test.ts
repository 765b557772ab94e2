// Rows that are pruned to half, in row kernels on every adapter and subgroup path, and element by element: exactly what the reference keeps, ties included.
import { describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import type { PointwiseProblem, RowsProblem, Schedule, Store, Target } from "../../ir/plan.ts";
import {
  cast,
  float,
  input,
  int,
  keptAmongFour,
  plus,
  type ScalarExpr,
  type SparseUnit,
  select,
  times,
  variable,
} from "../../ir/scalar.ts";
import { createSimplifier } from "../../ir/simplify.ts";
import { keptByColumns } from "../../ir/sparse.ts";
import type { Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, loadF32, mask, packed, storeF32 } from "./support/problems.ts";
import { runKernel } from "./support/run-kernel.ts";

/** Rows, columns, block of the transform: within a vector, over lanes, rows that end within a word, a span, or need several. */
const cases: readonly (readonly [number, number, number, SparseUnit])[] = [
  [3, 8, 1, 2],
  [5, 256, 4, 2],
  [3, 40, 8, 1],
  [2, 1152, 1, 2],
  [3, 4, 4, 1],
  [7, 64, 4, 2],
  [2, 784, 16, 1],
];

/** Small whole numbers: sums of squares are exact, and many are equal. */
const ties = (count: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: count }, (_, i) => (((i * 2654435761) >>> 9) % 7) - 3);

/** Codes, mask and the numbers themselves where they stay, of `x` = a whole number. */
function storesOf(x: ScalarExpr, unit: SparseUnit, row: ScalarExpr, column: ScalarExpr, columns: number): readonly Store[] {
  const kept = () => keptAmongFour(unit, times(x, x));
  return [
    { binding: 1, storage: packed(6, columns, "planes"), row, column, value: select(kept(), plus(cast("i32", x), int(8)), int(0)) },
    { binding: 2, storage: mask(columns), row, column, value: kept() },
    storeF32(3, at(row, column, columns), select(kept(), x, float(0))),
  ];
}

function rowsOf(rows: number, columns: number, block: number, unit: SparseUnit): RowsProblem {
  const [row, column] = [variable("row", rows), variable("column", columns)];
  const element = loadF32(0, at(row, column, columns));
  // Transforms of 4 and 16 halve and quarter sums of whole numbers; that of 8 is divided by its root, and only its own ties stay.
  return { kind: "rows", rows, columns, block, element, stores: storesOf(input(0, "f32"), unit, row, column, columns), rowStores: [] };
}

const buffersOf = (rows: number, columns: number): Words[] => [
  ties(rows * columns),
  new Uint32Array(rows * packed(6, columns, "planes").pitch),
  new Uint32Array(rows * mask(columns).pitch),
  new Float32Array(rows * columns),
];

async function check(
  device: Device,
  problem: RowsProblem | PointwiseProblem,
  schedule: Schedule,
  target: Target,
  buffers: readonly Words[],
) {
  const expected = buffers.map((b) => b.slice());
  evaluateProblem(problem, expected);
  const kernel = emitKernel(problem, schedule, target);
  const found = await runKernel(device, kernel, buffers);
  for (const i of [1, 2]) expect(found[i], `binding ${i}\n${kernel.text}`).toEqual(expected[i]);
  expect(Array.from(new Float32Array(found[3]?.buffer ?? new ArrayBuffer(0)), (v) => v !== 0)).toEqual(
    Array.from(expected[3] ?? [], (v) => v !== 0),
  );
}

function schedulesFor(problem: RowsProblem, target: Target): readonly Schedule[] {
  const size = target.subgroupSize;
  const teams = [
    [size, 1],
    [size, 2],
    [2, 4],
    [2, 1],
    [1, 2],
  ] as const;
  const all: readonly Schedule[] =
    target.subgroups === "none"
      ? [2, 8]
          .map((vectors): Schedule => ({ kind: "rows", frame: "lane", vectors, workgroup: 8 }))
          .concat({ kind: "rows", frame: "workgroup", workgroup: 32 })
      : teams.map(([lanes, vectors]) => ({ kind: "rows", frame: "subgroup", lanes, vectors, rowsPerGroup: size / lanes }));
  return all.filter((schedule) => refuseSchedule(problem, schedule, target) === undefined);
}

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const device = deviceOn(path);
      const isMain = path.name.startsWith("fixed") || path.name === "none";
      test.each(isMain ? cases : cases.slice(0, 1))("%i x %i, blocks of %i, units of %i", async (rows, columns, block, unit) => {
        const problem = rowsOf(rows, columns, block, unit);
        const schedules = schedulesFor(problem, target);
        expect(schedules.length).toBeGreaterThan(0);
        for (const schedule of schedules) await check(device(), problem, schedule, target, buffersOf(rows, columns));
      });
      test.runIf(isMain).each([1, 2] as const)("element by element, units of %i", async (unit) => {
        const [rows, columns] = [5, 40];
        const [row, column] = [variable("c0", rows), { kind: "variable", type: "u32", name: "c1", bound: columns } as const];
        const simplifier = createSimplifier();
        const stores = storesOf(loadF32(0, at(row, column, columns)), unit, row, column, columns);
        const problem: PointwiseProblem = {
          kind: "pointwise",
          shape: [rows, columns],
          stores: stores.map((store) => ({ ...store, value: keptByColumns(store.value, column, simplifier) })),
        };
        const buffers = buffersOf(rows, columns);
        await check(device(), problem, chooseSchedule(problem, target), target, buffers);
        const same = buffersOf(rows, columns);
        evaluateProblem(rowsOf(rows, columns, 1, unit), same);
        evaluateProblem(problem, buffers);
        expect(buffers).toEqual(same);
      });
    });
  }
}
