// Passes that must not change a value, on generated modules: every output and update keeps its bits in the f32 interpreter.
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import { symbol } from "../../ir/dim.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { type Entry, type Module, valueNames } from "../../ir/module.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { bindType, elementCount, f32, shapeOf, type Type } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { findPass } from "../../passes/registry.ts";
import { randomModule } from "../text/random-module.ts";
import { moduleOf, run } from "./run.ts";

/** What rounds, what saturates, what has a sign of its own. */
const floats = [0, -0, 1, -1, 0.1, 3, -2.5, 1e-3, 1e20, -1e-40, Infinity, -Infinity, Number.NaN];
const wholes = [0, 1, 2, 3, -1, 2147483647];

function tensorOf(type: Type, seed: number): Tensor {
  const sized = bindType(type, new Map([["B", 24]]));
  const shape = shapeOf(sized);
  const count = elementCount(shape);
  const at = (i: number, length: number) => (31 * (seed + 1) + 7 * i) % length;
  if (sized.kind === "codes")
    return denseTensor(
      shape,
      Int32Array.from({ length: count }, (_, i) => (at(i, 2 ** sized.bits) - 2 ** (sized.bits - 1)) | 0),
    );
  switch (sized.scalar) {
    case "f32":
      return denseTensor(
        shape,
        Float32Array.from({ length: count }, (_, i) => floats[at(i, floats.length)] ?? 0),
      );
    case "f16":
    case "bf16":
      return denseTensor(
        shape,
        Float32Array.from({ length: count }, (_, i) => [0, -0, 1, -0.5, 2][at(i, 5)] ?? 0),
      );
    case "i32":
    case "i8":
      return denseTensor(
        shape,
        Int32Array.from({ length: count }, (_, i) => (sized.scalar === "i8" ? at(i, 7) - 3 : (wholes[at(i, wholes.length)] ?? 0))),
      );
    case "u32":
    case "u8":
      return denseTensor(
        shape,
        Uint32Array.from({ length: count }, (_, i) => at(i, 9)),
      );
    case "bool":
    case "b1":
      return denseTensor(
        shape,
        Uint8Array.from({ length: count }, (_, i) => at(i, 2)),
      );
    default:
      return sized.scalar satisfies never;
  }
}

/** Gives every entry an input that binds the one name that generated types have. */
const bound = (module: Module): Module => ({
  ...module,
  entries: module.entries.map((e) => ({
    ...e,
    inputs: [...e.inputs, { value: { hint: "size", type: f32(symbol("B")) }, origin: "caller" }],
  })),
});

function evaluate(module: Module, entry: Entry) {
  const names = valueNames(entry);
  const inputs = Object.fromEntries(entry.inputs.map(({ value }, i) => [names.get(value) ?? "", tensorOf(value.type, i)]));
  const state = Object.fromEntries(module.states.map(({ name, type }, i) => [name, tensorOf(type, 40 + i)]));
  const result = evaluateEntry(module, entry.name, { precision: "f32", inputs, state, step: 0 });
  return { ...result.outputs, ...Object.fromEntries(entry.updates.map((u) => [`update ${u.state}`, result.state[u.state]])) };
}

/** Every output and update of every entry, bit by bit. */
function expectSameValues(after: Module, before: Module): void {
  for (const [i, entry] of before.entries.entries()) {
    const next = after.entries[i];
    if (next === undefined) throw new Error("an entry is gone");
    const expected = evaluate(before, entry);
    const actual = evaluate(after, next);
    for (const output of Object.keys(expected)) expectSameBits(actual[output], expected[output], output);
  }
}

function expectSameBits(actual: Tensor | undefined, expected: Tensor | undefined, name: string): void {
  if (actual === undefined || expected === undefined) throw new Error(`no ${name}`);
  expect(actual.shape).toEqual(expected.shape);
  const [a, e] = [contiguous(actual), contiguous(expected)];
  for (let i = 0; i < e.length; i++) if (!Object.is(a[i], e[i])) throw new Error(`${name}[${i}] is ${a[i]}, was ${e[i]}`);
}

const tape = fc.array(fc.nat(1_000_000), { maxLength: 80 });

describe.each(["canonicalize", "cleanup", "lower-quant", "expand"])("%s", (name) => {
  const pass = findPass(name);
  if (pass === undefined) throw new Error(`no pass ${name}`);

  // Shapes that chance does not draw: what the rules are for.
  const folder = new URL(`../filetests/${name}/`, import.meta.url);
  test.each(readdirSync(folder).filter((file) => !file.startsWith("reject") && file !== "reductions.loomir"))(
    "keeps every bit of %s",
    (file) => {
      const before = bound(moduleOf(readFileSync(new URL(file, folder), "utf8").split("\n// ----\n")[0] ?? ""));
      const { module, steps } = run(before, name);
      if (Object.keys(steps[0]?.counts ?? {}).length > 0) expect(module).not.toBe(before);
      expectSameValues(module, before);
    },
  );

  test("keeps every bit, verifies, round-trips, and has nothing left to do", { timeout: 120_000 }, () => {
    const counts: Record<string, number> = {};
    fc.assert(
      fc.property(tape, (numbers) => {
        const drawn = bound(randomModule(numbers));
        if (!pass.needs.includes(drawn.form)) return;
        const { module, steps } = run(drawn, name);
        const told = steps[0]?.counts ?? {};
        for (const [rule, times] of Object.entries(told)) counts[rule] = (counts[rule] ?? 0) + times;
        expect(verifyModule(module).map(printDiagnostic)).toEqual([]);
        const text = printModule(module);
        const again = parseModule({ path: "random.loomir", text });
        expect(again.value && printModule(again.value)).toBe(text);
        if (pass.needs.includes(module.form)) expect(run(module, name).module).toBe(module);
        // The one rule that may turn -0 into 0.
        if ((told["sum-of-one"] ?? 0) > 0) return;
        expectSameValues(module, drawn);
      }),
      { numRuns: 1500, seed: 11 },
    );
    // The test says nothing about a pass that found no work.
    expect(
      Object.values(counts).reduce((a, b) => a + b, 0),
      JSON.stringify(counts),
    ).toBeGreaterThan(20);
  });
});
