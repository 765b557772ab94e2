// What shares kernels on real models, and why the rest does not: the report against the plan, and the facts that it is read for.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile, type EntryFusion, type FusedKernel, portable, unwrap } from "../../compiler/index.ts";
import type { PlacedPlan } from "../../ir/plan.ts";

const path = "models/llama.loom";

function fusionsOf(policy: string, ...set: readonly string[]) {
  const fusions: EntryFusion[] = [];
  const plans: PlacedPlan[] = [];
  unwrap(
    compile(
      { path, text: readFileSync(path, "utf8") },
      {
        recipe: "demo",
        policy,
        set,
        targets: [portable],
        portable: false,
        entries: (name) => name === "train" || name === "eval",
        explain: (fusion) => fusions.push(fusion),
        planned: (plan) => plans.push(plan),
      },
    ),
  );
  const entry = (name: string) => fusions.find((fusion) => fusion.entry === name)!;
  return { train: entry("train"), eval: entry("eval"), plan: plans[0]! };
}

const opsAt = ({ instructions }: FusedKernel, position: "front" | "anchor" | "behind") =>
  instructions.filter((i) => i.position === position).map(({ op, instance }) => `${op} of ${instance}`);
const storing = ({ kernels }: EntryFusion, value: string): FusedKernel =>
  kernels.find(({ stores }) => stores.some((s) => s.value === value))!;
const readersOf = (fusion: EntryFusion, value: string) =>
  storing(fusion, value)
    .stores.find((s) => s.value === value)!
    .readBy.map((number) => fusion.kernels[number]!);

const cases = [
  ["quest_w4a4", "none"],
  ["quest_w4a4", "256"],
  ["float", "none"],
  ["float", "256"],
] as const;

describe.each(cases)("demo, %s, head_chunk = %s", (policy, head) => {
  const { plan, ...fusions } = fusionsOf(policy, `head_chunk=${head}`);

  test.each(["train", "eval"] as const)("@%s: the kernels are those of the plan", (name) => {
    const dispatches = plan.entries.find((entry) => entry.name === name)!.dispatches;
    const served = new Set(dispatches.flatMap(({ serves }) => serves));
    // What is joined lies where its parts were stored, and has no dispatch.
    const own = fusions[name].kernels.filter(({ family }) => family !== "join");
    expect(own.length).toBeGreaterThan(30);
    for (const { stores } of own) expect(stores.some(({ value }) => served.has(value))).toBe(true);
    // Every dispatch of a kernel serves what the report says that it stores, in full; an optimizer's are merged.
    for (const { serves } of dispatches) {
      const kernel = own.find(({ stores }) => stores.some(({ value }) => value === serves[0]));
      if (kernel === undefined || serves.some((value) => /_next\d*$/.test(value))) continue;
      expect(serves).toEqual(kernel.stores.map(({ value }) => value));
    }
  });

  test.each(["train", "eval"] as const)("@%s: whoever loads a value is named where it is stored, with one reason on both sides", (name) => {
    const { kernels } = fusions[name];
    const loaded = kernels.flatMap(({ kernel, loads }) =>
      loads.flatMap((load) => (load.from === undefined ? [] : [{ ...load, by: kernel }])),
    );
    expect(loaded.length).toBeGreaterThan(40);
    for (const { value, from, by, why } of loaded) {
      const stored = kernels[from!]!.stores.find((s) => s.value === value)!;
      expect(stored.readBy).toContain(by);
      expect(stored.why).toBe(why);
      expect(why!.length).toBeGreaterThan(10);
    }
  });
});

describe("demo, quest_w4a4", () => {
  const { train, eval: evaluation } = fusionsOf("quest_w4a4");

  test("q, k and v read one quantized activation, and so do gate and up", () => {
    const forward = (value: string) =>
      readersOf(train, value).flatMap((k) => opsAt(k, "anchor").filter((op) => op.startsWith("quant.dot")));
    expect(forward("%attn_norm_c")).toEqual(["wq", "wk", "wv"].map((site) => `quant.dot of layers.0.attn.${site}`));
    expect(forward("%mlp_norm_c")).toEqual(["gate", "up"].map((site) => `quant.dot of layers.0.mlp.${site}`));
  });

  test("rotation, scale, codes and mask are one kernel, with the norm's scaling in front; its mean of squares is a kernel before", () => {
    const kernel = storing(train, "%attn_norm_c");
    expect(opsAt(kernel, "front").filter((op) => op.startsWith("mul"))).toEqual(["mul of layers.0.attn_norm", "mul of layers.0.attn_norm"]);
    expect(opsAt(kernel, "anchor")).toEqual(["hadamard of layers.0.attn.wq", "quant.scale of layers.0.attn.wq"]);
    expect(opsAt(kernel, "behind")).toEqual(["quant.encode of layers.0.attn.wq", "quant.mask of layers.0.attn.wq"]);
    expect(storing(train, "%inverse_rms").family).toBe("reduce");
  });

  test("silu(gate) * up runs in front of the quantizer of down, and residual additions behind the contractions", () => {
    expect(opsAt(storing(train, "%mul_c"), "front")).toEqual(["silu of layers.0.mlp", "mul of layers.0.mlp"]);
    for (const [value, site] of [
      ["%h1", "layers.0.attn.wo"],
      ["%h2", "layers.0.mlp.down"],
    ] as const) {
      for (const fusion of [train, evaluation]) {
        expect(opsAt(storing(fusion, value), "anchor")).toEqual([`quant.dot of ${site}`]);
        expect(opsAt(storing(fusion, value), "behind")).toEqual(["add of layers.0"]);
      }
    }
  });

  test("reasons are those of the decisions", () => {
    const why = (value: string) => storing(train, value).stores.find((s) => s.value === value)!.why;
    expect(why("%attn_norm_c")).toContain("one text in every entry");
    expect(why("%out")).toContain("`attention` stores its own result");
    expect(why("%h1")).toBe("3 instructions take it: it is computed once");
    expect(why("%loss")).toContain("a result of the entry");
  });
});

test("in float a contraction's operand is stored: the norm is no part of the contractions that read it", () => {
  const { eval: evaluation } = fusionsOf("float");
  const norm = storing(evaluation, "%attn_norm");
  expect(norm.family).toBe("pointwise");
  expect(norm.stores[0]).toMatchObject({
    readBy: expect.anything(),
    why: "`dot` reads its operands many times, and would compute it each time",
  });
  expect(readersOf(evaluation, "%attn_norm").flatMap(({ instances }) => instances[0])).toEqual(
    ["wq", "wk", "wv"].map((s) => `layers.0.attn.${s}`),
  );
  // Where nothing keeps gate and up for a backward pass, their product is the epilogue of the later contraction.
  const gated = evaluation.kernels.filter((kernel) => opsAt(kernel, "behind").includes("mul of layers.0.mlp"));
  expect(gated.map((kernel) => opsAt(kernel, "anchor"))).toEqual([["dot of layers.0.mlp.up"]]);
});
