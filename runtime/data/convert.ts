// Arrays of files as arrays of a recipe: every element keeps its value, or the file is refused.
import { Rejection } from "../../ir/diagnostic.ts";
import { halfValue } from "../../ir/half.ts";
import type { Dtype, SavedTensor } from "../weights.ts";

/**
 * A tensor of a file as f32 or i32. What changes no value is done; anything else throws a {@link Rejection} that names the element.
 * - to f32: F32, F16 and BF16 as they are; F64 rounded to the nearest f32 (the one inexact conversion), refused where a finite number would become
 *   infinite; integers and BOOL as the same number, refused where f32 has no such number. Nothing is scaled: U8 gives 0 to 255.
 * - to i32: integers and BOOL, refused outside i32; never floats.
 */
export function convert({ dtype, shape, bytes }: SavedTensor, to: "f32" | "i32"): Float32Array | Int32Array {
  const count = shape.reduce((n, size) => n * size, 1);
  const read = readers[dtype];
  if (to === "i32" && read.isFloat)
    throw new Rejection(`${dtype} is not turned into i32`, ["write the file with whole numbers: `x.astype(numpy.int32)`"]);
  // Files have their elements at any offset.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = to === "f32" ? new Float32Array(count) : new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = read.at(view, i);
    out[i] = value;
    const kept = out[i] ?? 0;
    const isSame = read.isFloat ? Number.isFinite(kept) || !Number.isFinite(value) : kept === value && Number.isSafeInteger(value);
    if (!isSame) throw new Rejection(`element ${i} is ${value}, which ${to} does not hold`);
  }
  return out;
}

interface Reader {
  readonly isFloat: boolean;
  readonly at: (view: DataView, index: number) => number;
}
const float = (at: Reader["at"]): Reader => ({ isFloat: true, at });
const whole = (at: Reader["at"]): Reader => ({ isFloat: false, at });

const readers: Readonly<Record<Dtype, Reader>> = {
  F64: float((view, i) => view.getFloat64(8 * i, true)),
  F32: float((view, i) => view.getFloat32(4 * i, true)),
  F16: float((view, i) => halfValue(view.getUint16(2 * i, true))),
  BF16: float((view, i) => bfloatValue(view.getUint16(2 * i, true))),
  // Rounded beyond 2^53, where `convert` takes none.
  I64: whole((view, i) => view.getInt32(8 * i + 4, true) * 2 ** 32 + view.getUint32(8 * i, true)),
  I32: whole((view, i) => view.getInt32(4 * i, true)),
  U32: whole((view, i) => view.getUint32(4 * i, true)),
  I16: whole((view, i) => view.getInt16(2 * i, true)),
  U16: whole((view, i) => view.getUint16(2 * i, true)),
  I8: whole((view, i) => view.getInt8(i)),
  U8: whole((view, i) => view.getUint8(i)),
  BOOL: whole((view, i) => (view.getUint8(i) === 0 ? 0 : 1)),
};

const word = new DataView(new ArrayBuffer(4));
/** The upper half of an f32. */
function bfloatValue(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}
