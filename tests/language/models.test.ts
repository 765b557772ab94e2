// The models that come with the project, under each of their policies; and texts made from them at random, which must not throw.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lower } from "../../compiler/lower/lower.ts";
import { type ResolveOptions, resolve } from "../../compiler/sema/resolve.ts";
import { instancesBelow } from "../../compiler/sema/resolved.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { lexer } from "../../compiler/syntax/tokens.ts";
import { printDiagnostic, unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { printChoice } from "../../ir/quant/choice.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { elementCount, printType, shapeOf } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { loadSource, modelSource } from "./file-cases.ts";

const mlp = modelSource("models/mlp.loom");
const policyNames = parse(mlp).value.items.flatMap((item) =>
  item.kind === "alias" || (item.kind === "policy" && item.parameters.length === 0) ? [item.name.text] : [],
);

function compiled(options: Omit<ResolveOptions, "load">): Module {
  return unwrap(lower(unwrap(resolve(mlp, { ...options, load: loadSource }))));
}

/** `site: choice` of the contractions of an entry. */
function stamps(module: Module, entry: string): readonly string[] {
  const instructions = module.entries.find((e) => e.name === entry)?.instructions ?? [];
  return instructions.flatMap(({ marks }) =>
    marks.site === undefined ? [] : [`${marks.site}: ${marks.quantize === undefined ? "none" : printChoice(marks.quantize)}`],
  );
}

describe("models/mlp.loom", () => {
  test("its policies", () => {
    expect(policyNames).toEqual([
      "float",
      "quest_w8a8",
      "quest_w4a4",
      "quest_w3a3",
      "quest_w2a2",
      "quest_w1a1",
      "quest_w4",
      "quest_w2",
      "mixed",
    ]);
  });

  test.each(policyNames)("%s: verifies, and its text parses back", (policy) => {
    const module = compiled({ policy });
    expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
    for (const locations of [false, true]) {
      const text = printModule(module, { locations });
      const again = unwrap(parseModule({ path: "mlp.loomir", text }));
      expect(printModule(again, { locations })).toBe(text);
    }
  });

  test("the same sites in every entry", () => {
    const module = compiled({ policy: "mixed" });
    expect(module.entries.map((e) => e.name)).toEqual(["train", "eval", "logits"]);
    const expected = ["fc1: quest(w = 4, a = 8)", "fc2: quest(w = 2, a = 4)", "fc3: quest(w = 8, a = 8)"];
    for (const entry of module.entries) expect(stamps(module, entry.name)).toEqual(expected);
  });

  test("a policy with arguments, a size and a model parameter from the command line", () => {
    const module = compiled({
      policy: "quest(w = 2, a = none)",
      set: ["B=7", "model.hidden=64", "schedule.peak=5e-3", "optimizer.decay=0"],
    });
    expect(stamps(module, "logits")).toEqual(["fc1", "fc2", "fc3"].map((site) => `${site}: quest(w = 2, a = none)`));
    expect(module.entries[2]?.inputs.map(({ value }) => printType(value.type))).toEqual(["f32[7, 784]"]);
    expect(module.states.map(({ name, type, decay }) => `${name}: ${printType(type)} ${decay}`)).toEqual([
      "fc1.weight: f32[64, 784] true",
      "fc1.shift: f32[64] false",
      "fc2.weight: f32[64, 64] true",
      "fc2.shift: f32[64] false",
      "fc3.weight: f32[10, 64] true",
      "fc3.shift: f32[10] false",
    ]);
    expect(module.host).toEqual({ lr: { warmup_cosine: { peak: 5e-3, warmup: 100, steps: 1250, floor: 0.1 } } });
    expect(module.training?.optimizer).toMatchObject({ kind: "adamw", decay: 0 });
  });

  test("the recipe's run", () => {
    expect(unwrap(resolve(mlp, { load: loadSource })).recipe?.run).toEqual({
      steps: 1250,
      data: { source: "mnist", args: [], named: {}, arrays: ["images", "labels"] },
      evaluate: { everySteps: 250, metrics: [{ metric: "loss" }, { metric: "accuracy" }] },
      checkpoint: { everySteps: 250 },
    });
  });

  test("a misspelt policy has a suggestion", () => {
    const { diagnostics } = resolve(mlp, { load: loadSource, policy: "quest_w4a5" });
    expect(diagnostics.map((d) => [d.code, d.help?.[0]])).toEqual([["unknown-policy", expect.stringContaining("did you mean `quest_w")]]);
  });
});

describe("models/llama.loom", () => {
  const llama = modelSource("models/llama.loom");

  // QuEST (arXiv:2502.05003), appendix B: parameters outside embedding and head, iterations and warm-up of each size.
  test.each([
    { recipe: "m30", parameters: 30_482_560, hidden: 1792, peak: 1.2e-3, steps: 11_444, warmup: 1144 },
    { recipe: "m50", parameters: 49_556_736, hidden: 2048, peak: 1.2e-3, steps: 19_073, warmup: 1907 },
    { recipe: "m100", parameters: 102_777_856, hidden: 2816, peak: 6e-4, steps: 38_146, warmup: 3814 },
    { recipe: "m200", parameters: 203_188_480, hidden: 3584, peak: 3e-4, steps: 76_293, warmup: 7629 },
    { recipe: "m430", parameters: 443_068_288, hidden: 4608, peak: 1.5e-4, steps: 164_031, warmup: 16_403 },
    { recipe: "m800", parameters: 822_151_168, hidden: 5632, peak: 7.5e-5, steps: 305_175, warmup: 30_517 },
    { recipe: "m1600", parameters: 1_586_076_160, hidden: 6912, peak: 3.75e-5, steps: 610_351, warmup: 61_035 },
  ])("$recipe is the paper's", ({ recipe, parameters, hidden, peak, steps, warmup }) => {
    const { model, recipe: resolved } = unwrap(resolve(llama, { recipe, load: loadSource }));
    const weights = instancesBelow(model).flatMap((instance) => [...instance.weights.values()]);
    const inLayers = weights.filter(({ path }) => !/^(embed|lm_head)\./.test(path));
    expect(inLayers.reduce((sum, { type }) => sum + elementCount(shapeOf(type)), 0)).toBe(parameters);
    expect(model.parameters.get("hidden")).toEqual({ kind: "int", value: hidden });
    expect(resolved?.learningRate).toEqual({ one_cycle: { peak, warmup, steps, start: 0.01, floor: 0.1 } });
    expect(resolved?.run).toMatchObject({ steps, accumulate: 64 });
    expect(resolved?.arrays.map(({ type }) => printType(type))).toEqual(["i32[8, 513]"]);
    // Weights of the layers alone; deviations of what ends in the residual stream shrink with its length.
    expect([...resolved!.decays].sort()).toEqual(
      inLayers
        .filter(({ type }) => type.dims.length === 2)
        .map(({ path }) => path)
        .sort(),
    );
    const depth = [...model.children.values()].flatMap((child) => (child.kind === "instances" ? child.items : [])).length;
    for (const { path, init } of weights.filter(({ type }) => type.dims.length === 2))
      expect(init, path).toEqual({ normal: [0, /\.(wo|down)\./.test(path) ? 0.02 / Math.sqrt(2 * depth) : 0.02] });
  });

  test("a larger micro-batch takes fewer of them for the same step", () => {
    const { recipe } = unwrap(resolve(llama, { recipe: "m30", load: loadSource, set: ["recipe.batch=32"] }));
    expect(recipe?.run).toMatchObject({ steps: 11_444, accumulate: 16 });
  });
});

test("any text behind --policy and --set gives diagnostics at most", () => {
  const other = fc.constantFrom(
    ...new Set(lexer.tokenize(mlp.text).tokens.map((token) => token.image)),
    "none",
    "0",
    "-1",
    "..",
    "**",
    '"text"',
  );
  const piece = fc.oneof(
    other,
    fc.constantFrom("schedule.peak", "model.hidden", "B", "=", "quest", "(", ")", "w = 2", ","),
    fc.string({ maxLength: 4 }),
  );
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, text, (policy, set) => {
      const { diagnostics } = resolve(mlp, { load: loadSource, policy, set: [set] });
      for (const d of diagnostics) printDiagnostic(d);
    }),
    { numRuns: 300, seed: 5 },
  );
});
