// A part of a module by name: one entry, all uses of an op, or what belongs to an instance of the model.
import type { Entry, Instruction, Module } from "../module.ts";

/** Whether an instruction is part of the selection. */
export type Selection = (instruction: Instruction, entry: Entry) => boolean;

/**
 * `@train` selects an entry; any other name selects the ops that are called so or begin with it (`hadamard`, `quant`), and what
 * computes for an instance or is inside it (`layers.0.attn`, known by locations and by the sites of contractions).
 */
export function selectionOf(name: string): Selection {
  if (name.startsWith("@")) return (_, entry) => entry.name === name.slice(1);
  const isUnder = (path: string | undefined): boolean => path === name || path?.startsWith(`${name}.`) === true;
  return ({ op, at, marks }) => isUnder(op.signature.name) || isUnder(at?.instance) || isUnder(marks.site);
}

/** Names that select something of a module, for suggestions. */
export function selectableNames(modules: readonly Module[]): readonly string[] {
  const names = new Set<string>();
  for (const { entries } of modules) {
    for (const { name, instructions } of entries) {
      names.add(`@${name}`);
      for (const { op, at, marks } of instructions)
        for (const found of [op.signature.name, at?.instance, marks.site]) if (found) names.add(found);
    }
  }
  return [...names].sort();
}

/** The entries of which something is selected. */
export function selectedEntries(module: Module, selection: Selection): Module {
  return { ...module, entries: module.entries.filter((entry) => entry.instructions.some((i) => selection(i, entry))) };
}
