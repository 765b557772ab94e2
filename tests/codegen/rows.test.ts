// Row kernels on every adapter and subgroup path against the reference: transform, statistic, codes and masks in one kernel.

import { describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import { readPacked } from "../../ir/packing.ts";
import type { RowsProblem, Schedule, Target } from "../../ir/plan.ts";
import { binary, float, input, load, plus, select, times, uint, variable } from "../../ir/scalar.ts";
import { epsilon, type Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, loadF32, mask, noise, packed, questRows, storeF32, words } from "./support/problems.ts";
import { runKernel } from "./support/run-kernel.ts";

/** Rows, columns, block, bits, layout: blocks smaller and larger than a subgroup's vectors, rows that end within a word, a vector, a span. */
const cases: readonly (readonly [number, number, number, number, "linear" | "planes"])[] = [
  [3, 784, 16, 4, "linear"],
  [2, 256, 128, 4, "linear"],
  [5, 128, 128, 2, "linear"],
  [3, 40, 8, 1, "linear"],
  [2, 10, 2, 8, "linear"],
  [2, 7, 1, 4, "linear"],
  [3, 512, 64, 3, "planes"],
  [2, 1152, 128, 1, "linear"],
  [2, 36, 4, 5, "planes"],
  [1, 1, 1, 4, "linear"],
  [2, 96, 32, 6, "planes"],
  [3, 64, 16, 9, "planes"],
  // Words of one lane, four together, and shared ones, in rows that registers hold; groups of rows that end within a workgroup.
  [5, 512, 128, 4, "planes"],
  [3, 512, 128, 8, "linear"],
  [9, 128, 128, 1, "planes"],
  [11, 256, 128, 4, "linear"],
  [7, 64, 32, 2, "planes"],
  [6, 32, 8, 8, "planes"],
  [13, 20, 4, 3, "planes"],
];

/** Teams of all sizes: a subgroup with few vectors and with many, a part of one, a lane alone. */
function schedulesFor(problem: RowsProblem, target: Target): readonly Schedule[] {
  const size = target.subgroupSize;
  const teams = [
    [size, 1],
    [size, 2],
    [size, 4],
    [size, 8],
    [size / 2, 8],
    [2, 4],
    [1, 8],
  ] as const;
  const lane = { kind: "rows", frame: "lane", vectors: problem.block === 64 ? 16 : 8, workgroup: 8 } as const;
  const all: readonly Schedule[] =
    target.subgroups === "none"
      ? [lane, { kind: "rows", frame: "workgroup", workgroup: 32 }, { kind: "rows", frame: "workgroup", workgroup: 64 }]
      : teams.map(([lanes, vectors]) => ({ kind: "rows", frame: "subgroup", lanes, vectors, rowsPerGroup: Math.max(2, size / lanes) }));
  return all.filter((schedule) => refuseSchedule(problem, schedule, target) === undefined);
}

/**
 * A third of a case's schedules, another third for the next case: between them the cases try each schedule several times, and compiling hundreds of
 * kernels would take minutes.
 */
function thirdOf(schedules: readonly Schedule[], index: number): readonly Schedule[] {
  return schedules.length < 3 ? schedules : schedules.filter((_, i) => i % 3 === index % 3);
}

/**
 * Codes may differ from the reference only where the value before rounding lies next to a boundary. `dense`: the kernel stores the rotated row as
 * well, which keeps it from holding rows of several spans.
 */
async function checkQuest(
  device: Device,
  problem: RowsProblem,
  dense: boolean,
  schedule: Schedule,
  target: Target,
  x: Words,
): Promise<void> {
  const { rows, columns } = problem;
  const [codes, masks] = problem.stores.map((s) => s.storage);
  if (codes?.kind !== "packed" || masks?.kind !== "packed") throw new Error("codes and mask");
  const buffers = [x, words(rows * codes.pitch, 3), words(rows * masks.pitch, 4), new Float32Array(rows), new Float32Array(rows * columns)];
  const expected = buffers.map((b) => b.slice());
  evaluateProblem(problem, expected);
  const kernel = emitKernel(dense ? problem : { ...problem, stores: problem.stores.slice(0, 2) }, schedule, target);
  const found = await runKernel(device, kernel, dense ? buffers : buffers.slice(0, 4));
  const floats = (binding: number, count: number) => new Float32Array(found[binding]?.buffer ?? new ArrayBuffer(0), 0, count);
  const [steps, rotated] = [floats(3, rows), dense ? floats(4, rows * columns) : undefined];
  let differing = 0;
  for (let row = 0; row < rows; row++) {
    const step = Number(expected[3]?.[row]);
    const largest = Math.max(...Array.from({ length: columns }, (_, c) => Math.abs(Number(expected[4]?.[row * columns + c]))));
    expect(Math.abs((steps[row] ?? 0) - step), `step of row ${row}\n${kernel.text}`).toBeLessThanOrEqual(32 * epsilon * step);
    for (let column = 0; column < columns; column++) {
      const value = Number(expected[4]?.[row * columns + column]);
      if (rotated !== undefined)
        expect(
          Math.abs((rotated[row * columns + column] ?? 0) - value),
          `row ${row}, column ${column}\n${kernel.text}`,
        ).toBeLessThanOrEqual(16 * epsilon * largest * Math.sqrt(problem.block));
      const same = [codes, masks].every(
        (storage, i) =>
          readPacked(found[i + 1] ?? new Uint32Array(), storage, row, column) ===
          readPacked(expected[i + 1] as Uint32Array, storage, row, column),
      );
      if (same) continue;
      differing++;
      const distance = Math.abs(value / step - Math.round(value / step));
      expect(distance, `row ${row}, column ${column} is no tie\n${kernel.text}`).toBeLessThanOrEqual((32 * epsilon * largest) / step);
    }
  }
  // Ties are rare: were they not, the test would prove nothing. And padding is zero, so all words agree where no code differs.
  expect(differing).toBeLessThanOrEqual(1);
  if (differing === 0) for (const i of [1, 2]) expect(found[i], kernel.text).toEqual(expected[i]);
}

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const device = deviceOn(path);
      // Frames without subgroups have fewer ways to go wrong: every other case.
      const chosen = path.name.startsWith("fixed") ? cases : path.name === "none" ? cases.filter((_, i) => i % 2 === 0) : cases.slice(0, 4);
      for (const [index, [rows, columns, block, bits, layout]] of chosen.entries()) {
        test(`${rows} x ${columns}, blocks of ${block}, ${bits} bits ${layout}`, async () => {
          const problem = questRows(rows, columns, block, bits, { layout, dense: true });
          const schedules = thirdOf(schedulesFor(problem, target), index);
          expect(schedules.length).toBeGreaterThan(0);
          const x = noise(rows * columns, rows + columns);
          for (const [i, schedule] of schedules.entries()) {
            await checkQuest(device(), problem, (i + index) % 3 === 2, schedule, target, x);
          }
        });
      }
    });
  }

  describe(`${adapter.name}, default schedules`, () => {
    const path = pathsOf(adapter)[1];
    if (path === undefined) throw new Error("the path `fixed`");
    const { target } = path;
    const device = deviceOn(path);

    test("a masked operand rotated back, no statistic", async () => {
      for (const [rows, columns, block] of [
        [5, 48, 16],
        [3, 256, 128],
      ] as const) {
        const [row, column] = [variable("row", rows), variable("column", columns)];
        const problem: RowsProblem = {
          kind: "rows",
          rows,
          columns,
          block,
          element: select(load("bool", 1, mask(columns), column, row), loadF32(0, at(row, column, columns)), float(0)),
          stores: [storeF32(2, at(row, column, columns), times(input(0, "f32"), loadF32(3, row)))],
          rowStores: [],
        };
        const buffers = [noise(rows * columns), words(rows * mask(columns).pitch), new Float32Array(rows * columns), noise(rows, 8)];
        await expectAgreement(device(), {
          problem,
          schedule: chooseSchedule(problem, target),
          target,
          buffers,
          bound: () => 16 * epsilon * Math.sqrt(block),
        });
      }
    });

    test("results in place of the operand", async () => {
      const [rows, columns] = [4, 784];
      const [row, column] = [variable("row", rows), variable("column", columns)];
      const problem: RowsProblem = {
        kind: "rows",
        rows,
        columns,
        block: 16,
        statistic: "abs_max",
        element: loadF32(0, at(row, column, columns)),
        stores: [storeF32(0, at(row, column, columns), binary("div", input(0, "f32"), input(1, "f32")))],
        rowStores: [],
      };
      const buffers = [noise(rows * columns)];
      await expectAgreement(device(), { problem, schedule: chooseSchedule(problem, target), target, buffers, bound: () => 64 * epsilon });
    });

    test("a normalised row that is stored for others before it is rotated, also over what was loaded", async () => {
      for (const [index, [rows, columns, over]] of (
        [
          [19, 128, false],
          [5, 512, false],
          [5, 512, true],
          [3, 1152, true],
          [3, 40, true],
        ] as const
      ).entries()) {
        const [row, column] = [variable("row", rows), variable("column", columns)];
        const place = at(row, column, columns);
        const unit = times(loadF32(0, place), loadF32(4, row));
        const quest = questRows(rows, columns, 8, 4);
        const problem: RowsProblem = {
          ...quest,
          element: times(unit, loadF32(5, column)),
          stores: [storeF32(over ? 0 : 6, place, unit), ...quest.stores],
        };
        const [codes, masks] = [packed(4, columns), mask(columns)];
        const buffers = [
          noise(rows * columns, columns),
          words(rows * codes.pitch),
          words(rows * masks.pitch),
          new Float32Array(rows),
          noise(rows, 8),
          noise(columns, 9),
          ...(over ? [] : [new Float32Array(rows * columns)]),
        ];
        const bound = (binding: number) => (binding === 3 ? 16 * epsilon : 0);
        const schedules = target.subgroups === "none" ? [chooseSchedule(problem, target)] : thirdOf(schedulesFor(problem, target), index);
        for (const schedule of schedules) await expectAgreement(device(), { problem, schedule, target, buffers, bound });
      }
    });

    test("groups of a row with a scale each, the padding behind the last one cleared", async () => {
      for (const [rows, groups, size, bits] of [
        [3, 4, 64, 4],
        [2, 3, 32, 2],
        [2, 5, 32, 3],
      ] as const) {
        const count = rows * groups;
        const [row, column] = [variable("row", count), variable("column", size)];
        const outer = binary("div", row, uint(groups));
        const inRow = plus(times(binary("rem", row, uint(groups)), uint(size)), column);
        const layout = 32 % bits === 0 ? "linear" : "planes";
        const quest = questRows(count, size, 32, bits);
        const [codes, masks] = [packed(bits, groups * size, layout), mask(groups * size)];
        const problem: RowsProblem = {
          ...quest,
          stores: [
            ...quest.stores.map((s, i) => ({ ...s, row: outer, column: inRow, storage: i === 0 ? codes : masks })),
            storeF32(4, at(row, column, size), input(0, "f32")),
          ],
        };
        const buffers = [
          noise(count * size),
          words(rows * codes.pitch),
          words(rows * masks.pitch),
          new Float32Array(count),
          new Float32Array(count * size),
        ];
        const bound = (binding: number) => (binding === 3 ? 4 * epsilon : binding === 4 ? 64 * epsilon : 0);
        for (const schedule of [chooseSchedule(problem, target), { kind: "rows", frame: "workgroup", workgroup: 64 } as const])
          await expectAgreement(device(), { problem, schedule, target, buffers, bound });
      }
    });

    test.each(["mean_abs", "variance"] as const)("%s, and rows of zeros", async (statistic) => {
      const [rows, columns] = [3, 20];
      const [row, column] = [variable("row", rows), variable("column", columns)];
      const problem: RowsProblem = {
        kind: "rows",
        rows,
        columns,
        block: 1,
        statistic,
        element: loadF32(0, at(row, column, columns)),
        perRow: plus(input(0, "f32"), loadF32(2, row)),
        stores: [],
        rowStores: [storeF32(1, row, input(0, "f32"))],
      };
      const data = noise(rows * columns);
      data.fill(0, columns, 2 * columns);
      await expectAgreement(device(), {
        problem,
        schedule: chooseSchedule(problem, target),
        target,
        buffers: [data, new Float32Array(rows), noise(rows, 2)],
        bound: () => 8 * epsilon,
      });
    });
  });
}
