// Stores of a problem: dense ones as vectors where four elements lie together, packed ones as whole 32-bit words.
import type { Store } from "../../ir/plan.ts";
import { type DenseScalar, loadedAs, type ScalarExpr, type Storage } from "../../ir/scalar.ts";
import type { Emitter } from "./emitter.ts";
import {
  add,
  bitAnd,
  bitcast,
  bitOr,
  component,
  type E,
  type Lane,
  lanes,
  lt,
  mul,
  select,
  shiftLeft,
  shiftRight,
  splat,
  u32,
} from "./wgsl.ts";

export type Packed = Extract<Storage, { kind: "packed" }>;
export type PackedStore = Store & { readonly storage: Packed };
export const isPacked = (store: Store): store is PackedStore => store.storage.kind === "packed";

/** A store's expressions over a kernel's variables. */
export interface PreparedStore {
  readonly store: Store;
  readonly row: ScalarExpr;
  readonly column: ScalarExpr;
  readonly value: ScalarExpr;
}

export function prepareStore(
  emitter: Emitter,
  store: Store,
  variables: Readonly<Record<string, ScalarExpr>>,
  inputs: readonly ScalarExpr[] = [],
): PreparedStore {
  const column = emitter.prepare(store.column, variables, inputs);
  emitter.vectorIndex(column);
  // Storing rounds.
  const { storage } = store;
  const rounds = storage.kind === "dense" && storage.scalar === "f16" && store.value.kind === "unary" && store.value.op === "to_f16";
  const value = rounds ? store.value.a : store.value;
  return { store, row: emitter.prepare(store.row, variables, inputs), column, value: emitter.prepare(value, variables, inputs) };
}

/** Compute the values of dense stores of one element; the stores are written by the function that is answered, so that loads come first. */
export function storeElement(emitter: Emitter, { store, column, value }: PreparedStore): () => void {
  const { wgsl } = emitter;
  const scalar = denseScalar(store);
  const at = wgsl.settle("at", emitter.scalar(column, "u32"));
  const out = wgsl.settle("out", emitter.scalar(value, loadedAs[scalar]));
  return () => wgsl.write(store.binding, scalar, at, out);
}

/** As {@link storeElement} for four elements. `within`: only elements below this position along the quad are stored (undefined: all). */
export function storeQuad(
  emitter: Emitter,
  prepared: PreparedStore,
  within?: { readonly first: E<"u32">; readonly below: E<"u32"> },
): () => void {
  const { wgsl } = emitter;
  const { store, column, value } = prepared;
  const scalar = denseScalar(store);
  const index = within === undefined ? emitter.vectorIndex(column) : undefined;
  if (index !== undefined) {
    const at = wgsl.settle("at", emitter.scalar(index, "u32"));
    const out = wgsl.settle("out", emitter.vector(value, loadedAs[scalar]));
    return () => wgsl.write4(store.binding, scalar, at, out);
  }
  const out = wgsl.settle("out", emitter.vector(value, loadedAs[scalar]));
  const places = lanes.map((lane) => wgsl.settle("at", emitter.scalar(emitter.at(column, lane), "u32")));
  return () => {
    for (const lane of lanes) {
      const at = places[lane];
      if (at === undefined) throw new Error("four places");
      const write = () => wgsl.write(store.binding, scalar, at, component(out, lane));
      if (within === undefined) write();
      else wgsl.when(lt(lane === 0 ? within.first : add(within.first, u32(lane)), within.below), write);
    }
  };
}

function denseScalar(store: Store): DenseScalar {
  if (store.storage.kind !== "dense") throw new Error("a packed store reached the writer of dense ones");
  return store.storage.scalar;
}

/** Elements of a packed row that go into the words that one group of lanes completes together: 32 / bits, or 32 for planes. */
export const elementsPerWord = ({ bits, layout }: Packed): number => (layout === "planes" ? 32 : 32 / bits);
/** Columns that a packed row covers with its padding, which is written as zeros. */
export const paddedColumns = ({ bits, layout, pitch }: Packed): number => (layout === "planes" ? (pitch / bits) * 32 : (pitch * 32) / bits);
/** Words that take part in one element: 1, or one a plane. */
export const wordsPerElement = ({ bits, layout }: Packed): number => (layout === "planes" ? bits : 1);

/**
 * The bits of four codes, low end first, as they lie in memory: one u32 for a linear layout, one a plane for planes.
 * Elements that are not `kept` give zero bits.
 */
export function packQuad(emitter: Emitter, prepared: PreparedStore, storage: Packed, kept?: E<"vec4b">): readonly E<"u32">[] {
  const { wgsl } = emitter;
  const raw = rawCodes(emitter, prepared, storage);
  const codes = wgsl.settle("codes", kept === undefined ? raw : select(kept, raw, splat(u32(0))));
  const join = (of: (lane: Lane) => E<"u32">, bits: number) =>
    lanes.map((lane) => (lane === 0 ? of(0) : shiftLeft(of(lane), u32(lane * bits)))).reduce((a, b) => bitOr(a, b));
  if (storage.layout === "linear")
    return [
      wgsl.let(
        "bits",
        join((lane) => component(codes, lane), storage.bits),
      ),
    ];
  if (storage.bits === 1)
    return [
      wgsl.let(
        "bits",
        join((lane) => component(codes, lane), 1),
      ),
    ];
  // A byte for each code; a plane's four bits, 8 apart, then move to the top by one multiplication: bit 8 i to bit 28 + i, and no two others meet.
  const bytes = Array.from({ length: Math.ceil(storage.bits / 8) }, (_, byte) =>
    wgsl.let(
      "bytes",
      join((lane) => (storage.bits <= 8 ? component(codes, lane) : byteOf(component(codes, lane), byte)), 8),
    ),
  );
  return Array.from({ length: storage.bits }, (_, plane) => {
    const [from = u32(0), place] = [bytes[plane >>> 3], plane & 7];
    const apart = bitAnd(place === 0 ? from : shiftRight(from, u32(place)), u32(0x01010101));
    return wgsl.let("bits", shiftRight(mul(apart, u32(0x10204080)), u32(28)));
  });
}

const byteOf = (code: E<"u32">, byte: number): E<"u32"> => bitAnd(byte === 0 ? code : shiftRight(code, u32(8 * byte)), u32(255));

/** An expression that is shorter and agrees in the lowest bits, which are all that is stored. */
function lowBitsOf(e: ScalarExpr, bits: number): ScalarExpr {
  return e.kind === "binary" && e.op === "sub" && e.type === "i32" && e.b.kind === "const" && e.b.value % 2 ** bits === 0 ? e.a : e;
}

/** Codes as unsigned numbers below 2^bits: two's complement, or q + 2^(bits-1) for planes. */
function rawCodes(emitter: Emitter, { value }: PreparedStore, storage: Packed): E<"vec4u"> {
  const { bits, layout } = storage;
  const { type } = value;
  switch (type) {
    case "bool":
      return select(emitter.vector(value, "bool"), splat(u32(1)), splat(u32(0)));
    case "i32": {
      const codes = bitcast("vec4u", emitter.vector(lowBitsOf(value, bits), "i32"));
      return bitAnd(layout === "planes" ? add(codes, splat(u32(2 ** (bits - 1)))) : codes, splat(u32(2 ** bits - 1)));
    }
    case "u32": {
      const codes = emitter.vector(value, "u32");
      return bitAnd(layout === "planes" ? add(codes, splat(u32(2 ** (bits - 1)))) : codes, splat(u32(2 ** bits - 1)));
    }
    case "f32":
      throw new Error("a float cannot be stored as codes");
    default:
      return type satisfies never;
  }
}
