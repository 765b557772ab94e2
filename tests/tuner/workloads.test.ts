// What there is to tune in a model: its keys, how often a step dispatches each, and their parts of some figure.
import { expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { compileModule, portable, unwrap } from "../../compiler/index.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { sharesOf, workloadsOf } from "../../tuner/workloads.ts";

const text = `loomir 1
form primitive
state "w": f32[64, 64] {role = parameter, init = normal(0.0, 0.1), decay = false}
state "v": f32[60, 64] {role = parameter, init = normal(0.0, 0.1), decay = false}

entry @first(%x: f32[64, 64]) -> (y: f32[64, 60]) {
  %w: f32[64, 64] = state.read {name = "w"}
  %v: f32[60, 64] = state.read {name = "v"}
  %h: f32[64, 64] = dot %x, %w {contract = [[1], [1]], batch = [[], []]}
  %g: f32[64, 64] = dot %h, %w {contract = [[1], [1]], batch = [[], []]}
  %y: f32[64, 60] = dot %g, %v {contract = [[1], [1]], batch = [[], []]}
  return %y
}

entry @second(%x: f32[64, 64]) -> (y: f32[64, 64]) {
  %w: f32[64, 64] = state.read {name = "w"}
  %y: f32[64, 64] = dot %x, %w {contract = [[1], [0]], batch = [[], []]}
  return %y
}
`;

function planned(): PlacedPlan {
  let plan: PlacedPlan | undefined;
  const options = {
    targets: [portable],
    portable: false,
    planned: (made: PlacedPlan) => {
      plan = made;
    },
  };
  unwrap(compileModule(unwrap(parseModule({ path: "two.loomir", text })), options));
  return plan!;
}

test("problems of a key stand together, the costliest first, and count as often as a step runs them", () => {
  const workloads = workloadsOf(planned(), (entry) => (entry === "second" ? 5 : 1), chooseSchedule);
  expect(workloads.map(({ name, members }) => [name, members.map(({ count }) => count)])).toEqual([
    ["dot z0 m6 n6 k6 | nn a:f32 b:f32 out:f32 sites:1", [5]],
    ["dot z0 m6 n6 k6 | nt a:f32 b:f32 out:f32 sites:1", [2, 1]],
  ]);
  const [, forward] = workloads;
  expect(forward?.members.map(({ entry, dispatch, serves }) => [entry, dispatch, serves.join()])).toEqual([
    ["first", 0, "%h"],
    ["first", 2, "%y"],
  ]);
});

test("parts add up to one", () => {
  const plan = planned();
  const shares = sharesOf(plan, (entry, dispatch) => (entry === "second" ? 4 : dispatch + 2));
  expect([...shares.values()]).toEqual([9 / 13, 4 / 13]);
  expect([...sharesOf(plan, () => 0).values()]).toEqual([0, 0]);
});
