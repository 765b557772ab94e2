// Planned memory against a lower bound from separate code.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { selectEntries } from "../../compiler/driver/entries.ts";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { Target } from "../../ir/plan.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { leastBytes } from "../support/lower-bound.ts";

interface Case {
  readonly path: string;
  readonly recipe: string;
  readonly policy: string;
  readonly set?: readonly string[];
  /** Instead of the 4 of the stacks. */
  readonly batch?: number;
}

const stack = "tests/scale/stack.loom";
const cases: readonly Case[] = [
  { path: "models/mlp.loom", recipe: "digits", policy: "float" },
  { path: "models/mlp.loom", recipe: "digits", policy: "quest_w4a4" },
  { path: "models/mlp.loom", recipe: "digits", policy: "quest_w4a4", set: ["model.hidden=24"] },
  { path: "models/mlp.loom", recipe: "digits", policy: "quest_w1a1" },
  { path: stack, recipe: "residual", policy: "float" },
  { path: stack, recipe: "residual", policy: "quest_w4a4", set: ["model.depth=12"] },
  { path: stack, recipe: "mlp", policy: "float" },
  { path: stack, recipe: "mlp", policy: "quest_w4a4", batch: 64 },
  { path: stack, recipe: "residual", policy: "quest_w4a4", batch: 64 },
];

function planned({ path, recipe, policy, set = [], batch = 4 }: Case): Module {
  const text = readFileSync(path, "utf8").replaceAll("[4, 16", `[${batch}, 16`);
  const lowered = lowerSource({ path, text }, { recipe, policy, set });
  return unwrap(runPasses(unwrap(selectEntries(unwrap(lowered).module)))).module;
}

const choose = () => ({ kind: "pointwise", width: 1, perLane: 1, workgroup: 64 }) as const;

describe.each(cases)("$path $recipe $policy $set $batch", (each) => {
  const module = planned(each);
  const plan = unwrap(toPlan(module, { target: portable, choose }));

  test("the peak is near the least that is possible", () => {
    const placed = planMemory(plan, module);
    verifyPlan(placed);
    const least = leastBytes(plan, module);
    const { peakBytes, lowerBoundBytes } = placed.memory;
    expect(peakBytes).toBeGreaterThanOrEqual(lowerBoundBytes);
    // The planner's own bound counts whole units of 256 bytes.
    expect(lowerBoundBytes).toBeGreaterThanOrEqual(least);
    expect(peakBytes / least).toBeLessThan(1.05);
  });

  test("slabs within a small limit hold the same plan", () => {
    const largest = Math.max(...plan.entries.flatMap((entry) => entry.buffers.map((b) => b.bytes)));
    const bytes = Math.ceil(largest / 256) * 256;
    const limits = { ...portable.limits, maxStorageBufferBindingSize: bytes, maxBufferSize: bytes };
    const target: Target = { ...portable, limits };
    const placed = planMemory(unwrap(toPlan(module, { target, choose })), module);
    verifyPlan(placed);
    for (const slab of placed.memory.slabs) expect(slab.bytes, slab.name).toBeLessThanOrEqual(bytes);
  });
});
