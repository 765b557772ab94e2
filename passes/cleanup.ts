// cleanup: merges equal computations and drops what nothing uses. Ops are pure, so equal means the same op, operands and attributes.
import { printAttributes } from "../ir/attribute.ts";
import { type Entry, type Instruction, mapEntries, type Value } from "../ir/module.ts";
import { printChoice } from "../ir/quant/choice.ts";
import { removeDead, replaceValues } from "../ir/rewrite.ts";
import { printType } from "../ir/type.ts";
import { definePass } from "./pass.ts";

export const cleanup = definePass({
  name: "cleanup",
  summary: "Merge equal instructions and remove dead ones.",
  needs: "any",
  leaves: "same",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) => {
      const merged = mergeEqual(entry);
      const live = removeDead(merged);
      if (merged !== entry) cx.count("merged", entry.instructions.length - merged.instructions.length);
      if (live !== merged) cx.count("dead", merged.instructions.length - live.instructions.length);
      return live;
    }),
});

/** Keep the first of equal instructions: its place, its location, its site. */
function mergeEqual(entry: Entry): Entry {
  const numbers = new Map<Value, number>();
  // Values that turned out equal share a number, so that their users turn out equal in the same sweep.
  const numberOf = (value: Value): number => {
    const known = numbers.get(value) ?? numbers.size;
    numbers.set(value, known);
    return known;
  };
  const seen = new Map<string, Instruction>();
  const replacements = new Map<Value, Value>();
  const kept: Instruction[] = [];
  for (const instruction of entry.instructions) {
    const key = keyOf(instruction, numberOf);
    const first = seen.get(key);
    if (first === undefined) {
      seen.set(key, instruction);
      kept.push(instruction);
      continue;
    }
    for (const [i, result] of instruction.results.entries()) {
      const same = first.results[i];
      if (same === undefined) throw new Error(`equal instructions ${key} with different results`);
      replacements.set(result, same);
      numbers.set(result, numberOf(same));
    }
  }
  return replacements.size === 0 ? entry : replaceValues({ ...entry, instructions: kept }, replacements);
}

/** What two instructions must share to be one. Attributes print exactly (-0, inf, nan), result types stand for those that only show there. */
function keyOf({ op, operands, results, attrs, marks }: Instruction, numberOf: (value: Value) => number): string {
  const parts = [
    op.signature.name,
    operands.map(numberOf).join(" "),
    printAttributes(op.signature.attrs, attrs).join(", "),
    results.map((r) => printType(r.type)).join(", "),
    // A policy may quantize one product here and not there, until insert-quant has consumed its mark.
    marks.quantize === undefined ? "" : printChoice(marks.quantize),
  ];
  return parts.join(" | ");
}
