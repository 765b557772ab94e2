// Tensors of the reference interpreter: typed arrays with strides.
import { elementCount, type Scalar, type Type } from "./type.ts";

/**
 * f32 and narrower floats lie in Float64Array (`wide` mode, for gradient checks) or Float32Array (`f32` mode, every op's
 * result rounded, for comparison with WGSL); integers and codes in Int32Array or Uint32Array; bool and b1 in Uint8Array (0 or 1).
 */
export type TensorData = Float64Array | Float32Array | Int32Array | Uint32Array | Uint8Array;

/** `wide`: floats in f64. `f32`: floats rounded to f32 after every op. */
export type Precision = "wide" | "f32";

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
  /** In elements, one per axis; 0 on a broadcast axis. */
  readonly strides: readonly number[];
  readonly offset: number;
}

export function rowMajorStrides(shape: readonly number[]): readonly number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis] ?? 1;
  }
  return strides;
}

export function denseTensor(shape: readonly number[], data: TensorData): Tensor {
  if (data.length !== elementCount(shape)) throw new Error(`${data.length} elements for shape [${shape.join(", ")}]`);
  return { shape, data, strides: rowMajorStrides(shape), offset: 0 };
}

/** One element, the same everywhere. */
export function splatTensor(shape: readonly number[], data: TensorData): Tensor {
  return { shape, data, strides: shape.map(() => 0), offset: 0 };
}

function isDense(t: Tensor): boolean {
  const strides = rowMajorStrides(t.shape);
  return t.offset === 0 && t.data.length === elementCount(t.shape) && t.strides.every((s, i) => s === strides[i] || t.shape[i] === 1);
}

/** New zeroed storage for n elements of a type. */
export function allocate(type: Type | Scalar, n: number, precision: Precision): TensorData {
  const scalar = typeof type === "string" ? type : type.kind === "codes" ? "i32" : type.scalar;
  switch (scalar) {
    case "f32":
    case "f16":
    case "bf16":
      return precision === "wide" ? new Float64Array(n) : new Float32Array(n);
    case "i32":
    case "i8":
      return new Int32Array(n);
    case "u32":
    case "u8":
      return new Uint32Array(n);
    case "bool":
    case "b1":
      return new Uint8Array(n);
    default:
      return scalar satisfies never;
  }
}

/** The elements in row-major order, without strides; the same storage where it is dense already. */
export function contiguous(t: Tensor): TensorData {
  if (isDense(t)) return t.data;
  const out = new (t.data.constructor as new (n: number) => TensorData)(elementCount(t.shape));
  copyRange(t, 0, out);
  return out;
}

/** Fill `into` with the elements from number `start` on, in row-major order. */
export function copyRange(t: Tensor, start: number, into: TensorData): void {
  const rank = t.shape.length;
  if (isDense(t)) {
    into.set(t.data.subarray(start, start + into.length));
    return;
  }
  const index = new Array<number>(rank).fill(0);
  let at = t.offset;
  for (let axis = rank - 1, rest = start; axis >= 0; axis--) {
    const size = t.shape[axis] ?? 1;
    index[axis] = rest % size;
    at += (rest % size) * (t.strides[axis] ?? 0);
    rest = Math.floor(rest / size);
  }
  const last = rank - 1;
  const innerSize = t.shape[last] ?? 1;
  const innerStride = t.strides[last] ?? 0;
  for (let i = 0; i < into.length; ) {
    // A run along the last axis, then a carry into the others.
    const run = Math.min(into.length - i, innerSize - (index[last] ?? 0));
    for (let j = 0; j < run; j++) into[i + j] = t.data[at + j * innerStride] ?? 0;
    i += run;
    at += run * innerStride;
    index[last] = (index[last] ?? 0) + run;
    for (let axis = last; axis >= 0 && index[axis] === t.shape[axis]; axis--) {
      index[axis] = 0;
      at -= (t.shape[axis] ?? 1) * (t.strides[axis] ?? 0);
      if (axis > 0) {
        index[axis - 1] = (index[axis - 1] ?? 0) + 1;
        at += t.strides[axis - 1] ?? 0;
      }
    }
  }
}
