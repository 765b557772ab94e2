// Plans of modules that planning must take care with, each against the interpreter over two runs of every entry.
import { expect, test } from "vitest";
import { expectPlanEqual, throughPasses } from "../support/plan-compare.ts";
import { primitiveCases } from "./plan-case-modules.ts";
import { moduleOf } from "./run.ts";
import { trainingCases } from "./training-case-modules.ts";

test.each(Object.entries(trainingCases))("training: %s", (_what, text) => {
  const module = moduleOf(text);
  const reference = throughPasses(module, "differentiate");
  const kernels = throughPasses(module);
  expect(reference).toBeDefined();
  if (reference !== undefined && kernels !== undefined) expectPlanEqual(reference, kernels, 1e-6);
});

test.each(Object.entries(primitiveCases))("%s", (_what, text) => {
  const module = moduleOf(text);
  expectPlanEqual(module, throughPasses(module) ?? module, 1e-6);
});
