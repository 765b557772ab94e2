// Pointwise kernels on every adapter against the reference: both widths, packed results, broadcasts, views, updates in place, folding.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { PointwiseProblem, Schedule, Store } from "../../ir/plan.ts";
import { binary, cast, float, int, load, over, plus, type ScalarExpr, select, times, uint, unary, variable } from "../../ir/scalar.ts";
import type { Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { at, dense, loadF32, mask, noise, packed, storeF32, targetOf, words } from "./support/problems.ts";

const pointwise = (shape: readonly number[], stores: readonly Store[]): PointwiseProblem => ({ kind: "pointwise", shape, stores });
const axes = (...shape: readonly number[]) => shape.map((bound, i) => variable(`c${i}`, bound)) as [ScalarExpr, ScalarExpr, ScalarExpr];

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    const target = targetOf("none", 1, adapter.description.adapterClass);
    let device: Device;
    beforeAll(async () => {
      device = await adapter.open();
    });
    afterAll(() => device.dispose());
    const check = async (
      problem: PointwiseProblem,
      buffers: readonly Words[],
      schedules: readonly Schedule[] = [chooseSchedule(problem, target)],
      bound?: (binding: number, i: number) => number,
    ) => {
      for (const schedule of schedules) {
        expect(refuseSchedule(problem, schedule, target)).toBeUndefined();
        await expectAgreement(device, { problem, schedule, target, buffers, ...(bound === undefined ? {} : { bound }) });
      }
    };
    const every: readonly Schedule[] = [
      { kind: "pointwise", width: 1, perLane: 1, workgroup: 32 },
      { kind: "pointwise", width: 1, perLane: 3, workgroup: 16 },
      { kind: "pointwise", width: 4, perLane: 1, workgroup: 32 },
      { kind: "pointwise", width: 4, perLane: 2, workgroup: 8 },
    ];

    test("some elements stored, at places of their own", async () => {
      for (const [rows, columns] of [
        [1, 4],
        [5, 8],
        [3, 6],
      ] as const) {
        const [r, c] = axes(rows, columns);
        // Rows from 2 on of a tensor of four, the last ones beyond it; the place is data.
        const place = plus(load("i32", 1, { kind: "dense", scalar: "i32" }, uint(0)), cast("i32", r));
        const where = binary("lt", place, int(4));
        const row = cast("u32", binary("min", place, int(3)));
        const store = storeF32(2, at(row, c, columns), times(loadF32(0, at(r, c, columns)), float(2)));
        const problem: PointwiseProblem = { ...pointwise([rows, columns], [store]), where };
        const buffers = [noise(rows * columns), Int32Array.of(2), noise(4 * columns, 3)];
        const fitting = every.filter((schedule) => refuseSchedule(problem, schedule, target) === undefined);
        expect(fitting.length).toBe(columns % 4 === 0 ? 4 : 2);
        await check(problem, buffers, [...fitting, chooseSchedule(problem, target)]);
      }
    });

    test("a broadcast row and column", async () => {
      for (const [rows, columns] of [
        [1, 4],
        [5, 8],
        [7, 12],
        [4, 10],
      ] as const) {
        const [r, c] = axes(rows, columns);
        const x = loadF32(0, at(r, c, columns));
        const problem = pointwise(
          [rows, columns],
          [storeF32(3, at(r, c, columns), binary("max", plus(times(x, loadF32(1, c)), loadF32(2, r)), float(0)))],
        );
        await check(problem, [noise(rows * columns), noise(columns, 2), noise(rows, 3), new Float32Array(rows * columns)], every);
      }
      const [r, c] = axes(3, 7);
      await check(pointwise([3, 7], [storeF32(1, at(r, c, 7), plus(loadF32(0, at(r, c, 7)), float(1)))]), [
        noise(21),
        new Float32Array(21),
      ]);
    });

    test("transposed and sliced views", async () => {
      const [r, c] = axes(8, 12);
      const problem = pointwise(
        [8, 12],
        [storeF32(2, at(r, c, 12), binary("sub", loadF32(0, at(c, r, 8)), loadF32(1, plus(at(r, c, 20), uint(3)))))],
      );
      await check(problem, [noise(96), noise(8 * 20 + 3, 2), new Float32Array(96)], every);
    });

    test("results where the operands lie", async () => {
      const [i] = axes(400);
      const [w, m] = [loadF32(0, i), loadF32(1, i)];
      const next = plus(times(m, float(0.5)), loadF32(2, i));
      await check(
        pointwise([400], [storeF32(0, i, binary("sub", w, times(next, float(0.25)))), storeF32(1, i, next)]),
        [noise(400), noise(400, 2), noise(400, 3)],
        every,
      );
    });

    test("packed results beside dense ones", async () => {
      for (const [rows, columns] of [
        [3, 20],
        [2, 129],
        [5, 32],
        [1, 1],
        [4, 5],
      ] as const) {
        const [r, c] = axes(rows, columns);
        const x = loadF32(0, at(r, c, columns));
        const code = (bits: number) =>
          cast(
            "i32",
            binary(
              "max",
              binary("min", unary("floor", times(x, float(2 ** (bits - 1)))), float(2 ** (bits - 1) - 1)),
              float(-(2 ** (bits - 1))),
            ),
          );
        for (const [bits, layout] of [
          [4, "linear"],
          [8, "linear"],
          [3, "planes"],
        ] as const) {
          const problem = pointwise(
            [rows, columns],
            [
              storeF32(1, at(r, c, columns), unary("abs", x)),
              { binding: 2, storage: mask(columns), row: r, column: c, value: binary("gt", x, float(0)) },
              { binding: 3, storage: packed(bits, columns, layout), row: r, column: c, value: code(bits) },
            ],
          );
          const buffers = [
            noise(rows * columns),
            new Float32Array(rows * columns),
            words(rows * mask(columns).pitch),
            words(rows * packed(bits, columns, layout).pitch),
          ];
          await check(problem, buffers, [
            { kind: "pointwise", width: 4, perLane: 1, workgroup: 32 },
            { kind: "pointwise", width: 4, perLane: 2, workgroup: 1 },
          ]);
        }
      }
    });

    test("packed operands, read in fours and one by one", async () => {
      const [rows, columns] = [3, 44];
      const [r, c] = axes(rows, columns);
      for (const [bits, layout] of [
        [1, "linear"],
        [2, "linear"],
        [4, "linear"],
        [8, "linear"],
        [1, "planes"],
        [6, "planes"],
      ] as const) {
        const storage = packed(bits, columns, layout);
        const code = load("i32", 0, storage, c, r);
        const turned = load("i32", 0, storage, binary("sub", uint(columns - 1), c), r);
        const kept = load("bool", 1, mask(columns), c, r);
        const value = select(kept, plus(cast("f32", code), float(0.5)), cast("f32", plus(turned, int(100))));
        const problem = pointwise([rows, columns], [storeF32(2, at(r, c, columns), value)]);
        await check(
          problem,
          [words(rows * storage.pitch), words(rows * mask(columns).pitch, 4), new Float32Array(rows * columns)],
          every.slice(1, 3),
        );
      }
    });

    test("a scalar, and truth values of rank 0", async () => {
      const x = loadF32(0, uint(0));
      await check(pointwise([], [storeF32(1, uint(0), times(x, float(3)))]), [noise(1), new Float32Array(1)]);
      const truth: Store = { binding: 1, storage: mask(1), row: uint(0), column: uint(0), value: binary("lt", x, float(2)) };
      await check(pointwise([], [truth]), [noise(1), words(4)]);
    });

    test("more workgroups than one dimension takes", async () => {
      const small = targetOf("none", 1, adapter.description.adapterClass, { maxComputeWorkgroupsPerDimension: 5 });
      const [i] = axes(4 * 23);
      const problem = pointwise([4 * 23], [storeF32(1, i, plus(loadF32(0, i), float(1)))]);
      const kernel = await expectAgreement(device, {
        problem,
        schedule: { kind: "pointwise", width: 4, perLane: 1, workgroup: 1 },
        target: small,
        buffers: [noise(92), new Float32Array(92)],
      });
      expect(kernel.groups).toEqual([5, 5, 1]);
    });

    test("own tanh and log, tests for finite numbers", async () => {
      const inputs = Float32Array.from([
        0,
        -0,
        1e-8,
        1e-3,
        0.1,
        0.29,
        0.31,
        1,
        5,
        50,
        1e30,
        -0.2,
        -3,
        -1e30,
        0.9999,
        1.0001,
        Infinity,
        -Infinity,
        NaN,
        1e-37,
      ]);
      const [i] = axes(inputs.length);
      const x = loadF32(0, i);
      const problem = pointwise(
        [inputs.length],
        [
          storeF32(1, i, unary("tanh", x)),
          storeF32(2, i, unary("log", x)),
          { binding: 3, storage: { kind: "dense", scalar: "i32" }, row: uint(0), column: i, value: cast("i32", unary("is_finite", x)) },
          storeF32(4, i, unary("round", times(x, float(2.5)))),
        ],
      );
      const buffers = [inputs, new Float32Array(20), new Float32Array(20), new Int32Array(20), new Float32Array(20)];
      const expected = [Math.tanh, Math.log];
      const bound = (binding: number, index: number) => 8e-7 * Math.abs(expected[binding - 1]?.(inputs[index] ?? 0) ?? 0);
      await check(problem, buffers, every.slice(0, 1), bound);
    });

    test("integers wrap, divide and shift as in the reference", async () => {
      const u32 = { kind: "dense", scalar: "u32" } as const;
      const [i] = axes(64);
      const [a, b] = [load("u32", 0, u32, i), load("u32", 1, u32, i)];
      const ops = [
        plus(a, b),
        times(a, b),
        over(a, binary("or", b, uint(1))),
        binary("rem", a, binary("or", b, uint(1))),
        binary("shr", a, binary("and", b, uint(31))),
        binary("xor", a, binary("shl", b, uint(7))),
      ];
      const problem = pointwise(
        [64],
        ops.map((value, n): Store => ({ binding: n + 2, storage: u32, row: uint(0), column: i, value })),
      );
      await check(problem, [words(64), words(64, 2), ...ops.map(() => new Uint32Array(64))], every.slice(1, 3));
      expect(dense.kind).toBe("dense");
    });
  });
}
