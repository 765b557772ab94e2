// Where the elements of a row problem lie in the packed rows of a result.
import { linearOf } from "../../ir/linear.ts";
import type { ScalarExpr } from "../../ir/scalar.ts";
import { createSimplifier } from "../../ir/simplify.ts";
import { dependsOn } from "./extract.ts";
import { elementsPerWord, type PackedStore, paddedColumns } from "./store.ts";

/**
 * Where a row's elements lie in a packed row: they are all of it; or they are one group of it, from column `base` (an expression
 * over `row`, a multiple of the elements of a word) on, the last group starting at `last`; or somewhere else.
 */
export type PackedPlace =
  | { readonly kind: "whole" }
  | { readonly kind: "group"; readonly base: ScalarExpr; readonly last: number }
  | { readonly kind: "elsewhere" };

export function packedPlaceOf(store: PackedStore): PackedPlace {
  const simplifier = createSimplifier();
  const column = simplifier.simplify(store.column);
  if (column.kind === "variable" && column.name === "column") return { kind: "whole" };
  const own = [...linearOf(column).terms].find(([term]) => term.kind === "variable" && term.name === "column");
  if (own === undefined || own[1] !== 1) return { kind: "elsewhere" };
  const base = simplifier.simplify({ kind: "binary", type: "u32", op: "sub", a: column, b: own[0] });
  const { multiple, hi } = simplifier.rangeOf(base);
  if (dependsOn(base, "column") || multiple % elementsPerWord(store.storage) !== 0) return { kind: "elsewhere" };
  return { kind: "group", base, last: hi };
}

/** Columns that a row of `columns` elements writes at most, the padding behind the last group included. */
export function writtenColumns(store: PackedStore, columns: number): number {
  const place = packedPlaceOf(store);
  const padded = paddedColumns(store.storage);
  return place.kind === "whole" ? padded : place.kind === "group" ? padded - place.last : columns;
}
