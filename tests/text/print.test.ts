// Printing of modules: names, locations, constants beside the text.
import { describe, expect, test } from "vitest";
import type { Module, Value } from "../../ir/module.ts";
import { valueNames } from "../../ir/module.ts";
import { constant } from "../../ir/ops/source.ts";
import { newBuilder } from "../../ir/ops/table.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { longestInlineConstant, type PrintOptions, printEntry, printInstruction, printModule } from "../../ir/text/print.ts";
import { f32, type Type } from "../../ir/type.ts";

const moduleOf = (inputs: readonly Value[], builder = newBuilder()): Module => ({
  form: "surface",
  sources: [],
  host: {},
  states: [],
  ties: [],
  entries: [
    {
      name: "main",
      inputs: inputs.map((value) => ({ value, origin: "caller" })),
      instructions: builder.instructions,
      outputs: [],
      updates: [],
    },
  ],
});

const parsed = (text: string, constants?: (sha256: string, data: string) => readonly number[] | undefined) =>
  parseModule({ path: "a.loomir", text }, constants === undefined ? {} : { constants });

describe("names", () => {
  test("hints that collide get numbers, and the numbered names are the hints of the parsed module", () => {
    const inputs = ["x", "x", "x1", "x", "1", "1", "y.z", "y.z"].map((hint): Value => ({ hint, type: f32(4) }));
    const text = printModule(moduleOf(inputs));
    expect(text).toContain(
      "entry @main(%x: f32[4], %x1: f32[4], %x1_1: f32[4], %x2: f32[4], %1: f32[4], %1_1: f32[4], %y.z: f32[4], %y.z1: f32[4])",
    );
    const again = parsed(text).value!;
    expect(again.entries[0]!.inputs.map((i) => i.value.hint)).toEqual(["x", "x1", "x1_1", "x2", "1", "1_1", "y.z", "y.z1"]);
    expect(printModule(again)).toBe(text);
  });

  test("an entry and an instruction print as they stand in their module", () => {
    const text =
      'loomir 1\nform surface\n\nentry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {\n  %y: f32[8, 4] = hadamard %x {axis = 1, block = 4, site = "fc1"}\n  return %y\n}\n';
    const entry = parsed(text).value!.entries[0]!;
    expect(printEntry(entry)).toBe(text.slice(text.indexOf("entry")));
    expect(printInstruction(entry.instructions[0]!, valueNames(entry))).toBe(
      '%y: f32[8, 4] = hadamard %x {axis = 1, block = 4, site = "fc1"}',
    );
  });
});

describe("locations", () => {
  const text =
    'loomir 1\nform surface\nsource s0 "a.loom"\n\nentry @main(%x: f32[4]) -> () {\n  %y: f32[4] = relu %x loc s0:3:9\n  return\n}\n';
  test("are kept, and printed on request", () => {
    const module = parsed(text).value!;
    expect(module.entries[0]!.instructions[0]!.at).toEqual({ path: "a.loom", line: 3, column: 9 });
    expect(printModule(module, { locations: true })).toBe(text);
    expect(printModule(module)).toBe(text.replace(" loc s0:3:9", ""));
  });
});

describe("constants", () => {
  const withConstant = (count: number): { readonly module: Module; readonly values: readonly number[] } => {
    const values = Array.from({ length: count }, (_, i) => Math.sin(i) / 3);
    const builder = newBuilder();
    builder.emit(constant, [], { values, type: f32(count) });
    return { module: moduleOf([], builder), values };
  };
  const kept = new Map<string, { readonly values: readonly number[]; readonly type: Type }>();
  const keep: PrintOptions = {
    constants: (values, type) => {
      const sha256 = `hash${kept.size}`;
      kept.set(sha256, { values, type });
      return { sha256, data: "constants.safetensors" };
    },
  };

  test("stand in the text up to 64 elements, and wherever nobody takes them", () => {
    const short = printModule(withConstant(longestInlineConstant).module, keep);
    expect(kept.size).toBe(0);
    expect(short).toContain("constant {values = [0.0, 0.28");
    const long = printModule(withConstant(65).module);
    expect(printModule(parsed(long).value!)).toBe(long);
  });

  test("beyond that they go where the caller keeps them, and come back from there", () => {
    const { module, values } = withConstant(65);
    const text = printModule(module, keep);
    expect(text).toContain('%constant: f32[65] = constant {sha256 = "hash0", data = "constants.safetensors"}');
    expect(kept.get("hash0")).toEqual({ values, type: f32(65) });
    const again = parsed(text, (sha256, data) => (data === "constants.safetensors" ? kept.get(sha256)?.values : undefined)).value!;
    expect(again.entries[0]!.instructions[0]!.attrs["values"]).toEqual(values);
  });

  test("that nobody has are an error at their hash", () => {
    const { diagnostics } = parsed(printModule(withConstant(65).module, keep));
    expect(diagnostics.map((d) => d.code)).toEqual(["missing-constant"]);
    const [at] = diagnostics.map((d) => d.primary!.span);
    expect(at!.source.text.slice(at!.start, at!.end)).toMatch(/^"hash\d+"$/);
  });
});
