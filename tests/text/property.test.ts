// Properties of IR text over generated modules and broken texts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { ops } from "../../ir/ops/table.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { parsePlan } from "../../ir/text/parse-plan.ts";
import { printModule } from "../../ir/text/print.ts";
import { printPlan } from "../../ir/text/print-plan.ts";
import { verifyModule } from "../../ir/verify.ts";
import { randomModule } from "./random-module.ts";

const tape = fc.array(fc.nat(1_000_000), { maxLength: 60 });

/** The text parses, to a module that prints as the same text. */
function expectRoundTrip(module: Module): void {
  const text = printModule(module, { locations: true });
  const { value, diagnostics } = parseModule({ path: "random.loomir", text });
  expect(diagnostics.map(printDiagnostic).join("\n")).toBe("");
  expect(value && printModule(value, { locations: true })).toBe(text);
}

describe("generated modules", () => {
  test("verify and round-trip", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(tape, (numbers) => {
        const module = randomModule(numbers);
        expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
        expectRoundTrip(module);
        for (const { instructions } of module.entries) for (const { op } of instructions) seen.add(op.signature.name);
      }),
      { numRuns: 400, seed: 1 },
    );
    // The generator is worth something only while it reaches most of the table.
    const missed = ops.map((op) => op.signature.name).filter((name) => !seen.has(name));
    expect(missed.length, `never generated: ${missed.join(", ")}`).toBeLessThan(ops.length / 4);
  });
});

const corpus = ["../filetests", "../passes/modules"]
  .map((folder) => join(import.meta.dirname, folder))
  .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => join(folder, path)));
const modules = corpus.filter((path) => path.endsWith(".loomir")).map((path) => readFileSync(path, "utf8"));
const plans = corpus.filter((path) => path.endsWith(".plan")).map((path) => readFileSync(path, "utf8"));

/** Parses without an exception; what parses prints as a text that parses to the same. */
function expectSound(text: string): void {
  const first = parseModule({ path: "broken.loomir", text }).value;
  if (first === undefined) return;
  const printed = printModule(first, { locations: true });
  const again = parseModule({ path: "again.loomir", text: printed });
  expect(again.diagnostics.map(printDiagnostic).join("\n"), text).toBe("");
  expect(again.value && printModule(again.value, { locations: true })).toBe(printed);
}

function expectSoundPlan(text: string): void {
  const first = parsePlan({ path: "broken.plan", text }).value;
  if (first === undefined) return;
  const printed = printPlan(first);
  const again = parsePlan({ path: "again.plan", text: printed });
  expect(again.diagnostics.map(printDiagnostic).join("\n"), text).toBe("");
  expect(again.value && printPlan(again.value)).toBe(printed);
}

const junk = [
  "%",
  "@",
  '"',
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  ",",
  ":",
  "=",
  "->",
  "\n",
  " ",
  "-",
  "1",
  "1.5",
  "2i",
  "inf",
  "f32[",
  "%x",
  "//",
  "constructor",
  "__proto__ = 1",
  "é",
  "\u2028",
  "loc s0:1:1",
  "quest(w = 4)",
];

const edit = fc.tuple(fc.nat(), fc.nat(12), fc.constantFrom(...junk, ""), fc.boolean());

/** One edit: a piece cut out, and junk or a piece from elsewhere put in. */
function edited(text: string, [at, cut, put, copy]: readonly [number, number, string, boolean]): string {
  const from = at % (text.length + 1);
  const elsewhere = (at * 7919) % (text.length + 1);
  return text.slice(0, from) + (copy ? text.slice(elsewhere, elsewhere + cut) : put) + text.slice(from + cut);
}

describe("broken texts", () => {
  test("every prefix of a whole module, and some of every file test, parse without an exception", () => {
    expect(modules.length).toBeGreaterThan(0);
    const whole = readFileSync(join(import.meta.dirname, "../passes/modules/mlp.loomir"), "utf8");
    for (let end = 0; end <= whole.length; end++) expectSound(whole.slice(0, end));
    for (const text of modules) for (let end = 0; end <= text.length; end += Math.ceil(text.length / 60)) expectSound(text.slice(0, end));
  });

  test("edited modules parse without an exception", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(edit, { minLength: 1, maxLength: 4 }), (which, edits) => {
        expectSound(edits.reduce(edited, modules[which % modules.length] ?? ""));
      }),
      { numRuns: 4000, seed: 2 },
    );
  });

  test("prefixes and edits of plans parse without an exception", () => {
    expect(plans.length).toBeGreaterThan(0);
    for (const text of plans) for (let end = 0; end <= text.length; end += 5) expectSoundPlan(text.slice(0, end));
    fc.assert(
      fc.property(fc.nat(), fc.array(edit, { minLength: 1, maxLength: 4 }), (which, edits) => {
        expectSoundPlan(edits.reduce(edited, plans[which % plans.length] ?? ""));
      }),
      { numRuns: 2000, seed: 3 },
    );
  });
});
