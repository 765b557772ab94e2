// Plans of generated modules: every output and every replaced state as the interpreter gives them.
import fc from "fast-check";
import { expect, test } from "vitest";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import { verifyModule } from "../../ir/verify.ts";
import { expectNone, expectPlanEqual, isExact, throughPasses, tightTarget } from "../support/plan-compare.ts";
import { runnableModule, trainableModule } from "./runnable-module.ts";

const tape = fc.array(fc.nat(1_000_000), { maxLength: 120 });
const runs = Number(process.env["PLAN_RUNS"] ?? 400);
const seed = Number(process.env["PLAN_SEED"] ?? 5);

test("plans of generated modules", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(tape, async (numbers) => {
      const module = runnableModule(numbers, { exact: false, size: 24 });
      expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
      await expectNone(module, (m) => expectPlanEqual(m, throughPasses(m) ?? m, 0));
    }),
    { numRuns: runs, seed },
  );
});

test("training steps of generated modules", { timeout: 120_000 }, async () => {
  let trained = 0;
  await fc.assert(
    fc.asyncProperty(tape, async (numbers) => {
      const module = trainableModule(numbers, 12);
      expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
      await expectNone(module, (m) => {
        const reference = throughPasses(m, "differentiate");
        const kernels = throughPasses(m);
        // Where gradients are exact no rounding decides the next step's kinks, and nothing overflows.
        if (reference === undefined || kernels === undefined || !isExact(reference)) return;
        trained++;
        // The norm sums in another order, and everything behind it follows.
        expectPlanEqual(reference, kernels, 1e-5);
        expectPlanEqual(reference, kernels, 1e-5, tightTarget(kernels));
      });
    }),
    { numRuns: runs, seed },
  );
  expect(trained).toBeGreaterThan(runs / 4);
});
