// Heads in chunks: the same loss and gradients as whole, in the interpreter and as a plan on the CPU; what memory they save; what declines.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import type { PlacedPlan } from "../../ir/plan.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { shapeOf } from "../../ir/type.ts";
import { changesOf, expectSameRun, type HeadRun, headCases, headInputs, headModule, headState } from "../support/head-cases.ts";
import { runPlan } from "../support/plan-runner.ts";

const relative = 2e-6;

function interpreted(module: Module, name: string): HeadRun {
  const entry = entryNamed(module, name);
  const tensors = (arrays: Readonly<Record<string, Int32Array | Float32Array>>, typeOf: (name: string) => readonly number[]) =>
    Object.fromEntries(Object.entries(arrays).map(([key, data]) => [key, denseTensor(typeOf(key), data)]));
  const before = headState(module);
  const result = evaluateEntry(module, name, {
    precision: "f32",
    step: 0,
    inputs: tensors(headInputs(module, name), (key) => shapeOf(entry!.inputs.find(({ value }) => value.hint === key)!.value.type)),
    state: tensors(before, (key) => shapeOf(module.states.find((s) => s.name === key)!.type)),
  });
  const numbers = (record: typeof result.outputs) => Object.fromEntries(Object.entries(record).map(([key, t]) => [key, contiguous(t)]));
  return { outputs: numbers(result.outputs), changes: changesOf(before, numbers(result.state)) };
}

function planned(module: Module, name: string, target = portable): HeadRun {
  const before = headState(module);
  const plan = runPlan(module, before, target);
  const outputs = plan.run(name, headInputs(module, name), 0);
  return { outputs, changes: changesOf(before, Object.fromEntries(module.states.map((s) => [s.name, plan.state(s.name)]))) };
}

describe.each(headCases)("$recipe $policy, chunks of $rows, accumulate $accumulate", (each) => {
  const [whole, chunked] = [headModule(each, false), headModule(each, true)];
  const entries = [each.accumulate ? "accumulate" : "train", "eval"];

  test.each(entries)("@%s", (name) => {
    const isCut = (module: Module) => entryNamed(module, name)!.instructions.some(({ op }) => op.signature.name === "row_concat");
    expect([isCut(whole), isCut(chunked)]).toEqual([false, true]);
    const expected = interpreted(whole, name);
    expect(Object.values(expected.changes).some((values) => Array.from(values).some((x) => Math.abs(x) > 1e-4))).toBe(name !== "eval");
    expectSameRun(interpreted(chunked, name), expected, relative);
    expectSameRun(planned(chunked, name), expected, relative);
  });
});

test.each(["plain", "merged"] as const)("%s with activations in f16: rows are taken of halves, and what is joined is none", (recipe) => {
  const half = { ...portable, features: ["shader-f16"] };
  const each = { recipe, policy: "float", rows: 64, accumulate: false } as const;
  const [whole, chunked] = [headModule(each, false, "precision=f16"), headModule(each, true, "precision=f16")];
  // Rounded to f16 at other places: logits and hidden rows.
  for (const entry of ["train", "eval"]) expectSameRun(planned(chunked, entry, half), planned(whole, entry, half), 2 ** -9);
});

describe("a vocabulary of 32,000", () => {
  const sizes = ["recipe.vocab=32000", "recipe.batch=4", "recipe.context=256", "recipe.dim=64"];
  const logits = 4 * 256 * 32000 * 4;

  function planOf(head: string) {
    const plans: PlacedPlan[] = [];
    const artifact = unwrap(
      compile(
        { path: "tests/support/heads.loom", text: readFileSync("tests/support/heads.loom", "utf8") },
        {
          recipe: "biased",
          set: [...sizes, `head_chunk=${head}`],
          targets: [{ ...portable, limits: { ...portable.limits, maxStorageBufferBindingSize: 2 ** 30, maxBufferSize: 2 ** 31 } }],
          portable: false,
          entries: (name) => name === "train" || name === "eval",
          planned: (plan) => plans.push(plan),
        },
      ),
    );
    const [target] = artifact.manifest.targets;
    return {
      plan: plans[0]!,
      dispatches: target!.dispatches["train"]!,
      largestBinding: Math.max(
        ...Object.values(target!.dispatches)
          .flat()
          .flatMap((d) => d.bind.map(([, , bytes]) => bytes)),
      ),
    };
  }

  test("the peak falls by the logits, in whose place their gradient is, and no binding is as large", () => {
    const [whole, chunked] = [planOf("none"), planOf("auto")];
    const saved = whole.plan.memory.peakBytes - chunked.plan.memory.peakBytes;
    expect(whole.largestBinding).toBe(logits);
    // The gradient takes the place of the logits; a chunk of them stays.
    expect(saved).toBeGreaterThan(logits * 0.85);
    expect(chunked.largestBinding).toBeLessThan(logits / 4);
    expect(chunked.plan.memory.peakBytes).toBeLessThan(whole.plan.memory.peakBytes / 4);
  });

  test("chunks of one size share their kernels: wherever they begin, and but for the first summand of a sum", () => {
    const { dispatches } = planOf("64");
    const kernelsOf = (value: string) =>
      dispatches.filter(({ serves }) => serves.some((name) => name.replace(/\d+$/, "") === value)).map((d) => d.kernel);
    for (const value of ["%head", "%d_head"]) {
      expect(kernelsOf(value).length, value).toBe(16);
      expect(new Set(kernelsOf(value)).size, value).toBe(1);
    }
    const summands = kernelsOf("%d_head_weight");
    expect(summands.length).toBe(16);
    expect(new Set(summands.slice(1)).size).toBe(1);
  });
});
