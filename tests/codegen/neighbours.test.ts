// Neighbours of schedules: one step away, none twice, and each either makes a kernel or is refused with a reason.
import { describe, expect, test } from "vitest";
import { neighboursOf } from "../../compiler/codegen/neighbours.ts";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { AttentionProblem, PointwiseProblem, Problem, Schedule, Target } from "../../ir/plan.ts";
import { input, times, variable } from "../../ir/scalar.ts";
import { at, dotProblem, loadF32, questRows, reduceProblem, storeF32, targetOf } from "./support/problems.ts";

const square = (n: number): PointwiseProblem => {
  const x = loadF32(0, variable("c0", n));
  return { kind: "pointwise", shape: [n], stores: [storeF32(1, variable("c0", n), times(x, x))] };
};

function attention(length: number): AttentionProblem {
  const shape = { batch: 1, queries: length, keys: length, heads: 1, groups: 1, channels: 8 };
  const [t, s, c] = [variable("t", length), variable("s", length), variable("c", 8)];
  const elements = { q: loadF32(0, at(t, c, 8)), k: loadF32(1, at(s, c, 8)), v: loadF32(2, at(s, c, 8)) };
  const stores = [storeF32(3, at(t, c, 8), input(0, "f32"))];
  return { kind: "attention", pass: "forward", shape, rule: { causal: true, scale: 1 }, elements, stores, rowStores: [] };
}

const problems: readonly Problem[] = [
  square(4096),
  square(7),
  reduceProblem(64, 1024, "inner", "sum"),
  reduceProblem(64, 256, "outer", "argmax"),
  dotProblem(64, 48, 40),
  dotProblem(64, 48, 40, { aByK: true }),
  questRows(16, 256, 128, 4),
  questRows(3, 40, 8, 3, { layout: "planes" }),
  attention(24),
];
const targets: readonly Target[] = [targetOf("fixed", 8), targetOf("fixed", 4, "swiftshader"), targetOf("none", 1, "gpu")];

describe.each(targets)("$name", (target) => {
  test.each(problems.map((problem, i) => ({ name: `${problem.kind} ${i}`, problem })))("$name", ({ problem }) => {
    const around = new Map<string, Schedule>();
    const visit = (schedule: Schedule, depth: number) => {
      const near = neighboursOf(problem, schedule, target);
      const texts = near.map((each) => JSON.stringify(each));
      expect(new Set(texts).size).toBe(near.length);
      expect(texts).not.toContain(JSON.stringify(schedule));
      for (const each of near) {
        expect(each.kind).toBe(problem.kind);
        if (around.has(JSON.stringify(each))) continue;
        around.set(JSON.stringify(each), each);
        if (depth > 1) visit(each, depth - 1);
      }
    };
    const start = chooseSchedule(problem, target);
    visit(start, 3);
    const fitting = [...around.values()].filter((each) => {
      const reason = refuseSchedule(problem, each, target);
      if (reason === undefined) expect(emitKernel(problem, each, target).text).toContain("fn main");
      else expect(reason).not.toBe("");
      return reason === undefined;
    });
    expect(fitting.length).toBeGreaterThanOrEqual(2);
  });
});

test("the other frames are neighbours", () => {
  const [subgroups] = targets;
  const framesNear = (problem: Problem, schedule: Schedule) =>
    new Set(neighboursOf(problem, schedule, subgroups!).map((each) => ("frame" in each ? each.frame : "")));
  expect(framesNear(dotProblem(64, 48, 40), { kind: "dot", frame: "broadcast", rows: 4 })).toEqual(new Set(["broadcast", "tile"]));
  expect(framesNear(questRows(16, 256, 128, 4), { kind: "rows", frame: "workgroup", workgroup: 64 })).toEqual(
    new Set(["subgroup", "lane", "workgroup"]),
  );
  expect(framesNear(attention(24), { kind: "attention", frame: "plain", workgroup: 8 })).toEqual(new Set(["broadcast", "plain"]));
});

test("a schedule of another family is a bug", () => {
  expect(() => neighboursOf(square(8), { kind: "reduce", lanes: 1, workgroup: 8 }, targets[0]!)).toThrow(
    "a reduce schedule for a pointwise",
  );
});
