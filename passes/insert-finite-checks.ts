// insert-finite-checks: turns `@train` into an entry that changes nothing and counts, behind every op, the elements that are not finite.
import type { Entry, Instruction, Module, Value } from "../ir/module.ts";
import { entryNamed, valueNames } from "../ir/module.ts";
import { sum } from "../ir/ops/broadcast.ts";
import { cast } from "../ir/ops/cast.ts";
import { finite, logicalNot } from "../ir/ops/compare.ts";
import { constant, iota, stateRead } from "../ir/ops/source.ts";
import { newBuilder } from "../ir/ops/table.ts";
import { removeDead } from "../ir/rewrite.ts";
import { isFloat } from "../ir/type.ts";
import { definePass } from "./pass.ts";

const trainEntry = "train";

/** For looking into a failed step; no part of the pipeline. */
export const insertFiniteChecks = definePass({
  name: "insert-finite-checks",
  summary: "Make `@train` count, for every value, the elements that are not finite, and update nothing.",
  needs: ["differentiated", "primitive"],
  leaves: "same",
  options: {},
  run(module, _options, cx) {
    const entry = entryNamed(module, trainEntry);
    if (entry === undefined) return module;
    const checked = checkEntry(entry);
    cx.count("checks", checked.outputs.length);
    const read = new Set(checked.instructions.flatMap(({ op, attrs }) => (op.signature.name === stateRead.name ? [attrs["name"]] : [])));
    return {
      ...module,
      states: module.states.filter(({ name }) => read.has(name)),
      ties: module.ties.filter(({ state }) => read.has(state)),
      entries: [checked],
    } satisfies Module;
  },
});

/**
 * The instructions whose results are checked, in order, with the names under which the checked entry gives their counts. Not the
 * optimizer's, nor the state that it alone reads: whether a step is good is decided before it.
 */
export function checkedValues(
  entry: Entry,
): readonly { readonly output: string; readonly instruction: Instruction; readonly value: Value }[] {
  const names = valueNames(entry);
  const updates = new Set(entry.updates.map(({ value }) => value));
  const step = entry.instructions.filter(({ results }) => !results.some((value) => updates.has(value)));
  const used = new Set([...step.flatMap(({ operands }) => operands), ...entry.outputs.map(({ value }) => value)]);
  return step.flatMap((instruction) => {
    const { op, results } = instruction;
    if (op.signature.name === constant.name || op.signature.name === iota.name) return [];
    return results.flatMap((value) =>
      used.has(value) && holdsFloats(value) ? [{ output: names.get(value) ?? value.hint, instruction, value }] : [],
    );
  });
}

const holdsFloats = ({ type }: Value): boolean => type.kind === "tensor" && isFloat(type.scalar);

/** Each check stands right behind what it checks, so that no value lives longer for it than it must. */
function checkEntry(entry: Entry): Entry {
  const builder = newBuilder();
  const outputs: { readonly name: string; readonly value: Value }[] = [];
  const checks = Map.groupBy(checkedValues(entry), ({ instruction }) => instruction);
  for (const instruction of entry.instructions) {
    builder.instructions.push(instruction);
    for (const { output, value } of checks.get(instruction) ?? []) {
      const wrong = builder.emit(logicalNot, [builder.emit(finite, [value], {}, { hint: "fine" })], {}, { hint: "wrong" });
      const each = builder.emit(cast, [wrong], { to: "f32" }, { hint: "one" });
      const axes = value.type.dims.map((_, axis) => axis);
      outputs.push({ name: output, value: axes.length === 0 ? each : builder.emit(sum, [each], { axes }, { hint: "count" }) });
    }
  }
  return removeDead({ ...entry, instructions: builder.instructions, outputs, updates: [] });
}
