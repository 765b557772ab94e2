// The verifier on modules that no text can express: what passes could get wrong.
import { describe, expect, test } from "vitest";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Entry, Instruction, Module } from "../../ir/module.ts";
import { reluOp } from "../../ir/ops/activation.ts";
import { hadamardOp } from "../../ir/ops/hadamard.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { f32 } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";

const text = `loomir 1
form surface
source s0 "a.loom"
state "w": f32[8, 4] {role = parameter, init = zeros}

entry @main(%x: f32[8, 4]) -> (z: f32[8, 4]) {
  %y: f32[8, 4] = hadamard %x {axis = 1, block = 4}
  %z: f32[8, 4] = relu %y
  return %z
  update "w" = %z
}
`;
const sound = parseModule({ path: "a.loomir", text }).value!;
const entry = sound.entries[0]!;
const [rotate, clip] = entry.instructions as [Instruction, Instruction];

const withEntry = (change: Partial<Entry>): Module => ({ ...sound, entries: [{ ...entry, ...change }] });
const problems = (module: Module) =>
  verifyModule(module).map((d) => `${d.code} line ${printDiagnostic(d).match(/:(\d+):/)?.[1]}: ${d.message}`);

describe("the verifier finds", () => {
  test("nothing in a sound module", () => {
    expect(problems(sound)).toEqual([]);
  });

  test("a use before its definition", () => {
    expect(problems(withEntry({ instructions: [clip, rotate] }))).toEqual(["unknown-value line 7: `%y` is not defined before this use"]);
  });

  test("an instruction that stands twice", () => {
    expect(problems(withEntry({ instructions: [rotate, rotate, clip] }))).toEqual(["redefined-value line 8: `%y` is defined twice"]);
  });

  test("a removed definition, at every use", () => {
    expect(problems(withEntry({ instructions: [rotate] }))).toEqual([
      "unknown-value line 8: `%z` is not defined before this use",
      "unknown-value line 9: `%z` is not defined before this use",
    ]);
  });

  test("a result whose type does not follow from the operands", () => {
    const results = [{ hint: "y", type: f32(4, 8) }];
    expect(problems(withEntry({ instructions: [{ ...rotate, results }], outputs: [], updates: [] }))).toEqual([
      "type-mismatch line 7: `%y` is declared f32[4, 8], but `hadamard` gives f32[8, 4]",
    ]);
  });

  test("attributes that are missing, of another kind, or too many", () => {
    const broken = [{ axis: 1 }, { axis: 1, block: 4.5 }, { axis: 1, block: "4" }, { axis: 1, block: 4, sites: 1 }];
    expect(broken.flatMap((attrs) => problems(withEntry({ instructions: [{ ...rotate, op: hadamardOp, attrs }, clip] })))).toEqual([
      "missing-attribute line 7: `hadamard` needs the attribute `block` (an integer)",
      "bad-attribute line 7: `block` must be an integer",
      "bad-attribute line 7: `block` must be an integer",
      "unknown-attribute line 7: `hadamard` has no attribute `sites`",
    ]);
  });

  test("a place in a source that the module does not list", () => {
    expect(problems(withEntry({ instructions: [{ ...rotate, at: { path: "b.loom", line: 1, column: 1 } }, clip] }))).toEqual([
      "unknown-source line 7: the module does not list the source b.loom",
    ]);
  });

  test("names that text cannot hold", () => {
    const results = [{ hint: "a b", type: f32(8, 4) }];
    const instructions = [{ ...clip, op: reluOp, operands: rotate.operands, results }];
    expect(problems(withEntry({ name: "a-b", instructions, outputs: [], updates: [] }))).toEqual([
      "bad-name line 6: `@a-b` is no name for an entry",
      "bad-name line 7: `a b` is no name for a value",
    ]);
  });
});
