// Recomputation changes memory as the plan says, and no bit of the result: losses and weights with and without it, on every adapter.
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";

const path = "tests/scale/stack.loom";
const text = readFileSync(path, "utf8");
/** The stack of six layers without residuals, and the one with them. */
const cases: readonly (readonly [recipe: string, policy: string, selector: string])[] = [
  ["mlp", "float", "layers.*"],
  ["mlp", "quest_w4a4", "layers.*"],
  ["residual", "float", "layers.*"],
  ["residual", "quest_w4a4", "layers.*"],
  ["residual", "quest_w1a1", "[layers.*.mixer, layers.1.out]"],
];

const steps = 3;

function planAndArtifact(recipe: string, policy: string, target: Target, selector: string) {
  const plans: PlacedPlan[] = [];
  const artifact = unwrap(
    compile(
      { path, text },
      {
        recipe,
        policy,
        set: [`remat=${selector}`],
        targets: [target],
        portable: false,
        entries: (name) => name === "train",
        planned: (plan) => plans.push(plan),
      },
    ),
  );
  return { artifact, plan: plans[0]! };
}

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    const opened = adapter.open();
    afterAll(async () => (await opened).dispose());

    test.each(cases)("%s %s, remat %s", async (recipe, policy, selector) => {
      const device = await opened;
      const target = await targetOn(device);
      const run = async (what: string) => {
        const { artifact, plan } = planAndArtifact(recipe, policy, target, what);
        using session = await Session.open(artifact, device, { seed: 3 });
        expect(session.byteLength).toBe(plan.memory.peakBytes);
        const losses: number[] = [];
        for (let step = 0; step < steps; step++) {
          const x = Float32Array.from({ length: 4 * 16 * 32 }, (_, i) => Math.sin(i * 12.9898 + step));
          const labels = Int32Array.from({ length: 4 * 16 }, (_, i) => (i * 7 + step) % 10);
          const { loss, ok } = await session.run("train", { x, labels }, { step });
          expect(ok?.[0]).toBe(1);
          losses.push(loss?.[0] ?? Number.NaN);
        }
        const state: Uint8Array[] = [];
        for (const { name } of artifact.manifest.state) {
          const { buffer, byteOffset, byteLength } = await session.readState(name);
          state.push(new Uint8Array(buffer, byteOffset, byteLength));
        }
        return { losses, state, bytes: session.byteLength, dispatches: plan.entries[0]!.dispatches };
      };
      const plain = await run("none");
      const again = await run(selector);
      expect(again.losses).toEqual(plain.losses);
      expect(again.losses[2]).not.toBe(again.losses[0]);
      expect(again.state.every((bytes, i) => Buffer.compare(bytes, plain.state[i]!) === 0)).toBe(true);
      expect(again.bytes).toBeLessThan(plain.bytes);
      expect(plain.dispatches.some((d) => d.recompute !== undefined)).toBe(false);
      expect(again.dispatches.some((d) => d.recompute !== undefined)).toBe(true);
    });
  });
}
