// The report of fusion on generated modules: every value that goes from one kernel to another has a reason, and every instruction a kernel.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Module } from "../../ir/module.ts";
import type { EntryFusion } from "../../passes/fusion-report.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runPipeline } from "../../passes/runner.ts";
import { runnableModule, trainableModule } from "./runnable-module.ts";

function fusionsOf(module: Module): readonly EntryFusion[] {
  const fusions: EntryFusion[] = [];
  const at = pipeline.findIndex((s) => s.pass.name === (module.form === "primitive" ? "fuse" : "differentiate"));
  const outcome = runPipeline(module, pipeline.slice(at), { explain: (fusion) => fusions.push(fusion) });
  if (outcome.kind === "crashed") throw outcome.crash.error;
  if (outcome.kind === "done") {
    for (const { name, instructions } of outcome.module.entries) {
      const reported = fusions.find(({ entry }) => entry === name)!.kernels.flatMap((kernel) => kernel.instructions);
      expect(reported.length).toBe(instructions.filter(({ marks }) => marks.kernel !== undefined).length);
    }
  }
  return fusions;
}

test.each([
  ["modules", (numbers: readonly number[]) => runnableModule([...numbers], { exact: false, size: 24 })],
  ["training steps", (numbers: readonly number[]) => trainableModule([...numbers], 12)],
] as const)("generated %s", { timeout: 120_000 }, (_, moduleOf) => {
  let stored = 0;
  fc.assert(
    fc.property(fc.array(fc.nat(1_000_000), { maxLength: 120 }), (numbers) => {
      for (const { kernels } of fusionsOf(moduleOf(numbers))) {
        for (const kernel of kernels) {
          stored += kernel.stores.length;
          // A kernel reads from others what these say that they store for it.
          for (const { value, from, why } of kernel.loads) {
            if (from === undefined) continue;
            expect(kernels[from]!.stores.find((s) => s.value === value)).toMatchObject({
              why,
              readBy: expect.arrayContaining([kernel.kernel]),
            });
          }
        }
      }
    }),
    { numRuns: 200, seed: 7 },
  );
  expect(stored).toBeGreaterThan(400);
});
