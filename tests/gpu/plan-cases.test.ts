// The modules that tests/passes/plan-cases.test.ts runs on the CPU, on every adapter, against the interpreter.
import { afterAll, describe, expect, test } from "vitest";
import { primitiveCases } from "../passes/plan-case-modules.ts";
import { moduleOf } from "../passes/run.ts";
import { trainingCases } from "../passes/training-case-modules.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { expectSessionEqual, throughPasses } from "../support/plan-compare.ts";

const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(Object.entries(trainingCases))("training: %s", async (_what, text) => {
    const module = moduleOf(text);
    const [reference, kernels] = [throughPasses(module, "differentiate"), throughPasses(module)];
    expect(reference).toBeDefined();
    if (reference !== undefined && kernels !== undefined)
      await expectSessionEqual(reference, kernels, await device, await targetOn(await device), 2e-5);
  });

  test.each(Object.entries(primitiveCases))("%s", async (_what, text) => {
    const module = moduleOf(text);
    await expectSessionEqual(module, throughPasses(module) ?? module, await device, await targetOn(await device), 2e-5);
  });
});
