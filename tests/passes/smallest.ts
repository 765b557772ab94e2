// Makes a failing module small, so that the failure can be read: fewer entries, results and instructions, values turned into inputs.
import type { Entry, Module } from "../../ir/module.ts";
import { removeDead } from "../../ir/rewrite.ts";

/** The smallest module that still fails, among those that leaving things out one at a time leads to. */
export async function smallest(module: Module, fails: (module: Module) => Promise<boolean>): Promise<Module> {
  for (const next of smaller(module)) if (await fails(next)) return smallest(next, fails);
  return module;
}

const without = <T>(list: readonly T[], at: number): readonly T[] => list.filter((_, i) => i !== at);

function* candidates(entry: Entry): Generator<Entry> {
  const pruned = withUsedInputs(removeDead(entry));
  if (pruned !== entry) yield pruned;
  for (const i of entry.outputs.keys()) yield { ...entry, outputs: without(entry.outputs, i) };
  for (const i of entry.updates.keys()) yield { ...entry, updates: without(entry.updates, i) };
  for (const [i, instruction] of entry.instructions.entries()) {
    const inputs = instruction.results.map((value) => ({ value: { ...value }, origin: "caller" as const }));
    const swapped = new Map(instruction.results.map((value, r) => [value, inputs[r]?.value ?? value]));
    const swap = <T extends { readonly value: Entry["outputs"][number]["value"] }>(use: T): T => ({
      ...use,
      value: swapped.get(use.value) ?? use.value,
    });
    yield withUsedInputs(
      removeDead({
        ...entry,
        inputs: [...entry.inputs, ...inputs],
        instructions: without(entry.instructions, i).map((other) => ({
          ...other,
          operands: other.operands.map((v) => swapped.get(v) ?? v),
        })),
        outputs: entry.outputs.map(swap),
        updates: entry.updates.map(swap),
      }),
    );
  }
}

function withUsedInputs(entry: Entry): Entry {
  const used = new Set([...entry.instructions.flatMap((i) => i.operands), ...[...entry.outputs, ...entry.updates].map((u) => u.value)]);
  const inputs = entry.inputs.filter((i) => used.has(i.value));
  return inputs.length === entry.inputs.length ? entry : { ...entry, inputs };
}

function smaller(module: Module): readonly Module[] {
  const found: Module[] = [];
  if (module.entries.length > 1) for (const i of module.entries.keys()) found.push({ ...module, entries: without(module.entries, i) });
  const read = new Set(module.entries.flatMap((e) => [...e.updates.map((u) => u.state), ...e.instructions.map((i) => i.attrs["name"])]));
  const states = module.states.filter((s) => read.has(s.name));
  if (states.length < module.states.length) found.push({ ...module, states });
  for (const [i, entry] of module.entries.entries()) {
    for (const next of candidates(entry)) found.push({ ...module, entries: module.entries.map((e, at) => (at === i ? next : e)) });
  }
  return found;
}
