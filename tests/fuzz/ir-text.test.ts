// Changed IR texts and plans: each gives diagnostics or something that verifies and prints, never an exception.
import { describe, expect, test } from "vitest";
import { lowerSource, runPasses, unwrap } from "../../compiler/index.ts";
import { hasErrors, printDiagnostic } from "../../ir/diagnostic.ts";
import type { Source } from "../../ir/source.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { parsePlan } from "../../ir/text/parse-plan.ts";
import { printModule } from "../../ir/text/print.ts";
import { verifyModule } from "../../ir/verify.ts";
import { mutateText, Random, splitWords } from "./mutate.ts";
import { models, sourcesBelow, survive, targetOf } from "./support.ts";

const written = sourcesBelow("tests/filetests", /\.(loomir|plan)$/);

/** What the compiler makes of the smallest model in each form. */
function dumps(): readonly Source[] {
  const [mlp] = models.filter(({ path }) => path.endsWith("mlp.loom"));
  if (mlp === undefined) throw new Error("no models/mlp.loom");
  const { module } = unwrap(lowerSource(mlp, targetOf(mlp)));
  const all: Source[] = [{ path: "lower.loomir", text: printModule(module) }];
  runPasses(module, { dump: (changed, { pass }) => all.push({ path: `${pass}.loomir`, text: printModule(changed) }) });
  return all;
}

/** Answers whether the text is a module, or a plan, without errors. */
function read({ path, text }: Source): boolean {
  const isPlan = path.endsWith(".plan");
  const { value, diagnostics } = isPlan ? { ...parsePlan({ path, text }), value: undefined } : parseModule({ path, text });
  for (const d of diagnostics) printDiagnostic(d);
  if (value === undefined || hasErrors(diagnostics)) return isPlan && !hasErrors(diagnostics);
  expect(verifyModule(value).map(printDiagnostic)).toEqual([]);
  const printed = printModule(value);
  expect(printModule(unwrap(parseModule({ path, text: printed })))).toBe(printed);
  return true;
}

describe("changed IR texts", () => {
  const all = [...written, ...dumps()];
  const pool = [...new Set(all.flatMap(({ text }) => splitWords(text)))];

  test("20,000 changes", () => {
    const random = new Random(1);
    let fine = 0;
    for (let i = 0; i < 20_000; i++) {
      const { path, text } = all[i % all.length] ?? { path: "", text: "" };
      const changed = mutateText(text, pool, random);
      const name = `mutant-${i}.${path.split(".").at(-1)}`;
      survive(name, changed, () => {
        if (read({ path, text: changed })) fine++;
      });
    }
    expect(fine).toBeGreaterThan(400);
  }, 300_000);

  test("texts without measure", () => {
    const inEntry = (line: string) => `loomir 1\nform surface\n\nentry @main(%x: f32[8]) -> () {\n  ${line}\n  return\n}\n`;
    const deep = "[".repeat(20_000);
    const texts = [
      inEntry(`%y: f32[8] = relu %x {axes = ${deep}}`),
      inEntry(`%y: f32[${"2 * ".repeat(20_000)}2] = relu %x`),
      inEntry(`%y: f32[${"B + ".repeat(2_000)}2] = relu %x`),
      inEntry(`%y: f32[${"9".repeat(400)}] = relu %x`),
      inEntry(`%y: f32[8] = ${"a".repeat(100_000)} %x`),
      inEntry(`%y: f32[8] = add ${"%x, ".repeat(20_000)}%x`),
    ];
    for (const text of texts) survive("deep.loomir", text, () => expect(read({ path: "deep.loomir", text })).toBe(false));
  });
});
