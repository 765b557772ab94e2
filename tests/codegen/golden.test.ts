// The text of small kernels, kept in tests/codegen/golden (`BLESS=1` writes them anew), and what must hold for every text.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../compiler/codegen/kernel.ts";
import { emitKernel } from "../../compiler/codegen/templates.ts";
import type { PointwiseProblem, Problem, RowsProblem, Schedule, Target } from "../../ir/plan.ts";
import { binary, cast, float, load, plus, times, uint, variable } from "../../ir/scalar.ts";
import { at, dotProblem, loadF32, mask, packed, questRows, reduceProblem, storeF32, targetOf } from "./support/problems.ts";

const subgroups = targetOf("fixed", 4);
const plain = targetOf("none", 1);
const [r, c] = [variable("c0", 6), variable("c1", 20)];
const x = loadF32(0, at(r, c, 20));

const addBias: PointwiseProblem = {
  kind: "pointwise",
  shape: [6, 20],
  stores: [storeF32(2, at(r, c, 20), binary("max", plus(x, loadF32(1, c)), float(0)))],
};
const signMask: PointwiseProblem = {
  kind: "pointwise",
  shape: [6, 20],
  stores: [{ binding: 1, storage: mask(20), row: r, column: c, value: binary("gt", x, float(0)) }],
};
const decoded = dotProblem(24, 40, 16, {
  bByK: false,
  element: (side, row, column, columns) => {
    const binding = side === "a" ? 0 : 1;
    return times(plus(cast("f32", load("i32", binding, packed(4, columns), column, row)), float(0.5)), loadF32(binding + 3, row));
  },
  epilogue: (sum, _m, n) => plus(sum, loadF32(5, n)),
});

/** Three groups of 32 in a row, each with its own scale: a group may not write into the next one's words, the last one pads. */
const quest = questRows(6, 32, 32, 4);
const group = binary("rem", variable("row", 6), uint(3));
const grouped: RowsProblem = {
  ...quest,
  stores: quest.stores.map((store, i) => ({
    ...store,
    storage: i === 0 ? packed(4, 96) : mask(96),
    row: binary("div", variable("row", 6), uint(3)),
    column: plus(times(group, uint(32)), variable("column", 32)),
  })),
};

const kernels: Readonly<Record<string, readonly [Problem, Schedule, Target]>> = {
  "pointwise-bias-relu": [addBias, { kind: "pointwise", width: 4, perLane: 1, workgroup: 64 }, plain],
  "pointwise-mask": [signMask, { kind: "pointwise", width: 4, perLane: 1, workgroup: 64 }, plain],
  "reduce-row-sum-subgroup": [reduceProblem(6, 64, "inner", "sum"), { kind: "reduce", lanes: 4, workgroup: 4 }, subgroups],
  "reduce-column-sum": [reduceProblem(64, 20, "outer", "sum"), { kind: "reduce", lanes: 1, workgroup: 8 }, plain],
  "reduce-argmax-workgroup": [reduceProblem(6, 10, "inner", "argmax"), { kind: "reduce", lanes: 8, workgroup: 8 }, plain],
  "dot-broadcast": [dotProblem(24, 40, 16), { kind: "dot", frame: "broadcast", rows: 1 }, subgroups],
  "dot-broadcast-by-k": [dotProblem(24, 40, 16, { aByK: true }), { kind: "dot", frame: "broadcast", rows: 1 }, subgroups],
  "dot-broadcast-codes": [decoded, { kind: "dot", frame: "broadcast", rows: 1 }, subgroups],
  "dot-tile-ten-columns": [dotProblem(24, 10, 15), { kind: "dot", frame: "tile", rows: 2, workgroup: [4, 2] }, plain],
  "rows-quest": [questRows(6, 784, 16, 4), { kind: "rows", frame: "subgroup", lanes: 4, vectors: 4, rowsPerGroup: 4 }, subgroups],
  "rows-quest-groups": [grouped, { kind: "rows", frame: "subgroup", lanes: 2, vectors: 8, rowsPerGroup: 2 }, subgroups],
  "rows-quest-workgroup": [questRows(6, 64, 8, 2), { kind: "rows", frame: "workgroup", workgroup: 16 }, plain],
};

