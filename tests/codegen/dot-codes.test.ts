// Contractions of codes on integers: every pair of widths, exact, on every adapter, with subgroups and without.
import { describe, expect, test } from "vitest";
import { refuseSchedule } from "../../compiler/codegen/templates.ts";
import { packValues, storageOf } from "../../ir/packing.ts";
import type { CodeDepth, DotProblem, Schedule, Target } from "../../ir/plan.ts";
import { input, int, load, plus, times, uint, variable } from "../../ir/scalar.ts";
import type { Words } from "../../ir/sum-error.ts";
import { type CodeLayout, type CodesType, codes } from "../../ir/type.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { deviceOn, pathsOf } from "./support/paths.ts";
import { at, targetOf } from "./support/problems.ts";

type Kind = "planes" | "bytes";

const typeOf = (kind: Kind, bits: number, rows: number, k: number): CodesType => {
  const layout: CodeLayout | undefined =
    kind === "planes" ? "planes" : bits === 4 || bits === 8 ? undefined : bits < 4 ? "nibbles" : "bytes";
  return codes(bits, "half", [rows, k], layout);
};

/** i32 sums of (2x + 1)(2w + 1). */
function problemOf(a: CodesType, b: CodesType, m: number, n: number, k: number): DotProblem {
  const side = (binding: number, type: CodesType, free: number) => {
    const code = load("i32", binding, storageOf(type), variable("column", k), variable("row", free));
    return { contracted: "column" as const, element: plus(times(code, int(2)), int(1)) };
  };
  const place = at(variable("m", m), variable("n", n), n);
  const store = { binding: 2, storage: { kind: "dense", scalar: "i32" }, row: uint(0), column: place, value: input(0, "i32") } as const;
  return { kind: "dot", batch: [], m, n, k, a: side(0, a, m), b: side(1, b, n), stores: [store] };
}

/** Codes of all values, the extremes first. */
function buffer(type: CodesType, seed: number): Words {
  const count = type.dims.reduce<number>((product, d) => product * Number(d), 1);
  let state = seed * 2654435761;
  const values = Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const half = 2 ** (type.bits - 1);
    return i === 0 ? -half : i === 1 ? half - 1 : ((state >>> 9) % (2 * half)) - half;
  });
  return new Uint32Array(packValues(type, values));
}

const widths = [1, 2, 3, 4, 5, 6, 7, 8];
const pairs = widths.flatMap((a) => widths.map((b) => [a, b] as const));

for (const adapter of await availableAdapters()) {
  for (const path of pathsOf(adapter).filter(({ name }) => name.startsWith("fixed") || name === "none")) {
    describe(`${adapter.name}, subgroups ${path.name}`, () => {
      const { target } = path;
      const device = deviceOn(path);
      const schedule = (rows: number, depth: CodeDepth): Schedule =>
        target.subgroups === "none"
          ? { kind: "dot", frame: "tile", rows, depth, workgroup: [4, 2] }
          : { kind: "dot", frame: "broadcast", rows, depth };

      const check = async (
        kind: Kind,
        [a, b]: readonly [number, number],
        [m, n, k]: readonly [number, number, number],
        rows = 1,
        depth: CodeDepth = 2,
      ) => {
        const [left, right] = [typeOf(kind, a, m, k), typeOf(kind, b, n, k)];
        const problem = problemOf(left, right, m, n, k);
        expect(refuseSchedule(problem, schedule(rows, depth), target)).toBeUndefined();
        const buffers = [buffer(left, 1), buffer(right, 2), new Int32Array(m * n)];
        await expectAgreement(device(), { problem, schedule: schedule(rows, depth), target, buffers, bound: () => 0 });
      };

      const odd = [target.subgroupSize + 3, 4 * target.subgroupSize + 5, 43] as const;
      // Each pair of planes is a kernel of its own, which costs compile time; of fields there are four.
      const ofPlanes = pairs.filter(([a, b]) => a * b <= 6 || (a === 3 && b === 3) || (a === 8 && b === 8));
      test.each(ofPlanes)("planes, %i by %i bits", async (a, b) => check("planes", [a, b], odd, 1, a * b > 6 ? 1 : 2));
      test.each([
        [1, 2],
        [3, 4],
        [2, 6],
        [5, 1],
        [7, 8],
      ] as const)("bytes, %i by %i bits", async (a, b) => check("bytes", [a, b], odd));

      test.each([
        ["planes", [2, 1]],
        ["bytes", [4, 4]],
        ["bytes", [8, 4]],
        ["bytes", [4, 8]],
        ["bytes", [8, 8]],
      ] as const)("%s, %j: sizes around words, vectors, tiles and steps", async (kind, bits) => {
        const s = target.subgroupSize;
        for (const depth of [1, 2, 4] as const)
          for (const k of depth === 1 ? [1, 16, 17, 31, 32, 48, 128, 129] : [17, 32, 129])
            if (depth < 4 || bits[0] === bits[1] || kind === "planes" || k % 32 === 0) await check(kind, bits, [s, 4 * s, k], 1, depth);
        for (const [m, n] of [
          [1, 1],
          [2 * s + 1, 8 * s + 1],
          [3 * s, 4 * s - 1],
        ] as const)
          await check(kind, bits, [m, n, 40], 2);
      });
    });
  }
}

describe("what no inner loop takes", () => {
  const target: Target = targetOf("none", 1);
  const [m, n, k] = [8, 16, 32];
  const refusal = (problem: DotProblem) =>
    refuseSchedule(problem, { kind: "dot", frame: "tile", rows: 4, depth: 4, workgroup: [4, 2] }, target);
  const plain = problemOf(typeOf("planes", 2, m, k), typeOf("planes", 2, n, k), m, n, k);

  test("planes beside fields", () => {
    expect(refusal(problemOf(typeOf("planes", 4, m, k), codes(4, "half", [n, k]), m, n, k))).toMatch("as planes on both sides");
  });
  test("four words a step of nibbles beside rows of bytes that end within", () => {
    const mixed = problemOf(codes(4, "half", [m, 48]), codes(8, "half", [n, 48]), m, n, 48);
    expect(refusal(mixed)).toMatch("end within a step");
  });
  test("planes of whole multiples", () => {
    const whole = {
      ...plain,
      a: { ...plain.a, element: load("i32", 0, storageOf(typeOf("planes", 2, m, k)), variable("column", k), variable("row", m)) },
    };
    expect(refusal(whole)).toMatch("half grid");
  });
  test("integers beside floats", () => {
    const float = problemOf(codes(4, "half", [m, k]), codes(4, "half", [n, k]), m, n, k);
    const mixed = {
      ...float,
      b: { ...float.b, element: load("f32", 1, { kind: "dense", scalar: "f32" } as const, variable("column", k)) },
    };
    expect(refusal(mixed)).toMatch("floats on both sides, or integers");
  });
  test("integers that are no codes", () => {
    const dense = { kind: "dense", scalar: "i32" } as const;
    const element = load("i32", 0, dense, at(variable("row", m), variable("column", k), k));
    expect(refusal({ ...plain, a: { ...plain.a, element } })).toMatch("codes that run along k");
  });
});
