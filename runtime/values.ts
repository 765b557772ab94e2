// Host values of IR types: which typed array holds a tensor, and how many bytes it takes in a slab.
import { concreteShape, elementCount, isBits, printType, type Type } from "../ir/type.ts";

/** f32 -> Float32Array, i32 -> Int32Array, u32 and everything packed (codes, masks, bools) -> Uint32Array of whole words, f16 and bf16 -> Uint16Array of their bits. */
export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Int8Array | Uint8Array;

/** An array of `count` elements of the type's storage, zeroed. */
export function newArray(type: Type, count: number): HostArray {
  return viewOf(type, new ArrayBuffer(count * elementBytes(type)));
}

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
