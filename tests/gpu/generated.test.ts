// Generated modules on every adapter, with arithmetic that is exact in f32 whatever the order and however it is contracted: every
// output and every state must be the interpreter's to the last bit.
import { afterAll, describe, expect, test } from "vitest";
import type { SubgroupPath } from "../../ir/plan.ts";
import type { Module } from "../../ir/module.ts";
import { runnableModule } from "../passes/runnable-module.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { expectNone, expectSessionEqual, isExact, throughPasses } from "../support/plan-compare.ts";

/** Modules on each subgroup path; drawn until so many have exact arithmetic. */
const count = Number(process.env["GPU_MODULES"] ?? 20);
const first = Number(process.env["GPU_SEED"] ?? 0);

function exactModules(seed: number): readonly Module[] {
  const found: Module[] = [];
  for (let i = 0; found.length < count; i++) {
    const module = runnableModule([1_000_003 * seed + i], { exact: true, size: 20 });
    if (module.entries.some((e) => e.instructions.length > 4) && isExact(module)) found.push(module);
  }
  return found;
}

const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each<[string, SubgroupPath | undefined]>([
    ["its best kernels", undefined],
    ["kernels without subgroups", "none"],
  ])("%s", { timeout: 300_000 }, async (_what, path) => {
    const opened = await device;
    const target = await targetOn(opened, path);
    for (const [i, module] of exactModules(first + (path === undefined ? 0 : 1)).entries()) {
      await expectNone(module, (m) => expectSessionEqual(m, throughPasses(m) ?? m, opened, target), `module ${i}`);
    }
    expect(count).toBeGreaterThan(0);
  });
});
