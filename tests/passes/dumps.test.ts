// Every dump of every model under every policy, after every pass, parses back to the same text and verifies.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { parse } from "../../compiler/syntax/parse.ts";
import { printDiagnostic, unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { verifyModule } from "../../ir/verify.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runnableRecipes } from "../support/recipes.ts";
import { moduleFile, moduleOf, run } from "./run.ts";

const models = readdirSync(new URL("../../models/", import.meta.url)).filter((file) => file.endsWith(".loom"));

interface Variant {
  readonly name: string;
  module(): Module;
}

/** Recipes that differ from another one in numbers alone are left out, and large models are made small. */
const sizes: Readonly<Record<string, readonly string[] | "like another">> = {
  demo: ["recipe.depth=1"],
  tiny: "like another",
  small: ["recipe.depth=1"],
  m30: ["recipe.depth=1", "recipe.dim=128", "recipe.context=32", "model.vocab=256"],
  ...Object.fromEntries(["m50", "m100", "m200", "m430", "m800", "m1600"].map((name) => [name, "like another"] as const)),
};

/** Each recipe of each model under each of its policies that needs no arguments. */
const variants = models.flatMap((file): readonly Variant[] => {
  const source = { path: `models/${file}`, text: readFileSync(new URL(`../../models/${file}`, import.meta.url), "utf8") };
  const { value } = parse(source);
  const policies = value.items.flatMap((item) =>
    item.kind === "alias" || (item.kind === "policy" && item.parameters.length === 0) ? [item.name.text] : [],
  );
  const options = runnableRecipes(value).flatMap((recipe) => {
    const set = sizes[recipe] ?? [];
    return set === "like another" ? [] : [...policies, "quest(w = 3, a = 5)"].map((policy) => ({ recipe, policy, set }));
  });
  return options.map((o) => ({ name: `${source.path} ${o.recipe} ${o.policy}`, module: () => unwrap(lowerSource(source, o)).module }));
});

const handMade: readonly Variant[] = readdirSync(new URL("modules/", import.meta.url))
  .filter((file) => file.endsWith(".loomir"))
  .map((file) => ({ name: file, module: () => moduleOf(moduleFile(file)) }));

test("there are models with recipes and policies", () => {
  expect(variants.length).toBeGreaterThan(9);
});

function expectSound(module: Module, where: string): void {
  expect(verifyModule(module).map(printDiagnostic), where).toEqual([]);
  for (const locations of [false, true]) {
    const text = printModule(module, { locations });
    const { value, diagnostics } = parseModule({ path: where, text });
    expect(diagnostics.map(printDiagnostic).join("\n"), where).toBe("");
    expect(value && printModule(value, { locations }), where).toBe(text);
  }
}

/** Values by their order in the text: names of values made by passes follow hints, and a parsed value's hint is its whole name. */
function withoutNames(text: string): string {
  const order = new Map<string, number>();
  return text.replaceAll(/%[\w.]+|entry/g, (name) => {
    if (name === "entry") order.clear();
    order.set(name, order.get(name) ?? order.size);
    return name === "entry" ? name : `%${order.get(name)}`;
  });
}

describe.each([...variants, ...handMade])("$name", (variant) => {
  test("every dump", () => {
    const start = variant.module();
    expectSound(start, "as lowered");
    const dumped: string[] = [];
    const { module, steps } = run(start, pipeline, {
      dump(next, { pass, place }) {
        dumped.push(pass);
        expectSound(next, `after ${place} ${pass}`);
        if (next.form !== "surface") {
          const marks = next.entries.flatMap((e) => e.instructions.map((i) => i.marks));
          expect(
            marks.filter((m) => m.quantize !== undefined),
            "no stamp is left",
          ).toEqual([]);
        }
      },
    });
    expect(dumped).toEqual(steps.filter((s) => s.changed).map((s) => s.pass));
    expect(module.form).toBe("primitive");
    expect(module.training).toBeUndefined();
    // Fed back in, a dump goes the way of what it was dumped from.
    const surface = unwrap(parseModule({ path: "dump", text: printModule(run(start, pipeline, { until: "surface" }).module) }));
    expect(withoutNames(printModule(run(surface, pipeline).module))).toBe(withoutNames(printModule(module)));
  });
});
