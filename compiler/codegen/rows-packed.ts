// Packed results of row kernels. A lane completes the words that its own elements fill, four of which are one store; where a word is wider than a
// lane's share of a span, neighbours put it together by exchanges and take turns in storing.
import type { ScalarExpr } from "../../ir/scalar.ts";
import { createSimplifier } from "../../ir/simplify.ts";
import type { Emitter } from "./emitter.ts";
import type { Exchange } from "./exchange.ts";
import { packedPlaceOf } from "./packed-place.ts";
import type { RowWalk } from "./rows-walk.ts";
import { elementsPerWord, type PackedStore, type PreparedStore, packQuad, paddedColumns } from "./store.ts";
import { add, bitAnd, bitOr, div, type E, eq, four, lt, mul, select, shiftLeft, shiftRight, size, u32, type Wgsl } from "./wgsl.ts";

export interface PackedRowOptions {
  readonly store: PackedStore;
  readonly row: ScalarExpr;
  /** Elements of the row. */
  readonly columns: number;
  /** Whether this team's row exists; undefined where it always does. */
  readonly exists: E<"bool"> | undefined;
}

/** One packed result of one row, span by span. Every lane of the team must come to each call, because lanes exchange bits. */
export class PackedRow {
  readonly #emitter: Emitter;
  readonly #wgsl: Wgsl;
  readonly #exchange: Exchange;
  readonly #walk: RowWalk;
  readonly #store: PackedStore;
  readonly #exists: E<"bool"> | undefined;
  /** Words (or groups of four words) that one store instruction of a lane writes. */
  readonly #together: 1 | 4;
  /** Words of a plane (of the row, where there are no planes), and where they start, both counted in `#together`. */
  readonly #perPlane: number;
  readonly #start: E<"u32">;
  /** The first place of the row's own elements, counted from `#start`, and the end of what may be written, where that must be checked. */
  readonly #base: E<"u32"> | undefined;
  readonly #limit: E<"u32"> | undefined;
  /** Words that lanes have in common, one for each plane and span, not stored yet. */
  #shared: { readonly span: E<"u32">; readonly planes: readonly E<"u32">[] }[] = [];

