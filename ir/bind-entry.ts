// An entry with names of sizes replaced by numbers: what is lowered once for any length becomes entries for some lengths.
import { isFromResult } from "./attribute.ts";
import type { Dim } from "./dim.ts";
import type { Entry, Value } from "./module.ts";
import { bindType, type Type } from "./type.ts";

/** The same entry with its dims bound; names without a binding stay. Attributes other than types hold no names. */
export function bindEntry(entry: Entry, bindings: ReadonlyMap<string, Dim>): Entry {
  const values = new Map<Value, Value>();
  const bound = (value: Value): Value => {
    const known = values.get(value);
    if (known !== undefined) return known;
    const made: Value = { ...value, type: bindType(value.type, bindings) };
    values.set(value, made);
    return made;
  };
  return {
    ...entry,
    inputs: entry.inputs.map((input) => ({ ...input, value: bound(input.value) })),
    instructions: entry.instructions.map((instruction) => {
      const { op, attrs, operands, results } = instruction;
      const given = Object.entries(attrs).map(([name, value]) => {
        const kind = op.signature.attrs[name];
        return [name, kind !== undefined && isFromResult(kind) ? bindType(value as Type, bindings) : value] as const;
      });
      return { ...instruction, attrs: Object.fromEntries(given), operands: operands.map(bound), results: results.map(bound) };
    }),
    outputs: entry.outputs.map((output) => ({ ...output, value: bound(output.value) })),
    updates: entry.updates.map((update) => ({ ...update, value: bound(update.value) })),
  };
}
