// How compiling grows with the depth of a model: kernels not at all, everything else in proportion.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type CompileOptions, compile } from "../../compiler/driver/compile.ts";
import { portable } from "../../compiler/driver/targets.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";

const models = [
  // The optimizer and the norm take all parameters at once: in a small model their workgroups grow with these.
  ["tests/scale/stack.loom", "residual", 2],
  ["models/llama.loom", "tiny", 0],
] as const;

interface Compiled {
  readonly artifact: CompiledArtifact;
  readonly plan: PlacedPlan;
  /** Of all threads: what else the machine does meanwhile does not count. */
  readonly cpuSeconds: number;
}

function compileText(path: string, text: string, options: CompileOptions): Compiled {
  const plans: PlacedPlan[] = [];
  const before = process.cpuUsage();
  const entries = (name: string) => name === "train";
  const artifact = unwrap(compile({ path, text }, { portable: false, entries, planned: (plan) => plans.push(plan), ...options }));
  const { user, system } = process.cpuUsage(before);
  return { artifact, plan: plans[0]!, cpuSeconds: (user + system) / 1e6 };
}

const compileDeep = (path: string, recipe: string, depth: number, ...set: readonly string[]): Compiled =>
  compileText(path, readFileSync(path, "utf8"), { recipe, set: [`model.depth=${depth}`, ...set], targets: [portable] });

const kernelTexts = ({ artifact }: Compiled): readonly string[] =>
  [...artifact.files].flatMap(([path, content]) => (path.startsWith("kernels/") ? [`${path}\n${content}`] : [])).sort();

describe.each(models)("%s %s", (path, recipe, slabWide) => {
  test.each(["none", "layers.*"])("the same kernels at depth 4 and 16, remat %s", (remat) => {
    const [shallow, deep] = [4, 16].map((depth) => compileDeep(path, recipe, depth, `remat=${remat}`));
    const texts = kernelTexts(shallow!);
    const others = kernelTexts(deep!).filter((text) => !texts.includes(text));
    expect(kernelTexts(deep!)).toHaveLength(texts.length);
    expect(others.length, others.join("\n")).toBeLessThanOrEqual(slabWide);
    const dispatches = (compiled: Compiled) => compiled.plan.entries[0]!.dispatches;
    expect(dispatches(deep!).length).toBeGreaterThan(3 * dispatches(shallow!).length);
  });

  test("each form is planned, scheduled and emitted once: problems are shared between layers", () => {
    const problems = (depth: number) => {
      const { dispatches } = compileDeep(path, recipe, depth).plan.entries[0]!;
      return new Set(dispatches.map((d) => d.problem)).size;
    };
    const [at8, at16] = [problems(8), problems(16)];
    // Sums over all gradients are cut by their number; nothing else may follow the depth.
    expect(Math.abs(at16 - at8)).toBeLessThanOrEqual(2);
  });

  test("time grows in proportion, from 4 to 32 layers", () => {
    compileDeep(path, recipe, 8);
    const best = (depth: number) => Math.min(...Array.from({ length: 3 }, () => compileDeep(path, recipe, depth).cpuSeconds));
    const [shallow, deep] = [best(4), best(32)];
    // Eight times the layers; a part that grows with the square would soon be 64 times.
    expect(deep / shallow).toBeLessThan(14);
  });
});

describe("the 800 million parameters of `m800`, micro-batches of 8 x 512, bindings and buffers of 2 GiB", () => {
  const bytes = 2 ** 31;
  const limits = { ...portable.limits, maxStorageBufferBindingSize: bytes, maxBufferSize: bytes };
  const target: Target = { ...portable, name: "large", limits };
  const path = "models/llama.loom";
  const compileLarge = (...set: readonly string[]) =>
    compileText(path, readFileSync(path, "utf8"), { recipe: "m800", set, targets: [target] });

  test("compile in seconds and in little memory", () => {
    const { plan, artifact, cpuSeconds } = compileLarge();
    expect(cpuSeconds).toBeLessThan(5);
    expect(process.resourceUsage().maxRSS).toBeLessThan(1.5 * 2 ** 20);
    expect(Object.keys(artifact.manifest.entries)).toEqual(["accumulate", "apply"]);
    expect(artifact.manifest.entries["accumulate"]?.inputs[0]?.type).toBe("i32[8, 513]");
    const parameters = artifact.manifest.state.filter(({ role }) => role === "parameter");
    expect(parameters.reduce((sum, state) => sum + state.bytes / 4, 0)).toBeGreaterThan(8e8);
    const { memory } = plan;
    expect(memory.peakBytes / memory.lowerBoundBytes).toBeLessThan(1.05);
    for (const slab of memory.slabs) expect(slab.bytes).toBeLessThanOrEqual(bytes);
  });

  test("fit a budget in seconds: `remat auto`, two thirds of what micro-batches take kept", () => {
    const { memory } = compileLarge("remat=none").plan;
    const arena = memory.slabs.filter((s) => s.name.startsWith("arena.")).reduce((sum, s) => sum + s.bytes, 0);
    const budget = memory.peakBytes - Math.floor(arena / 3);
    const path = "models/llama.loom";
    const options = { recipe: "m800", set: ["remat=auto"], targets: [target], memory: budget };
    const { plan, cpuSeconds } = compileText(path, readFileSync(path, "utf8"), options);
    expect(plan.memory.peakBytes).toBeLessThanOrEqual(budget);
    expect(cpuSeconds).toBeLessThan(5);
  });

  test("have the same kernels at depth 4 and 16, although slabs are cut at one and not at the other", () => {
    const [shallow, deep] = [compileLarge("recipe.depth=4"), compileLarge()];
    expect(deep.plan.memory.slabs.length).toBeGreaterThan(shallow.plan.memory.slabs.length);
    expect(kernelTexts(deep)).toEqual(kernelTexts(shallow));
  });
});
