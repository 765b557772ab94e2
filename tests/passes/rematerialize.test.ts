// Recomputation in plans: what is repeated, where it stands, what it saves.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { PlanEntry } from "../../ir/plan.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { rematerialize } from "../../passes/rematerialize.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { leastBytes } from "../support/lower-bound.ts";
import { runPlan } from "../support/plan-runner.ts";

function lowered(path: string, recipe: string, ...set: readonly string[]): Module {
  const { module } = unwrap(lowerSource({ path, text: readFileSync(path, "utf8") }, { recipe, set }));
  return unwrap(runPasses(unwrap(selectEntries(module, (name) => name === "train")))).module;
}

const stack = (recipe: string, ...set: readonly string[]) => lowered("tests/scale/stack.loom", recipe, ...set);
const choose = () => ({ kind: "pointwise", width: 1, perLane: 1, workgroup: 64 }) as const;
const planned = (module: Module) => unwrap(toPlan(module, { target: portable, choose }));
const trainOf = (module: Module): PlanEntry => rematerialize(planned(module)).entries[0]!;

describe("what is repeated", () => {
  const train = trainOf(stack("residual", "remat=layers.*"));
  const repeated = [...train.dispatches.entries()].filter(([, d]) => d.recompute !== undefined);

  test("each repetition is a dispatch of the forward pass, of the same problem and region", () => {
    expect(repeated.length).toBeGreaterThan(20);
    for (const [at, again] of repeated) {
      const first = train.dispatches.findIndex((d) => d.serves.join() === again.serves.join());
      expect(first).toBeLessThan(at);
      expect(train.dispatches[first]).toMatchObject({ remat: again.remat });
      expect(train.dispatches[first]!.recompute).toBeUndefined();
      expect(again.problem).toBe(train.dispatches[first]!.problem);
      expect(again.schedule).toBe(train.dispatches[first]!.schedule);
    }
  });

  test("nothing is repeated before it is needed: its result is read before the next region begins", () => {
    const regions = repeated.map(([, d]) => d.recompute);
    expect(regions).toEqual(regions.toSorted((a, b) => a! - b!));
    for (const [at, { bind, recompute }] of repeated) {
      const made = new Set(bind.filter((b) => b.access === "write").map((b) => b.buffer));
      const next = train.dispatches.findIndex((d, i) => i > at && d.recompute !== undefined && d.recompute !== recompute);
      const read = train.dispatches.findIndex((d, i) => i > at && d.bind.some((b) => b.access === "read" && made.has(b.buffer)));
      expect(read).toBeGreaterThan(at);
      if (next >= 0) expect(read).toBeLessThan(next);
    }
  });

  test("the backward pass reads nothing of a region's inside but what was computed again", () => {
    const loss = train.dispatches.findIndex((d) => d.bind.some((b) => b.access === "write" && b.buffer === train.outputs[0]!.buffer));
    const inside = new Set<string>();
    const across = new Set<string>();
    const regionOf = new Map<string, string | undefined>();
    for (const { bind, remat } of train.dispatches.slice(0, loss)) {
      for (const { buffer, access } of bind) {
        if (access === "write") regionOf.set(buffer, remat);
        else if (regionOf.get(buffer) !== remat) across.add(buffer);
      }
    }
    for (const [buffer, region] of regionOf) if (region !== undefined && !across.has(buffer)) inside.add(buffer);
    expect(inside.size).toBeGreaterThan(20);
    for (const { bind } of train.dispatches.slice(loss + 1)) for (const { buffer } of bind) expect(inside).not.toContain(buffer);
  });

  test("nothing without a selection, and nothing for the whole model", () => {
    const plan = planned(stack("residual"));
    expect(rematerialize(plan)).toBe(plan);
    const whole = planned(stack("residual", "remat=none"));
    expect(rematerialize(whole)).toBe(whole);
  });

  test("a selection that nothing matches is told", () => {
    const { diagnostics } = lowerSource(
      { path: "tests/scale/stack.loom", text: readFileSync("tests/scale/stack.loom", "utf8") },
      { recipe: "residual", set: ["remat=layer.*"] },
    );
    expect(diagnostics.map((d) => d.code)).toContain("matches-nothing");
  });
});

describe.each([
  ["tests/scale/stack.loom", "mlp", "layers.*", 0.9],
  ["tests/scale/stack.loom", "residual", "layers.*", 0.82],
  ["tests/scale/stack.loom", "residual", "layers.*.mixer", 0.95],
  ["models/llama.loom", "demo", "layers.*", 0.85],
] as const)("%s %s, remat %s", (path, recipe, selector, share) => {
  const plain = lowered(path, recipe, "remat=none");
  const again = lowered(path, recipe, `remat=${selector}`);

  test("saves memory, near the least that its dispatches could take", () => {
    const plan = rematerialize(planned(again));
    const placed = planMemory(plan, again);
    verifyPlan(placed);
    expect(placed.memory.peakBytes).toBeLessThan(share * planMemory(planned(plain), plain).memory.peakBytes);
    expect(placed.memory.peakBytes / leastBytes(plan, again)).toBeLessThan(1.05);
  });
});

test.each(["mlp", "residual"])("a step of %s on the CPU: the same bits", (recipe) => {
  const outputs = ["none", "layers.*"].map((selector) => {
    const module = stack(recipe, `remat=${selector}`, "model.depth=2");
    const state = Object.fromEntries(
      module.states.map((s, i) => {
        const count = s.type.dims.reduce<number>((n, d) => n * Number(d), 1);
        return [s.name, Float32Array.from({ length: count }, (_, j) => (s.role === "parameter" ? Math.sin(i + j * 1.7) : 0))];
      }),
    );
    const plan = runPlan(module, state);
    const x = Float32Array.from({ length: 4 * 16 * 32 }, (_, i) => Math.cos(i * 7.3));
    const out = plan.run("train", { x, labels: Int32Array.from({ length: 64 }, (_, i) => i % 10) }, 0);
    return { out, state: module.states.map((s) => plan.state(s.name)) };
  });
  expect(outputs[1]).toEqual(outputs[0]);
});
