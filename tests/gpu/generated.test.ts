// Generated modules on every adapter, with arithmetic that is exact in f32 whatever the order and however it is contracted: every
// output and every state must be the interpreter's to the last bit. In training steps that holds up to the gradients; what follows
// from their norm is compared within rounding.
import { afterAll, describe, expect, test } from "vitest";
import type { Module } from "../../ir/module.ts";
import type { SubgroupPath } from "../../ir/plan.ts";
import { runnableModule, trainableModule } from "../passes/runnable-module.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { expectNone, expectSessionEqual, isExact, throughPasses } from "../support/plan-compare.ts";

/** Modules of each kind on each subgroup path. */
const count = Number(process.env["GPU_MODULES"] ?? 16);
const firstSeed = Number(process.env["GPU_SEED"] ?? 0);

interface Drawn {
  readonly module: Module;
  readonly kernels: Module;
  readonly what: string;
}

/** The first `count` with exact arithmetic. */
function draw(
  seed: number,
  of: (numbers: readonly number[]) => Module,
  reference: (module: Module) => Module | undefined,
): readonly Drawn[] {
  const found: Drawn[] = [];
  for (let i = 1_000_003 * seed; found.length < count; i++) {
    const module = reference(of([i]));
    if (module === undefined || !isExact(module)) continue;
    const kernels = throughPasses(module);
    if (kernels?.entries.some((e) => e.instructions.length > 4)) found.push({ module, kernels, what: `module ${i}` });
  }
  return found;
}

const paths: readonly (readonly [string, SubgroupPath | undefined])[] = [
  ["its best kernels", undefined],
  ["kernels without subgroups", "none"],
];
const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(paths)("%s", { timeout: 300_000 }, async (_what, path) => {
    const opened = await device;
    const target = await targetOn(opened, path);
    const drawn = draw(
      firstSeed + (path === undefined ? 0 : 1),
      (n) => runnableModule(n, { exact: true, size: 20 }),
      (m) => m,
    );
    for (const { module, what } of drawn) {
      await expectNone(module, (m) => expectSessionEqual(m, throughPasses(m) ?? m, opened, target, 0), what);
    }
    expect(drawn.length).toBe(count);
  });

  test.each(paths)("training steps, %s", { timeout: 300_000 }, async (_what, path) => {
    const opened = await device;
    const target = await targetOn(opened, path);
    const drawn = draw(
      firstSeed + (path === undefined ? 0 : 1),
      (n) => trainableModule(n, 10),
      (m) => throughPasses(m, "differentiate"),
    );
    for (const { module, what } of drawn) {
      await expectNone(module, (m) => expectSessionEqual(m, throughPasses(m) ?? m, opened, target, 2e-5), what);
    }
    expect(drawn.length).toBe(count);
  });
});
