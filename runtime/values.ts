// Host values of IR types: which typed array holds a tensor, and how many bytes it takes in a slab.
import { concreteShape, elementCount, isBits, printType, type Type } from "../ir/type.ts";

/** f32 -> Float32Array, i32 -> Int32Array, u32 and everything packed (codes, masks, bools) -> Uint32Array of whole words, f16 and bf16 -> Uint16Array of their bits. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Int8Array | Uint8Array;

/** An array of `count` elements of the type's storage, zeroed. */
export function newArray(type: Type, count: number): HostArray {
  return viewOf(type, new ArrayBuffer(count * elementBytes(type)));
}

/** Whether an array is what holds that many elements of the type. */
export const isArrayOf = (array: HostArray, type: Type, length: number): boolean =>
  array.length === length && array.constructor === newArray(type, 0).constructor;

/** The bytes as the type's array. */
export function viewOf(type: Type, bytes: ArrayBuffer): HostArray {
  if (isBits(type) || type.kind === "codes") return new Uint32Array(bytes);
  switch (type.scalar) {
    case "f32":
      return new Float32Array(bytes);
    case "i32":
      return new Int32Array(bytes);
    case "u32":
    case "bool":
    case "b1":
      return new Uint32Array(bytes);
    case "f16":
    case "bf16":
      return new Uint16Array(bytes);
    case "i8":
      return new Int8Array(bytes);
    case "u8":
      return new Uint8Array(bytes);
    default:
      return type.scalar satisfies never;
  }
}

/** Bytes of one element of dense storage; of one word of packed storage. */
export function elementBytes(type: Type): number {
  if (type.kind === "codes") return 4;
  switch (type.scalar) {
    case "f16":
    case "bf16":
      return 2;
    case "i8":
    case "u8":
      return 1;
    default:
      return 4;
  }
}

/** Elements that the host sees of a tensor in `byteLength` bytes of a slab: the tensor's own where it is dense, every word where it is packed. */
export function hostLength(type: Type, byteLength: number): number {
  return isBits(type) ? byteLength / 4 : elementCount(boundShape(type));
}

/** Rows of i8 and u8 start at multiples of this many bytes on the adapter, as packed values do; on the host they are dense. */
const rowAlignment = 16;
const isByte = (type: Type): boolean => type.kind === "tensor" && (type.scalar === "i8" || type.scalar === "u8");

/** Bytes of a tensor on the adapter that a place of `byteLength` bytes holds: those of the host's array, or more where rows are padded. */
export const storedBytes = (type: Type, byteLength: number): number =>
  isByte(type) ? byteLength : hostLength(type, byteLength) * elementBytes(type);

/** A host array as its bytes lie on the adapter. */
export function toStored(type: Type, values: HostArray): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  return isByte(type) ? movedRows(type, bytes, "padded") : bytes;
}

/** The host array of what lies on the adapter. */
export function fromStored(type: Type, bytes: ArrayBuffer): HostArray {
  return viewOf(type, isByte(type) ? movedRows(type, new Uint8Array(bytes), "dense").buffer : bytes);
}

/** Put what lies on the adapter into a host array. */
export function copyStored(type: Type, stored: Uint8Array, into: HostArray): void {
  new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(isByte(type) ? movedRows(type, stored, "dense") : stored);
}

function movedRows(type: Type, bytes: Uint8Array, to: "padded" | "dense"): Uint8Array<ArrayBuffer> {
  const columns = boundShape(type).at(-1) ?? 1;
  const pitch = Math.ceil(columns / rowAlignment) * rowAlignment;
  const rows = elementCount(boundShape(type)) / columns;
  const [from, into] = to === "padded" ? [columns, pitch] : [pitch, columns];
  const out = new Uint8Array(rows * into);
  for (let row = 0; row < rows; row++) out.set(bytes.subarray(row * from, row * from + columns), row * into);
  return out;
}

/** Copies and writes move whole 32-bit words; places in slabs are padded to 16 bytes, so there is room for the last one. */
export const wholeWords = (byteLength: number): number => Math.ceil(byteLength / 4) * 4;

/** The array's own name in messages. */
export const arrayName = (type: Type): string => newArray(type, 0).constructor.name;

export function boundShape(type: Type): readonly number[] {
  return concreteShape(type) ?? missing(type);
}

function missing(type: Type): never {
  throw new Error(`unbound dimension in ${printType(type)}`);
}
