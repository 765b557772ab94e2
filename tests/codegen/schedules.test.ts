// Default schedules: what is chosen for typical problems, that something fits every target, and the tables' hash.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseSchedule, scheduleTables } from "../../compiler/codegen/schedules.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { PointwiseProblem, Problem, Target } from "../../ir/plan.ts";
import { times, variable } from "../../ir/scalar.ts";
import { dotProblem, loadF32, questRows, reduceProblem, storeF32, targetOf } from "./support/problems.ts";

const lavapipe = targetOf("fixed", 8, "lavapipe");
const swiftshader = targetOf("fixed", 4, "swiftshader");
const portable = targetOf("none", 1, "gpu");
const gpu = targetOf("fixed", 32, "gpu");

const square = (n: number): PointwiseProblem => {
  const x = loadF32(0, variable("c0", n));
  return { kind: "pointwise", shape: [n], stores: [storeF32(1, variable("c0", n), times(x, x))] };
};

describe("contractions", () => {
  test("large ones take the subgroup's broadcast", () => {
    expect(chooseSchedule(dotProblem(1024, 768, 256), lavapipe)).toEqual({ kind: "dot", frame: "broadcast", rows: 4 });
    expect(chooseSchedule(dotProblem(1024, 768, 256), swiftshader)).toEqual({ kind: "dot", frame: "broadcast", rows: 2 });
    expect(chooseSchedule(dotProblem(1024, 768, 256), gpu)).toMatchObject({ frame: "broadcast", rows: 2 });
    expect(chooseSchedule(dotProblem(1024, 768, 256), portable)).toMatchObject({ frame: "tile" });
  });

  test("small ones take fewer rows; columns that are stored one by one do not count, since rows are stored in a loop", () => {
    expect(chooseSchedule(dotProblem(64, 10, 256), lavapipe)).toMatchObject({ rows: 1 });
    expect(chooseSchedule(dotProblem(1024, 766, 256), lavapipe)).toMatchObject({ rows: 4 });
  });
});

describe("reductions", () => {
  test("rows are shared by a subgroup, columns are not", () => {
    expect(chooseSchedule(reduceProblem(64, 1024, "inner", "sum"), lavapipe)).toEqual({ kind: "reduce", lanes: 8, workgroup: 8 });
    expect(chooseSchedule(reduceProblem(64, 256, "outer", "sum"), lavapipe)).toMatchObject({ lanes: 1 });
    expect(chooseSchedule(reduceProblem(64, 10, "inner", "max"), lavapipe)).toMatchObject({ lanes: 1 });
  });

  test("one large sum takes a whole workgroup of a GPU", () => {
    expect(chooseSchedule(reduceProblem(1, 300_000, "inner", "sum"), portable)).toEqual({ kind: "reduce", lanes: 256, workgroup: 256 });
  });
});

test("small pointwise kernels still have several workgroups", () => {
  expect(chooseSchedule(square(2 ** 20), lavapipe)).toEqual({ kind: "pointwise", width: 4, perLane: 4, workgroup: 256 });
  expect(emitKernel(square(4096), chooseSchedule(square(4096), lavapipe), lavapipe).groups).toEqual([8, 1, 1]);
  expect(chooseSchedule(square(4097), lavapipe)).toMatchObject({ width: 1 });
});

test("every problem has a schedule on every target, and the schedule fits", () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(32, 64, 127, 128, 256, 784, 1000));
  const problem: fc.Arbitrary<Problem> = fc.oneof(
    fc.tuple(size, size, size, fc.boolean(), fc.boolean()).map(([m, n, k, aByK, bByK]) => dotProblem(m, n, k, { aByK, bByK })),
    fc
      .tuple(size, size, fc.constantFrom("inner" as const, "outer" as const), fc.constantFrom("sum" as const, "argmax" as const))
      .map(([o, i, axis, combine]) => reduceProblem(o, i, axis, combine)),
    size.map(square),
    fc
      .tuple(size, size, fc.nat(7), fc.integer({ min: 1, max: 8 }))
      .map(([rows, n, log, bits]) => questRows(rows, n * 2 ** log, 2 ** log, bits, { layout: 32 % bits === 0 ? "linear" : "planes" })),
  );
  const target: fc.Arbitrary<Target> = fc
    .tuple(
      fc.constantFrom("forced" as const, "fixed" as const, "any" as const, "none" as const),
      fc.constantFrom(1, 2, 4, 8, 16, 32, 64),
      fc.constantFrom("lavapipe", "swiftshader", "gpu", "unheard of"),
    )
    .map(([path, s, adapterClass]) => targetOf(path, path === "none" ? 1 : s, adapterClass));
  fc.assert(
    fc.property(problem, target, (p, t) => {
      const schedule = chooseSchedule(p, t);
      expect(refuseSchedule(p, schedule, t)).toBeUndefined();
      const kernel = emitKernel(p, schedule, t);
      expect(kernel.groups.every((n) => n >= 1 && n <= t.limits.maxComputeWorkgroupsPerDimension)).toBe(true);
      expect(kernel.immediates.length).toBeLessThanOrEqual(16);
      expect(kernel.workgroup.reduce((n, s) => n * s, 1)).toBeLessThanOrEqual(t.limits.maxComputeInvocationsPerWorkgroup);
      expect(kernel.sharedBytes).toBeLessThanOrEqual(t.limits.maxComputeWorkgroupStorageSize);
    }),
    { numRuns: 150 },
  );
});

test("there are defaults for each class of adapters", () => {
  expect(Object.keys(scheduleTables)).toEqual(["lavapipe", "swiftshader", "gpu"]);
});
