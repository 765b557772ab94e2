// Rewriting entries: rules, replacement of values, dead code.
import { describe, expect, test } from "vitest";
import type { Entry } from "../../ir/module.ts";
import { relu } from "../../ir/ops/activation.ts";
import { add, neg } from "../../ir/ops/arithmetic.ts";
import { removeDead, replaceValues, rewriteEntry, rule, ruleFor } from "../../ir/rewrite.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { printEntry } from "../../ir/text/print.ts";

function entryOf(lines: string, outputs = "%r"): Entry {
  const returned = outputs
    .split(" ")
    .map((_, i) => `o${i}: f32[4]`)
    .join(", ");
  const text = `loomir 1\nform surface\nsource s0 "a.loom"\n\nentry @main(%x: f32[4], %y: f32[4]) -> (${returned}) {\n${lines}\n  return ${outputs.split(" ").join(", ")}\n}\n`;
  const { value, diagnostics } = parseModule({ path: "a.loomir", text });
  if (value === undefined) throw new Error(diagnostics.map((d) => d.message).join("\n"));
  return value.entries[0]!;
}

const body = (entry: Entry) =>
  printEntry(entry)
    .split("\n")
    .slice(1, -2)
    .map((line) => line.trim());

const doubleNegation = ruleFor(neg, "double-negation", ([x], _attrs, cx) => {
  const inner = cx.producer(x);
  return inner?.op.signature.name === "neg" ? [inner.operands[0]!] : undefined;
});

function counting() {
  const counts: Record<string, number> = {};
  const count = (name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  return { counts, count };
}

describe("rewriteEntry", () => {
  test("applies rules until nothing changes, counts them, and drops what they leave dead", () => {
    const { counts, count } = counting();
    const entry = entryOf(
      "  %a: f32[4] = neg %x\n  %b: f32[4] = neg %a\n  %c: f32[4] = neg %b\n  %d: f32[4] = neg %c\n  %r: f32[4] = relu %d",
    );
    expect(body(rewriteEntry(entry, [doubleNegation], count))).toEqual(["%r: f32[4] = relu %x", "return %r"]);
    expect(counts).toEqual({ "double-negation": 2 });
  });

  test("gives the same object back where no rule applies", () => {
    const entry = entryOf("  %dead: f32[4] = neg %x\n  %r: f32[4] = relu %x");
    expect(rewriteEntry(entry, [doubleNegation], () => {})).toBe(entry);
  });

  test("what a rule emits stands before the instruction, with its place, marks and name", () => {
    const split = rule("split", (instruction, cx) => {
      if (instruction.op.signature.name !== "add") return undefined;
      const once = cx.builder.emit(neg, [instruction.operands[0]!]);
      return [cx.builder.emit(relu, [cx.builder.emit(neg, [once])])];
    });
    const entry = entryOf('  %sum: f32[4] = add %x, %y {site = "fc1"} loc s0:3:9\n  %r: f32[4] = neg %sum');
    const next = rewriteEntry(entry, [split], () => {});
    expect(body(next)).toEqual([
      '%neg: f32[4] = neg %x {site = "fc1"}',
      '%neg1: f32[4] = neg %neg {site = "fc1"}',
      '%sum: f32[4] = relu %neg1 {site = "fc1"}',
      "%r: f32[4] = neg %sum",
      "return %r",
    ]);
    expect(next.instructions[0]!.at).toEqual({ path: "a.loom", line: 3, column: 9 });
  });

  test("`once` leaves alone what rules emit", () => {
    const grow = ruleFor(relu, "grow", ([x], _attrs, cx) => [cx.builder.emit(relu, [cx.builder.emit(neg, [x])])]);
    const entry = entryOf("  %r: f32[4] = relu %x");
    expect(body(rewriteEntry(entry, [grow], () => {}, { once: true }))).toEqual([
      "%neg: f32[4] = neg %x",
      "%r: f32[4] = relu %neg",
      "return %r",
    ]);
    expect(() => rewriteEntry(entry, [grow], () => {})).toThrow("rules grow find no end in entry @main");
  });

  test("counts uses as they are at that moment", () => {
    const seen: number[] = [];
    const look = rule("look", (instruction, cx) => {
      if (instruction.op.signature.name === "add") seen.push(...instruction.operands.map((v) => cx.uses(v)));
      return undefined;
    });
    rewriteEntry(entryOf("  %a: f32[4] = neg %x\n  %s: f32[4] = add %a, %x\n  %t: f32[4] = add %a, %a", "%s %t %t"), [look], () => {});
    expect(seen).toEqual([3, 2, 3, 3]);
  });

  test("refuses answers that do not fit", () => {
    const entry = entryOf("  %r: f32[4] = neg %x");
    expect(() => rewriteEntry(entry, [rule("none", () => [])], () => {})).toThrow("rule none answers 0 values for neg, which has 1");
    expect(() => rewriteEntry(entry, [rule("itself", (i) => i.results)], () => {})).toThrow(
      "rule itself answers the result that it replaces",
    );
    expect(() =>
      rewriteEntry(
        entry,
        [rule("type", (i) => i.results.map((v) => ({ ...v, type: { kind: "tensor", scalar: "f32", dims: [8] } as const })))],
        () => {},
      ),
    ).toThrow("rule type answers f32[8] for neg, which has f32[4]");
  });

  test("what a rule emitted before it gave up is gone", () => {
    const indecisive = rule("indecisive", (instruction, cx) => {
      if (instruction.op.signature.name === "neg") cx.builder.emit(add, [instruction.operands[0]!, instruction.operands[0]!]);
      return undefined;
    });
    const entry = entryOf("  %r: f32[4] = neg %x");
    expect(rewriteEntry(entry, [indecisive, doubleNegation], () => {})).toBe(entry);
  });
});

describe("replaceValues", () => {
  test("follows chains through operands, outputs and updates, and keeps identity where nothing is replaced", () => {
    const entry = entryOf("  %a: f32[4] = neg %x\n  %b: f32[4] = neg %a\n  %r: f32[4] = relu %b", "%r %a");
    const [a, b] = entry.instructions.map((i) => i.results[0]!);
    const [x, y] = entry.inputs.map((i) => i.value);
    expect(
      body(
        replaceValues(
          entry,
          new Map([
            [b!, a!],
            [a!, y!],
          ]),
        ),
      ),
    ).toEqual(["%a: f32[4] = neg %x", "%b: f32[4] = neg %y", "%r: f32[4] = relu %y", "return %r, %y"]);
    expect(replaceValues(entry, new Map([[y!, x!]]))).toBe(entry);
    expect(replaceValues(entry, new Map()).instructions).toBe(entry.instructions);
  });
});

describe("removeDead", () => {
  test("drops what reaches no output or update, keeps the entry where there is nothing to drop", () => {
    const entry = entryOf("  %a: f32[4] = neg %x\n  %b: f32[4] = neg %a\n  %r: f32[4] = relu %x");
    const next = removeDead(entry);
    expect(body(next)).toEqual(["%r: f32[4] = relu %x", "return %r"]);
    expect(removeDead(next)).toBe(next);
  });
});
