// Which inputs of an entry choose rows of a table, and of how many: data with a larger number must be refused before a run, since a kernel cannot.
import type { Entry, Value } from "../../ir/module.ts";
import { gather } from "../../ir/ops/indexing.ts";

/** For values whose numbers choose rows, directly or through views: the number of rows of the smallest table. */
export function rowChoices(entry: Entry): ReadonlyMap<Value, number> {
  const rows = new Map<Value, number>();
  const limit = (value: Value | undefined, size: unknown) => {
    if (value !== undefined && typeof size === "number") rows.set(value, Math.min(size, rows.get(value) ?? size));
  };
  // Uses stand behind definitions, so one walk from the end sees through every chain of views.
  for (const { op, operands, results } of entry.instructions.toReversed()) {
    const [first, second] = operands;
    if (op.signature.name === gather.name) limit(second, first?.type.dims[0]);
    else if (op.lower.kind === "view") for (const result of results) limit(first, rows.get(result));
  }
  return rows;
}
