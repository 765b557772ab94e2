// Where problems of IR text are marked, to the letter, and how verifier errors look in a whole entry.
import { describe, expect, test } from "vitest";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Instruction, Module } from "../../ir/module.ts";
import { annotate } from "../../ir/text/annotate.ts";
import { parseModule, parseWithSpans } from "../../ir/text/parse.ts";
import { verifyModule } from "../../ir/verify.ts";

const problems = (text: string) => parseModule({ path: "a.loomir", text }).diagnostics.map(printDiagnostic).join("\n\n");

describe("places", () => {
  test("a refused operand is marked at the op, with the operands' types beside it", () => {
    const text = "loomir 1\nform surface\n\nentry @main(%x: f32[8, 4], %y: f32[4]) -> () {\n  %s: f32[8, 4] = add %x, %y\n  return\n}\n";
    expect(problems(text)).toBe(`error[ill-typed]: \`add\` takes operands of one shape, got f32[8, 4] and f32[4]
 --> a.loomir:5:19
  |
5 |   %s: f32[8, 4] = add %x, %y
  |                   ^^^ %x: f32[8, 4], %y: f32[4]
  |`);
  });

  test("every kind of part has a span of its own", () => {
    const text = `loomir 1
form surface
state "w": f32[4] {role = parameter, init = zeros}

entry @main(%x: f32[4] {host = "h"}) -> (a: f32[8], a: f32[4]) {
  %y: f32[8] = relu %x
  %z: f32[4] = state.read {name = "v"}
  %h: f32[4] = hadamard %q {axis = 0, block = 4.0}
  return %x, %y
  update "w" = %y
}
`;
    const marked = parseModule({ path: "a.loomir", text }).diagnostics.map(
      ({ code, primary }) => `${code}: ${text.slice(primary?.span.start, primary?.span.end)}`,
    );
    expect(marked).toEqual([
      "unknown-host: %x",
      "type-mismatch: f32[4]",
      "type-mismatch: f32[8]",
      "redefined-output: a",
      "type-mismatch: f32[4]",
      "type-mismatch: f32[8]",
      'unknown-state: name = "v"',
      "unknown-value: %q",
      "bad-attribute: 4.0",
      "type-mismatch: %y",
    ]);
  });

  test("spans of a sound text name its parts", () => {
    const text =
      "loomir 1\nform surface\n\nentry @main(%x: f32[8, 4]) -> (y: f32[8, 4]) {\n  %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}\n  return %y\n}\n";
    const { value } = parseWithSpans({ path: "a.loomir", text });
    const entry = value!.module.entries[0]!;
    const table = value!.spans.entries.get(entry)!;
    const instruction = entry.instructions[0]!;
    const at = (subject: object, part?: string) => text.slice(table.of(subject, part)?.start, table.of(subject, part)?.end);
    expect(at(instruction)).toBe("%y: f32[8, 4] = hadamard %x {axis = 1, block = 4}");
    expect(["op", "operand 0", "result 0", "type 0", "attr block", "no such part"].map((part) => at(instruction, part))).toEqual([
      "hadamard",
      "%x",
      "%y",
      "f32[8, 4]",
      "block = 4",
      "%y: f32[8, 4] = hadamard %x {axis = 1, block = 4}",
    ]);
    expect([at(entry), at(entry.inputs[0]!, "type"), at(entry.outputs[0]!, "value")]).toEqual(["@main", "f32[8, 4]", "%y"]);
  });
});

describe("annotate", () => {
  const text = `loomir 1
form surface
source s0 "models/mlp.loom"

entry @first(%x: f32[8, 4]) -> (y: f32[8, 4]) {
  %y: f32[8, 4] = relu %x
  return %y
}

entry @second(%x: f32[8, 4]) -> (y: f32[8, 4]) {
  %y: f32[8, 4] = relu %x loc s0:2:3
  return %y
}
`;
  const sound = parseModule({ path: "a.loomir", text }).value!;

  test("prints the guilty entry whole, and the model's place", () => {
    const [first, second] = sound.entries as [Module["entries"][number], Module["entries"][number]];
    const instruction: Instruction = { ...second.instructions[0]!, attrs: { axis: 1 }, operands: [] };
    const broken: Module = { ...sound, entries: [first, { ...second, instructions: [instruction] }] };
    const model = { path: "models/mlp.loom", text: "module Mlp {\n  fc = relu(x)\n}\n" };
    expect(annotate(verifyModule(broken, { sources: [model] }))).toBe(`entry @second(%x: f32[8, 4]) -> (y: f32[8, 4]) {
  %y: f32[8, 4] = relu
                  ^^^^ error[operand-count]: \`relu\` takes 1 operand (x), got 0
                    this comes from here: models/mlp.loom:2:3
  ^^^^^^^^^^^^^^^^^^^^ error[unknown-attribute]: \`relu\` has no attribute \`axis\`
    this comes from here: models/mlp.loom:2:3
  return %y
}

2 problems`);
  });

  test("problems without a place stand by themselves", () => {
    expect(annotate([{ severity: "error", code: "no-file", message: "there is no such file" }])).toBe(
      "error[no-file]: there is no such file\n\n1 problem",
    );
  });
});
