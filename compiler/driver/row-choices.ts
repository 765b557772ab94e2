// Which inputs of an entry choose rows of a table, and of how many: data with a larger number must be refused before a run, since a kernel cannot.
import type { Entry, Value } from "../../ir/module.ts";
import { sub } from "../../ir/ops/arithmetic.ts";
import { gather } from "../../ir/ops/indexing.ts";
import { stateRead } from "../../ir/ops/source.ts";
import { pieceOf, type StatePiece } from "../../ir/state-piece.ts";

/** For values whose numbers choose rows, directly or through views: the number of rows of the smallest table. */
export function rowChoices(entry: Entry): ReadonlyMap<Value, number> {
  const producers = new Map(entry.instructions.flatMap((i) => i.results.map((result) => [result, i] as const)));
  const piece = (table: Value | undefined): StatePiece | undefined => {
    const read = table === undefined ? undefined : producers.get(table);
    return read?.op.signature.name === stateRead.name ? pieceOf(String(read.attrs["name"])) : undefined;
  };
  const rows = new Map<Value, number>();
  const wholes = new Map<Value, Map<string, number>>();
  const limit = (value: Value | undefined, size: unknown) => {
    if (value !== undefined && typeof size === "number") rows.set(value, Math.min(size, rows.get(value) ?? size));
  };
  // Uses stand behind definitions, so one walk from the end sees through every chain of views.
  for (const { op, operands, results } of entry.instructions.toReversed()) {
    const [first, second] = operands;
    const found = piece(first);
    if (op.signature.name === gather.name && found !== undefined && second !== undefined) {
      // `split-rows` looks for an id, less the piece's first row, in every piece of a table: the last one says how many rows there are.
      const shifted = producers.get(second);
      const ids = found.first > 0 && shifted?.op.signature.name === sub.name ? (shifted.operands[0] ?? second) : second;
      const ends = wholes.get(ids) ?? new Map<string, number>();
      wholes.set(ids, ends.set(found.of, Math.max(found.end, ends.get(found.of) ?? 0)));
    } else if (op.signature.name === gather.name) limit(second, first?.type.dims[0]);
    for (const result of results) for (const end of wholes.get(result)?.values() ?? []) limit(result, end);
    if (op.lower.kind === "view") for (const result of results) limit(first, rows.get(result));
  }
  for (const { value } of entry.inputs) for (const end of wholes.get(value)?.values() ?? []) limit(value, end);
  return rows;
}