describe("golden texts", () => {
  for (const [name, [problem, schedule, target]] of Object.entries(kernels)) {
    test(name, () => {
      const { text } = emitKernel(problem, schedule, target, ["%y"]);
      const file = new URL(`golden/${name}.wgsl`, import.meta.url);
      if (process.env["BLESS"] === "1") writeFileSync(file, text);
      expect(existsSync(file), "run with BLESS=1 and look at the text").toBe(true);
      expect(text).toBe(readFileSync(file, "utf8"));
    });
  }

  test("every file has a kernel", () => {
    expect(readdirSync(new URL("golden", import.meta.url)).sort()).toEqual(
      Object.keys(kernels)
        .map((name) => `${name}.wgsl`)
        .sort(),
    );
  });
});

describe("a text depends on form, formats, epilogue and schedule alone", () => {
  const text = (kernel: Kernel) => kernel.text;
  const broadcast: Schedule = { kind: "dot", frame: "broadcast", rows: 1 };

  test("contractions of other sizes", () => {
    const a = emitKernel(dotProblem(24, 40, 64), broadcast, subgroups);
    const b = emitKernel(dotProblem(512, 768, 1280), broadcast, subgroups);
    expect(text(b)).toBe(text(a));
    expect(b.immediates).not.toEqual(a.immediates);
  });

  test("quantizers of longer rows", () => {
    const schedule: Schedule = { kind: "rows", frame: "subgroup", lanes: 4, vectors: 4, rowsPerGroup: 4 };
    expect(text(emitKernel(questRows(64, 1040, 16, 4), schedule, subgroups))).toBe(
      text(emitKernel(questRows(6, 784, 16, 4), schedule, subgroups)),
    );
  });

  test("what divides by four has other loads than what does not", () => {
    expect(text(emitKernel(dotProblem(24, 10, 16), broadcast, subgroups))).not.toBe(
      text(emitKernel(dotProblem(24, 40, 16), broadcast, subgroups)),
    );
  });
});

describe("instructions that load and store, which decide how long drivers compile", () => {
  const count = ({ text }: Kernel) => {
    const lines = text.split("\n").filter((line) => /\bb\d+\[/.test(line));
    const stores = lines.filter((line) => /^\s*b\d+\[[^=]*\] =/.test(line));
    return { loads: lines.length - stores.length, stores: stores.length };
  };
  const eight = targetOf("fixed", 8);

  test("the large contraction", () => {
    const kernel = emitKernel(dotProblem(1024, 768, 256), { kind: "dot", frame: "broadcast", rows: 4 }, eight);
    expect(count(kernel)).toEqual({ loads: 8, stores: 4 });
    expect(kernel.immediates.length).toBeLessThanOrEqual(16);
  });

  test("codes on both sides: words and scales of rows, the scales outside the loop", () => {
    const problem = dotProblem(64, 256, 784, {
      bByK: false,
      element: (side, row, column, columns) =>
        times(cast("f32", load("i32", side === "a" ? 0 : 1, packed(4, columns), column, row)), loadF32(side === "a" ? 3 : 4, row)),
    });
    const kernel = emitKernel(problem, { kind: "dot", frame: "broadcast", rows: 4 }, eight);
    // Four words of A and four of B in the loop; four scales of A, and those of B as one vector, before it.
    expect(count(kernel)).toEqual({ loads: 13, stores: 4 });
    const loop = kernel.text.slice(kernel.text.indexOf("for ("));
    expect(loop).not.toMatch(/b3\[|b4\[/);
  });

  test("the quantizer", () => {
    for (const [columns, block] of [
      [784, 16],
      [256, 128],
      [1152, 128],
    ] as const) {
      const { loads, stores } = count(
        emitKernel(questRows(64, columns, block, 4), { kind: "rows", frame: "subgroup", lanes: 8, vectors: 4, rowsPerGroup: 4 }, eight),
      );
      expect(loads).toBeLessThanOrEqual(16);
      expect(stores).toBeLessThanOrEqual(8);
    }
  });
});

test("lines know what they serve", () => {
  const kernel = emitKernel(addBias, { kind: "pointwise", width: 4, perLane: 1, workgroup: 64 }, plain, ["%relu"]);
  const line = kernel.text.split("\n").findIndex((l) => l.includes("b2["));
  expect(kernel.sourceMap[line]).toBe("%relu");
  expect(kernel.sourceMap).toHaveLength(kernel.text.split("\n").length - 1);
});
