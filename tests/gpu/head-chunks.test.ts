// Heads in chunks on every adapter: the loss, the counts and all gradients of the same head whole, within the rounding of f32 sums.
import { afterAll, describe, expect, test } from "vitest";
import type { Module } from "../../ir/module.ts";
import { availableAdapters } from "../support/adapters.ts";
import { openSession, targetOn } from "../support/backends.ts";
import { changesOf, expectSameRun, type HeadRun, headCases, headInputs, headModule, headState } from "../support/head-cases.ts";

/** Drivers contract multiplications and additions as they like. */
const relative = 1e-5;

const adapters = await availableAdapters();

for (const adapter of adapters) {
  describe(adapter.name, () => {
    const opened = adapter.open();
    afterAll(async () => (await opened).dispose());

    async function run(module: Module, entry: string): Promise<HeadRun> {
      const device = await opened;
      const before = headState(module);
      using session = await openSession(module, device, before, await targetOn(device));
      const outputs = await session.run(entry, headInputs(module, entry), { step: 0 });
      const after: Record<string, ArrayLike<number>> = {};
      for (const { name } of module.states) after[name] = await session.readState(name);
      return { outputs, changes: changesOf(before, after) };
    }

    // On a slow driver every fourth case, and chunks of an odd size: recipes, policies and sums over micro-batches all occur.
    const isSlow = adapter.description.adapterClass === "swiftshader" && adapters.length > 1;
    const here = headCases.filter(({ rows }, i) => !isSlow || i % 8 === 0 || i % 8 === 3 || rows === 7);
    test.each(here)("$recipe $policy, chunks of $rows, accumulate $accumulate", async (each) => {
      const [whole, chunked] = [headModule(each, false), headModule(each, true)];
      for (const entry of [each.accumulate ? "accumulate" : "train", "eval"]) {
        const expected = await run(whole, entry);
        expect(expected.outputs[entry === "eval" ? "loss_sum" : "loss"]?.[0]).toBeGreaterThan(1);
        expectSameRun(await run(chunked, entry), expected, relative);
      }
    });
  });
}
