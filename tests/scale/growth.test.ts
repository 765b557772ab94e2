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

test("a training graph of 800 million parameters, in seconds and in little memory", () => {
  const path = "models/llama.loom";
  const [, tiny = ""] = /(train tiny of [\s\S]*)$/.exec(readFileSync(path, "utf8")) ?? [];
  const large = tiny
    .replace("train tiny of Llama", "train large of Llama(vocab = 50304, dim = 2048, depth = 16, heads = 16, kv_heads = 16, hidden = 5632)")
    .replace("i32[8, 129]", "i32[8, 513]")
    .replace("0..128", "0..512")
    .replace("1..129", "1..513");
  const bytes = 2 ** 31;
  const limits = { ...portable.limits, maxStorageBufferBindingSize: bytes, maxBufferSize: bytes };
  const target: Target = { ...portable, name: "large", limits };
  const text = `${readFileSync(path, "utf8")}\n${large}`;
  const { plan, cpuSeconds } = compileText(path, text, { recipe: "large", targets: [target] });
  expect(cpuSeconds).toBeLessThan(5);
  expect(process.resourceUsage().maxRSS).toBeLessThan(1.5 * 2 ** 20);
  const { memory } = plan;
  expect(memory.peakBytes / memory.lowerBoundBytes).toBeLessThan(1.05);
  expect(memory.slabs.find((s) => s.name === "arena.1")).toBeDefined();
  for (const slab of memory.slabs) expect(slab.bytes).toBeLessThanOrEqual(bytes);
});
