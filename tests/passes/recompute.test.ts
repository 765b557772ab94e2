// `remat auto`: plans within budgets, their bounds, what they repeat, and the bits of a step.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { dispatchCost } from "../../compiler/codegen/dispatch-cost.ts";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { Dispatch, PlanEntry } from "../../ir/plan.ts";
import { profileOf } from "../../passes/arena-allocations.ts";
import { MemoryFitter } from "../../passes/fit-memory.ts";
import { InPlaceTable } from "../../passes/in-place.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { Recomputation } from "../../passes/recompute.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { leastBytes } from "../support/lower-bound.ts";
import { runPlan } from "../support/plan-runner.ts";

const choose = () => ({ kind: "pointwise", width: 1, perLane: 1, workgroup: 64 }) as const;
const costOf = dispatchCost(portable);

function lowered(path: string, recipe: string, ...set: readonly string[]): Module {
  const { module } = unwrap(lowerSource({ path, text: readFileSync(path, "utf8") }, { recipe, set }));
  return unwrap(runPasses(unwrap(selectEntries(module, (name) => name === "train")))).module;
}

const peakOf = (entry: PlanEntry): number => Math.max(...profileOf(entry, new InPlaceTable()).during);
const repeatedOf = (entry: PlanEntry): readonly Dispatch[] => entry.dispatches.filter((d) => d.recompute !== undefined);
const timeOf = (dispatches: readonly Dispatch[]): number => dispatches.reduce((sum, { problem }) => sum + costOf(problem, 0), 0);

/** Share of the plain peak of the arena, and the most that what is repeated may cost of the plain step. */
const models = [
  ["models/llama.loom", "tiny", 0.36, 0.4],
  ["models/llama.loom", "demo", 0.5, 0.25],
  ["tests/scale/stack.loom", "residual", 0.75, 0.2],
  ["tests/scale/stack.loom", "mlp", 0.8, 0.2],
] as const;

describe.each(models)("%s %s", (path, recipe, share, mostTime) => {
  const module = lowered(path, recipe);
  const plan = unwrap(toPlan(module, { target: portable, choose }));
  const [entry] = plan.entries;
  const plain = new Recomputation(entry!, new InPlaceTable(), costOf);

  test("at every budget: within it, near the least that its dispatches could take, and dearer the smaller it is", () => {
    const { plainBytes, leastBytes: least } = plain;
    expect(least).toBeLessThanOrEqual(share * plainBytes);
    const times: number[] = [];
    for (const part of [0, 0.3, 0.6, 0.9, 1]) {
      const budget = Math.ceil(plainBytes + part * (least - plainBytes));
      const fitted = plain.within(budget);
      expect(peakOf(fitted)).toBeLessThanOrEqual(budget);
      times.push(timeOf(repeatedOf(fitted)));
      const whole = { ...plan, entries: [fitted] };
      const placed = planMemory(whole, module);
      verifyPlan(placed);
      expect(placed.memory.peakBytes / leastBytes(whole, module)).toBeLessThan(1.05);
    }
    expect(times[0]).toBe(0);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const atShare = plain.within(share * plainBytes);
    expect(timeOf(repeatedOf(atShare)) / timeOf(entry!.dispatches)).toBeLessThan(mostTime);
  });

  test("a repetition is an earlier dispatch with the same kernel, on operands with the same content", () => {
    const fitted = plain.within(share * plain.plainBytes);
    /** Buffer -> the dispatch of the plain plan that made its content, and where in its bindings. */
    const content = new Map<string, string>();
    const firsts = new Map(entry!.dispatches.map((d) => [d.serves.join(), d]));
    const contentOf = (buffer: string) => content.get(buffer) ?? buffer;
    for (const dispatch of fitted.dispatches) {
      const first = firsts.get(dispatch.serves.join())!;
      expect(dispatch.problem).toBe(first.problem);
      expect(dispatch.schedule).toBe(first.schedule);
      for (const [i, { buffer, access }] of dispatch.bind.entries()) {
        if (access === "read") expect(contentOf(buffer)).toBe(first.bind[i]!.buffer);
        else content.set(buffer, first.bind[i]!.buffer);
      }
    }
    expect(repeatedOf(fitted).length).toBeGreaterThan(0);
    expect(fitted.dispatches.filter((d) => d.recompute === undefined).map((d) => d.serves)).toEqual(entry!.dispatches.map((d) => d.serves));
  });

  test("nothing is repeated where everything fits, and always the same is", () => {
    expect(plain.within(plain.plainBytes).dispatches).toEqual(entry!.dispatches);
    const again = new Recomputation(entry!, new InPlaceTable(), costOf);
    const budget = share * plain.plainBytes;
    // Whatever was asked for before.
    expect(again.within(budget)).toEqual(plain.within(budget));
  });
});

test("a budget for the whole plan: state, constants and all entries", () => {
  const source = { path: "models/llama.loom", text: readFileSync("models/llama.loom", "utf8") };
  const { module } = unwrap(lowerSource(source, { recipe: "demo", inference: {} }));
  const ready = unwrap(runPasses(unwrap(selectEntries(module)))).module;
  const plan = unwrap(toPlan(ready, { target: portable, choose }));
  expect(plan.entries.map((e) => e.name)).toContain("decode");
  const fitter = new MemoryFitter(plan, ready, costOf);
  const { peakBytes } = fitter.plain.memory;
  expect(fitter.within(peakBytes)).toBe(fitter.plain);
  for (const share of [0.9, 0.75, 0.6]) {
    const fitted = fitter.within(share * peakBytes);
    verifyPlan(fitted);
    expect(fitted.memory.peakBytes).toBeLessThanOrEqual(share * peakBytes);
    const { extraShare, repeated } = fitter.tradeOff(fitted);
    expect(extraShare).toBeGreaterThan(0);
    expect(extraShare).toBeLessThan(0.4);
    expect(repeated).toBeGreaterThan(0);
  }
  // What cannot be reached answers the least.
  expect(fitter.within(1)).toBe(fitter.least());
});

test.each(["mlp", "residual"])("steps of %s on the CPU within budgets: the same bits", (recipe) => {
  const module = lowered("tests/scale/stack.loom", recipe, "model.depth=2");
  const plan = unwrap(toPlan(module, { target: portable, choose }));
  const fitter = new MemoryFitter(plan, module, costOf);
  const [most, least] = [fitter.plain.memory.peakBytes, fitter.least().memory.peakBytes];
  expect(least).toBeLessThan(most);
  const state = Object.fromEntries(
    module.states.map((s, i) => {
      const count = s.type.dims.reduce<number>((n, d) => n * Number(d), 1);
      return [s.name, Float32Array.from({ length: count }, (_, j) => (s.role === "parameter" ? Math.sin(i + j * 1.7) : 0))];
    }),
  );
  const [plain, ...fitted] = [most, (most + least) / 2, least].map((memory) => {
    const run = runPlan(module, state, portable, memory);
    const x = Float32Array.from({ length: 4 * 16 * 32 }, (_, i) => Math.cos(i * 7.3));
    const labels = Int32Array.from({ length: 64 }, (_, i) => i % 10);
    const outs = [0, 1].map((step) => run.run("train", { x, labels }, step));
    return { outs, state: module.states.map((s) => run.state(s.name)) };
  });
  for (const each of fitted) expect(each).toEqual(plain);
});
