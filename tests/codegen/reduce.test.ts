// Reductions on every adapter and subgroup path against the reference: one lane and many, both directions, all combinations.

import { describe, expect, test } from "vitest";
import { reduceVector } from "../../compiler/codegen/reduce.ts";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { ReduceProblem, Schedule } from "../../ir/plan.ts";
import { binary, cast, float, input, load, plus, times, uint, variable } from "../../ir/scalar.ts";
import { sumBound, type Words } from "../../ir/sum-error.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, loadF32, noise, reduceProblem, storeF32 } from "./support/problems.ts";

const outputOf = (problem: ReduceProblem): Words => {
  const count = problem.shape.reduce((n, s) => n * s, 1);
  return problem.accumulators[0]?.combine === "argmax" ? new Int32Array(count) : new Float32Array(count);
};

test("vectors lie along what is contiguous", () => {
  expect(reduceVector(reduceProblem(8, 12, "inner", "sum"))).toBe("reduced");
  expect(reduceVector(reduceProblem(8, 12, "outer", "sum"))).toBe("outputs");
  expect(reduceVector(reduceProblem(8, 10, "inner", "sum"))).toBe("none");
  expect(reduceVector(reduceProblem(7, 10, "outer", "sum"))).toBe("none");
});

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter)) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const device = deviceOn(path);

      const s = target.subgroupSize;
      const schedules: readonly Schedule[] =
        target.subgroups === "none"
          ? [
              { kind: "reduce", lanes: 1, workgroup: 8 },
              { kind: "reduce", lanes: 32, workgroup: 32 },
              { kind: "reduce", lanes: 8, workgroup: 32 },
            ]
          : [
              { kind: "reduce", lanes: s, workgroup: s },
              { kind: "reduce", lanes: s / 2, workgroup: s },
            ];

      for (const schedule of schedules) {
        if (schedule.kind !== "reduce") continue;
        const { lanes, workgroup } = schedule;
        test(`${lanes} of ${workgroup} lanes`, async () => {
          for (const [outer, inner] of [
            [1, 1],
            [3, lanes * 4],
            [5, lanes * 8 + 4],
            [9, lanes - 1],
            [6, 4 * lanes + 3],
          ] as const) {
            for (const axis of ["inner", "outer"] as const) {
              const problem = reduceProblem(outer, Math.max(1, inner), axis, "sum");
              const buffers = [noise(outer * Math.max(1, inner)), outputOf(problem)];
              expect(refuseSchedule(problem, schedule, target)).toBeUndefined();
              await expectAgreement(device(), { problem, schedule, target, buffers, bound: sumBound(problem, buffers, 1, inner + outer) });
            }
          }
        });

        test(`${lanes} of ${workgroup} lanes: largest, smallest, position of the largest`, async () => {
          for (const combine of ["max", "min", "argmax"] as const) {
            for (const [outer, inner, axis] of [
              [5, lanes * 8, "inner"],
              [3, 10, "inner"],
              [7, 12, "outer"],
            ] as const) {
              const problem = reduceProblem(outer, inner, axis, combine);
              // Few distinct values, so that largest ones are met more than once.
              const data = noise(outer * inner, 5).map((x) => Math.round(x * 3));
              await expectAgreement(device(), { problem, schedule, target, buffers: [data, outputOf(problem)] });
            }
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

    test("one sum of 300,000 squares", async () => {
      const n = 300_000;
      const element = loadF32(0, variable("r0", n));
      const problem: ReduceProblem = {
        kind: "reduce",
        shape: [],
        reduced: [n],
        accumulators: [{ combine: "sum", element: times(element, element) }],
        stores: [storeF32(1, uint(0), input(0, "f32"))],
      };
      const buffers = [noise(n), new Float32Array(1)];
      // Added by many lanes, four at a time: the error grows with the elements of one lane.
      await expectAgreement(device(), {
        problem,
        schedule: chooseSchedule(problem, target),
        target,
        buffers,
        bound: sumBound(problem, buffers, 1, n / 8),
      });
    });

    test("several accumulators, an epilogue with loads, over two axes", async () => {
      const [outer, mid, inner] = [6, 3, 8];
      const [c0, r0, r1] = [variable("c0", outer), variable("r0", mid), variable("r1", inner)];
      const x = loadF32(0, plus(times(c0, uint(mid * inner)), at(r0, r1, inner)));
      const problem: ReduceProblem = {
        kind: "reduce",
        shape: [outer],
        reduced: [mid, inner],
        accumulators: [
          { combine: "sum", element: x },
          { combine: "max", element: x },
          { combine: "argmax", element: x },
        ],
        stores: [
          storeF32(1, c0, plus(times(input(0, "f32"), float(0.5)), loadF32(2, c0))),
          storeF32(3, c0, binary("sub", input(1, "f32"), cast("f32", input(2, "i32")))),
        ],
      };
      const buffers = [noise(outer * mid * inner), new Float32Array(outer), noise(outer, 9), new Float32Array(outer)];
      const ofSum = sumBound(problem, buffers, 1, mid * inner);
      await expectAgreement(device(), {
        problem,
        schedule: chooseSchedule(problem, target),
        target,
        buffers,
        bound: (b, i) => (b === 1 ? ofSum(b, i) + 1e-7 : 0),
      });
    });

    test("an element chosen by loaded positions", async () => {
      const [rows, columns] = [12, 10];
      const r = variable("r0", rows);
      const label = cast("u32", load("i32", 1, { kind: "dense", scalar: "i32" }, r));
      const problem: ReduceProblem = {
        kind: "reduce",
        shape: [],
        reduced: [rows],
        accumulators: [{ combine: "sum", element: loadF32(0, at(r, label, columns)) }],
        stores: [storeF32(2, uint(0), input(0, "f32"))],
      };
      const buffers = [noise(rows * columns), Int32Array.from({ length: rows }, (_, i) => (i * 7) % columns), new Float32Array(1)];
      await expectAgreement(device(), {
        problem,
        schedule: chooseSchedule(problem, target),
        target,
        buffers,
        bound: sumBound(problem, buffers, 2, rows),
      });
    });
  });
}
