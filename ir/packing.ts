// How values lie in buffers: the one packing rule of kernels, files and tests, and the sizes that follow from it.
// 32-bit scalars and f16 are dense. Codes, i8, u8 and bits are packed into rows along the last axis, padded with zero bits to 16 bytes.
import { reject } from "./diagnostic.ts";
import { halfBits, halfValue } from "./half.ts";
import { type DenseScalar, denseBytes, type Storage } from "./scalar.ts";
import { type CodesType, elementCount, printType, shapeOf, type Type } from "./type.ts";

export type PackedStorage = Extract<Storage, { kind: "packed" }>;
export type PackedLayout = PackedStorage["layout"];

/** Buffers and rows are multiples of this many bytes. */
const alignment = 16;
const alignmentWords = alignment / 4;

/** `linear` where a code never crosses a word, else `planes`. */
const defaultLayout = (bits: number): PackedLayout => (32 % bits === 0 ? "linear" : "planes");

/** 32-bit words of one row. */
export function rowPitch(bits: number, columns: number, layout: PackedLayout = defaultLayout(bits)): number {
  const padded = (words: number) => Math.ceil(words / alignmentWords) * alignmentWords;
  return layout === "linear" ? padded(Math.ceil((columns * bits) / 32)) : bits * padded(Math.ceil(columns / 32));
}

/** Storage of a value. Needs concrete dims; rejects scalars that have no storage yet, and codes too wide for their layout. */
export function storageOf(type: Type): Storage {
  if (type.kind === "codes") {
    const { bits, layout } = codeFields(type);
    return packed(type, bits, true, layout);
  }
  switch (type.scalar) {
    case "f32":
    case "f16":
    case "i32":
    case "u32":
      return { kind: "dense", scalar: type.scalar };
    case "i8":
    case "u8":
      return packed(type, 8, type.scalar === "i8");
    case "bool":
    case "b1":
      return packed(type, 1, false);
    case "bf16":
      return reject(`${type.scalar} has no storage yet, in ${printType(type)}`);
    default:
      return type.scalar satisfies never;
  }
}

/** The fields that hold codes, whatever the dims. Rejects codes that their layout is too narrow for. */
export function codeFields({ bits, layout }: Pick<CodesType, "bits" | "layout">): {
  readonly bits: number;
  readonly layout: PackedLayout;
} {
  if (layout === undefined || layout === "planes") return { bits, layout: layout ?? defaultLayout(bits) };
  const width = layout === "nibbles" ? 4 : 8;
  return bits <= width ? { bits: width, layout: "linear" } : reject(`codes of ${bits} bits do not fit ${layout}`);
}

function packed(type: Type, bits: number, signed: boolean, layout = defaultLayout(bits)): PackedStorage {
  const columns = shapeOf(type).at(-1) ?? 1;
  return { kind: "packed", bits, layout, pitch: rowPitch(bits, columns, layout), signed };
}

/** Rows and columns of a value as packing sees it: the last axis is a row, a scalar is one row of one. */
function rowsOf(type: Type): { readonly rows: number; readonly columns: number } {
  const shape = shapeOf(type);
  return { rows: elementCount(shape.slice(0, -1)), columns: shape.at(-1) ?? 1 };
}

/** Bytes that a value's elements take: 4 for f32[], 2 for f16[]. Rows of packed values are whole. */
export function byteLength(type: Type): number {
  const storage = storageOf(type);
  return storage.kind === "dense" ? denseBytes[storage.scalar] * elementCount(shapeOf(type)) : 4 * storage.pitch * rowsOf(type).rows;
}

/** Bytes of a buffer that holds a value: {@link byteLength}, padded to 16. */
export const bufferBytes = (type: Type): number => Math.ceil(byteLength(type) / alignment) * alignment;

/** The code (or bit) at a place. */
export function readPacked(words: Uint32Array, storage: PackedStorage, row: number, column: number): number {
  const { bits, layout, pitch, signed } = storage;
  if (layout === "linear") {
    const code = ((words[row * pitch + Math.floor((column * bits) / 32)] ?? 0) >>> ((column * bits) % 32)) & (2 ** bits - 1);
    return signed && code >= 2 ** (bits - 1) ? code - 2 ** bits : code;
  }
  let code = 0;
  for (let plane = 0; plane < bits; plane++) {
    const word = words[row * pitch + plane * (pitch / bits) + (column >>> 5)] ?? 0;
    code |= ((word >>> (column & 31)) & 1) << plane;
  }
  return signed ? code - 2 ** (bits - 1) : code;
}

/** Set the code at a place whose bits are 0. */
export function writePacked(words: Uint32Array, storage: PackedStorage, row: number, column: number, code: number): void {
  const { bits, layout, pitch, signed } = storage;
  if (layout === "linear") {
    const at = row * pitch + Math.floor((column * bits) / 32);
    words[at] = (words[at] ?? 0) | ((code & (2 ** bits - 1)) << ((column * bits) % 32));
    return;
  }
  const raised = signed ? code + 2 ** (bits - 1) : code;
  for (let plane = 0; plane < bits; plane++) {
    const at = row * pitch + plane * (pitch / bits) + (column >>> 5);
    words[at] = (words[at] ?? 0) | (((raised >>> plane) & 1) << (column & 31));
  }
}

/** A buffer of {@link bufferBytes} with a value's elements, given in row-major order. */
export function packValues(type: Type, values: ArrayLike<number>): ArrayBuffer {
  const buffer = new ArrayBuffer(bufferBytes(type));
  const storage = storageOf(type);
  if (storage.kind === "dense") {
    denseView(storage.scalar, buffer).set(storage.scalar === "f16" ? Array.from(values, halfBits) : values);
    return buffer;
  }
  const words = new Uint32Array(buffer);
  const { rows, columns } = rowsOf(type);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) writePacked(words, storage, row, column, values[row * columns + column] ?? 0);
  }
  return buffer;
}

/** The elements of a value in row-major order, from its buffer. Bits come as 0 and 1. */
export function unpackValues(type: Type, buffer: ArrayBufferLike, byteOffset = 0): Float32Array | Int32Array | Uint32Array | Uint8Array {
  const storage = storageOf(type);
  if (storage.kind === "dense") {
    const view = denseView(storage.scalar, buffer, byteOffset, elementCount(shapeOf(type)));
    return view instanceof Uint16Array ? Float32Array.from(view, halfValue) : view.slice();
  }
  const words = new Uint32Array(buffer, byteOffset, byteLength(type) / 4);
  const { rows, columns } = rowsOf(type);
  const count = rows * columns;
  const out =
    storage.bits === 1 && !storage.signed ? new Uint8Array(count) : storage.signed ? new Int32Array(count) : new Uint32Array(count);
  for (let i = 0; i < count; i++) out[i] = readPacked(words, storage, Math.floor(i / columns), i % columns);
  return out;
}

/** A buffer's elements as a scalar type; of f16 the bits. */
export function denseView(
  scalar: DenseScalar,
  buffer: ArrayBufferLike,
  byteOffset = 0,
  length?: number,
): Float32Array | Int32Array | Uint32Array | Uint16Array {
  switch (scalar) {
    case "f16":
      return new Uint16Array(buffer, byteOffset, length);
    case "f32":
      return new Float32Array(buffer, byteOffset, length);
    case "i32":
      return new Int32Array(buffer, byteOffset, length);
    case "u32":
      return new Uint32Array(buffer, byteOffset, length);
    default:
      return scalar satisfies never;
  }
}
