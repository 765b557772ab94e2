// What a plan says before anything runs is what a session allocates.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { summarizePlan } from "../../compiler/driver/plan-summary.ts";
import { targetFor } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import { bestSubgroups, probeSubgroups } from "../../runtime/probe.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";

const models: readonly (readonly [string, string, string])[] = [
  ["models/mlp.loom", "digits", "float"],
  ["models/mlp.loom", "digits", "quest_w4a4"],
  ["tests/scale/stack.loom", "residual", "quest_w4a4"],
  ["tests/scale/stack.loom", "mlp", "quest_w1a1"],
];

for (const { name, open } of await availableAdapters()) {
  describe(name, () => {
    test.each(models)("%s %s %s", async (path, recipe, policy) => {
      using device = await open();
      const target = targetFor(device.adapter, bestSubgroups(await probeSubgroups(device)));
      const plans: PlacedPlan[] = [];
      const options = { recipe, policy, targets: [target], portable: false, planned: (plan: PlacedPlan) => plans.push(plan) };
      const artifact = unwrap(compile({ path, text: readFileSync(path, "utf8") }, options));
      const { peakBytes, entries } = summarizePlan(plans[0]!);
      using session = await Session.open(artifact, device);
      expect(Math.abs(session.byteLength / peakBytes - 1)).toBeLessThan(0.01);
      expect(entries.map((e) => e.dispatches)).toEqual(Object.values(session.target.dispatches).map((list) => list.length));
    });
  });
}
