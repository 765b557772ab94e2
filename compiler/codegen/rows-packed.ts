// Packed results of row kernels: lanes put the bits of their four elements together to words by exchanges, and share out the stores.
import { linearOf } from "../../ir/linear.ts";
import type { ScalarExpr } from "../../ir/scalar.ts";
import { createSimplifier } from "../../ir/simplify.ts";
import type { Emitter } from "./emitter.ts";
import type { Exchange } from "./exchange.ts";
import { dependsOn } from "./extract.ts";
import type { RowWalk } from "./rows.ts";
import { elementsPerWord, type PackedStore, type PreparedStore, packQuad, paddedColumns } from "./store.ts";
import { add, and, bitAnd, bitOr, div, type E, eq, lt, mul, select, shiftLeft, shiftRight, size, u32 } from "./wgsl.ts";

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

/** Store one span of a packed result. `prepared`, `guards`: one for each of the lane's vectors; every lane must come here. */
export function writePackedSpan(
  emitter: Emitter,
  exchange: Exchange,
  walk: RowWalk,
  store: PackedStore,
  prepared: readonly PreparedStore[],
  guards: readonly ({ readonly first: E<"u32">; readonly below: E<"u32"> } | undefined)[],
  span: E<"u32">,
  row: ScalarExpr,
  columns: number,
): void {
  const { wgsl } = emitter;
  const { storage } = store;
  const { lanes } = walk;
  const { lane } = exchange;
  const perWord = elementsPerWord(storage) / 4;
  const bitsPerVector = 32 / perWord;
  /** Lanes that share a word, and a lane's vectors that share one (where a word is wider than all lanes' vectors). */
  const sharing = Math.min(perWord, lanes);
  const vectorsPerWord = Math.max(1, perWord / lanes);
  const place = sharing === 1 ? u32(0) : wgsl.let("place", bitAnd(lane, u32(sharing - 1)));
  const shift = sharing === 1 ? u32(0) : wgsl.let("shift", mul(place, u32(bitsPerVector)));

  const packed = prepared.map((p, j) => packQuad(emitter, p, storage, guards[j]));
  const perPlane = storage.layout === "planes" ? storage.pitch / storage.bits : storage.pitch;
  const start = wgsl.let("start", mul(emitter.scalar(prepared[0]?.row ?? row, "u32"), size(storage.pitch)));
  const spanWord = mul(span, size(walk.span / (4 * perWord)));
  const found = packedPlaceOf(store);
  let [baseWord, limit] = [spanWord, size(perPlane)];
  if (found.kind === "group") {
    const base = emitter.scalar(emitter.prepare(found.base, { row }), "u32");
    const groupWord = wgsl.let("group_word", div(base, u32(4 * perWord)));
    baseWord = add(groupWord, spanWord);
    // Only the last group may go on, into the padding.
    limit = wgsl.let("limit", select(eq(base, size(found.last)), limit, add(groupWord, size(columns / (4 * perWord)))));
  }
  const laneWord =
    perWord <= lanes && perWord > 1
      ? add(baseWord, shiftRight(lane, u32(Math.log2(perWord))))
      : perWord === 1
        ? add(baseWord, lane)
        : baseWord;
  const word = wgsl.let("word", laneWord);
  /** Words further on for the next of the lane's words. */
  const stride = (vectorsPerWord * lanes) / perWord;

  for (let plane = 0; plane < (packed[0]?.length ?? 0); plane++) {
    const words: E<"u32">[] = [];
    for (let j = 0; j < packed.length; j += vectorsPerWord) {
      let bits: E<"u32"> | undefined;
      for (let i = 0; i < vectorsPerWord; i++) {
        const own = packed[j + i]?.[plane];
        if (own === undefined) continue;
        const offset = i * lanes * bitsPerVector;
        const placed = sharing === 1 ? own : shiftLeft(own, offset === 0 ? shift : add(shift, u32(offset)));
        bits = bits === undefined ? placed : bitOr(bits, placed);
      }
      if (bits === undefined) continue;
      let whole = wgsl.let("whole", bits);
      for (let mask = 1; mask < sharing; mask *= 2) whole = wgsl.let("whole", bitOr(whole, exchange.xor(whole, mask)));
      words.push(whole);
    }
    // Every lane that shares a word has it whole: they take turns, so that one store instruction serves several words.
    for (let first = 0; first < words.length; first += sharing) {
      const turn = words.slice(first, first + sharing);
      const value = turn.reduce((chosen, w, i) => (i === 0 ? w : select(eq(place, u32(i)), w, chosen)));
      const own = sharing === 1 ? word : add(word, stride === 1 ? place : mul(place, u32(stride)));
      const at = wgsl.let("at", first === 0 ? own : add(own, u32(first * stride)));
      const inside = lt(at, limit);
      const allowed = turn.length === sharing ? inside : and(lt(place, u32(turn.length)), inside);
      wgsl.when(allowed, () => {
        const target = add(start, at);
        wgsl.write(store.binding, "u32", plane === 0 ? target : add(target, size(plane * perPlane)), value);
      });
    }
  }
}
