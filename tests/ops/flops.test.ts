// FLOPs by problem, counted by hand.
import { expect, test } from "vitest";
import { unwrap } from "../../ir/diagnostic.ts";
import { flopsOf } from "../../ir/flops.ts";
import type { Problem } from "../../ir/plan.ts";
import { parsePlan } from "../../ir/text/parse-plan.ts";

function problem(text: string): Problem {
  const target =
    'plan 1 target portable {subgroups = none, size = 1, adapter = "gpu", features = [], invocations = 256, workgroup_bytes = 16384, binding_bytes = 134217728, bindings = 8, groups = 65535}';
  const [first = "", ...body] = text.split("\n");
  const plan = unwrap(
    parsePlan({ path: "x", text: `${target}\n\nentry @main {\n  ${first}\n${body.map((line) => `    ${line}\n`).join("")}}\n` }),
  );
  return plan.entries[0]!.dispatches[0]!.problem;
}

test("pointwise: the float operations of an element, shared ones once", () => {
  const scaled = problem(
    "dispatch 0 pointwise [8, 32] {width = 4, per_lane = 1, workgroup = 64} bind read %a, write %b\nstore 1[c0*32 + c1] = exp(load 0[c0*32 + c1])*2.0 + 1.0",
  );
  expect(flopsOf(scaled)).toBe(8 * 32 * 3);
  const ints = problem(
    "dispatch 0 pointwise [8] {width = 4, per_lane = 1, workgroup = 64} bind read %a, write %b\nstore 1:i32[c0] = load 0:i32[c0]*2i",
  );
  expect(flopsOf(ints)).toBe(0);
});

test("reduce: one operation an element, and what makes it", () => {
  const squares = problem(
    "dispatch 0 reduce [8] over [32] {lanes = 1, workgroup = 64} bind read %a, write %b\nlet t0 = load 0[c0*32 + r0]\nsum = t0*t0\nstore 1[c0] = sqrt(in0)",
  );
  expect(flopsOf(squares)).toBe(8 * (32 * 2 + 1));
});

test("dot: 2mnk a batch; operands on their way in once an element", () => {
  const text =
    "dispatch 0 dot [2] of [64, 256, 784] {frame = tile, rows = 4, workgroup = [8, 8]} bind read %a, read %b, write %c\na by column = load 0[z0*50176 + row*784 + column]*0.5\nb by column = load 1[z0*200704 + row*784 + column]\nstore 2[z0*16384 + m*256 + n] = in0";
  expect(flopsOf(problem(text))).toBe(2 * (2 * 64 * 256 * 784 + 64 * 784));
});

test("rows: a transform is log2(block) additions and a product an element, a statistic two", () => {
  const text =
    "dispatch 0 rows [16, 32] {frame = workgroup, workgroup = 64} bind read %w, write %h, write %s\ntransform 32\nelement = load 0[row*32 + column]\nstatistic mean_square\nper_row = sqrt(in0)\nstore 1[row*32 + column] = in0*in1\nstore_row 2[row] = in0";
  expect(flopsOf(problem(text))).toBe(16 * (32 * (6 + 2 + 1) + 1));
});