  constructor(emitter: Emitter, exchange: Exchange, walk: RowWalk, { store, row, columns, exists }: PackedRowOptions) {
    const { wgsl } = emitter;
    this.#emitter = emitter;
    this.#wgsl = wgsl;
    this.#exchange = exchange;
    this.#walk = walk;
    this.#store = store;
    this.#exists = exists;
    const { storage } = store;
    const perWord = elementsPerWord(storage);
    const place = packedPlaceOf(store);
    const grain = place.kind === "group" ? createSimplifier().rangeOf(place.base).multiple : 0;
    // All ends of what is written, and so all starts, must lie between vectors of four words.
    const aligned = place.kind === "whole" || (grain % (4 * perWord) === 0 && columns % (4 * perWord) === 0);
    this.#together = aligned && this.#ownWords % 4 === 0 ? 4 : 1;
    const unit = this.#together * perWord;
    this.#perPlane = paddedColumns(storage) / unit;
    const storedRow = emitter.scalar(emitter.prepare(store.row, { row }), "u32");
    this.#start = wgsl.let("start", mul(storedRow, size(storage.pitch / this.#together)));
    if (place.kind === "group") {
      const base = emitter.scalar(emitter.prepare(place.base, { row }), "u32");
      this.#base = wgsl.let("base", div(base, u32(unit)));
      // Only the last group may go on, into the padding.
      const end = add(this.#base, size(Math.ceil(columns / unit)));
      this.#limit = wgsl.let("limit", select(eq(base, size(place.last)), size(this.#perPlane), end));
    } else if (walk.storedSpans * walk.span !== paddedColumns(storage)) this.#limit = size(this.#perPlane);
  }

  /** Whole words of one lane in one span; below 1 where lanes share a word. */
  get #ownWords(): number {
    return (4 * this.#walk.vectors) / elementsPerWord(this.#store.storage);
  }

  /** `prepared`, `kept`: one for each of the lane's vectors of the span; what is not kept gives zero bits. */
  take(prepared: readonly PreparedStore[], kept: readonly (E<"vec4b"> | undefined)[], span: E<"u32">): void {
    const { storage } = this.#store;
    const quads = prepared.map((p, j) => packQuad(this.#emitter, p, storage, kept[j]));
    const planes = storage.layout === "planes" ? storage.bits : 1;
    const perPlane = (plane: number) => quads.map((q) => q[plane] ?? u32(0));
    const width = storage.layout === "planes" ? 4 : 4 * storage.bits;
    if (this.#ownWords >= 1) {
      for (let plane = 0; plane < planes; plane++) this.#writeOwn(joined(perPlane(plane), width), plane, span);
      return;
    }
    const sharing = 1 / this.#ownWords;
    const shift = mul(this.#place(sharing), u32(width * quads.length));
    const words = Array.from({ length: planes }, (_, plane) => {
      const [own = u32(0)] = joined(perPlane(plane), width);
      let word = this.#wgsl.let("word", shiftLeft(own, shift));
      for (let mask = 1; mask < sharing; mask *= 2) word = this.#wgsl.let("word", bitOr(word, this.#exchange.xor(word, mask)));
      return word;
    });
    this.#shared.push({ span, planes: words });
    if (this.#shared.length === sharing) this.finish();
  }

  /** Store what waits for more spans. */
  finish(): void {
    const [first] = this.#shared;
    if (first === undefined) return;
    const spans = this.#shared;
    this.#shared = [];
    const sharing = 1 / this.#ownWords;
    const place = this.#place(sharing);
    const perSpan = this.#walk.lanes / sharing;
    // Every lane that shares a word has it whole: they take turns, so that one store instruction serves several spans.
    const inSpan =
      sharing === this.#walk.lanes ? place : add(shiftRight(this.#exchange.lane, u32(Math.log2(sharing))), mul(place, u32(perSpan)));
    const at = this.#wgsl.let("at", this.#fromBase(add(mul(first.span, u32(perSpan)), inSpan)));
    for (let plane = 0; plane < first.planes.length; plane++) {
      const value = spans.map(({ planes }) => planes[plane] ?? u32(0)).reduce((chosen, word, i) => select(eq(place, u32(i)), word, chosen));
      const turn = spans.length === sharing ? undefined : lt(place, u32(spans.length));
      this.#write(at, plane, turn, (index) => this.#wgsl.write(this.#store.binding, "u32", index, value));
    }
  }

  #place(sharing: number): E<"u32"> {
    return bitAnd(this.#exchange.lane, u32(sharing - 1));
  }

  #writeOwn(words: readonly E<"u32">[], plane: number, span: E<"u32">): void {
    const wgsl = this.#wgsl;
    const own = words.length / this.#together;
    const at = wgsl.let("at", this.#fromBase(mul(add(mul(span, u32(this.#walk.lanes)), this.#exchange.lane), u32(own))));
    for (let i = 0; i < own; i++) {
      const value = (lane: number) => words[i * this.#together + lane] ?? u32(0);
      this.#write(i === 0 ? at : add(at, u32(i)), plane, undefined, (index) => {
        if (this.#together === 4) wgsl.write4(this.#store.binding, "u32", index, four<"u32">(value));
        else wgsl.write(this.#store.binding, "u32", index, value(0));
      });
    }
  }

  #fromBase(at: E<"u32">): E<"u32"> {
    return this.#base === undefined ? at : add(this.#base, at);
  }

  #write(at: E<"u32">, plane: number, turn: E<"bool"> | undefined, write: (index: E<"u32">) => void): void {
    const inside = this.#limit === undefined ? undefined : lt(at, this.#limit);
    this.#wgsl.whenAll([this.#exists, turn, inside], () =>
      write(add(this.#start, plane === 0 ? at : add(at, size(plane * this.#perPlane)))),
    );
  }
}

/** Bits of vectors, `width` each, one behind the other in words. */
function joined(bits: readonly E<"u32">[], width: number): readonly E<"u32">[] {
  const perWord = 32 / width;
  const words: E<"u32">[] = [];
  for (const [i, own] of bits.entries()) {
    const shift = (i % perWord) * width;
    const before = words.at(-1);
    if (shift === 0 || before === undefined) words.push(own);
    else words[words.length - 1] = bitOr(before, shiftLeft(own, u32(shift)));
  }
  return words;
}
