// Typed tensors written down in tests, and random ones from a seed.
import type { TypedTensor } from "../../../ir/evaluate-op.ts";
import { allocate, contiguous, denseTensor } from "../../../ir/tensor.ts";
import { codes, elementCount, type Grid, type Scalar, type Type, tensor } from "../../../ir/type.ts";

export function value(type: Type, values: readonly number[]): TypedTensor {
  const shape = type.dims as readonly number[];
  const data = allocate(type, elementCount(shape), "wide");
  if (values.length !== data.length) throw new Error(`${values.length} values for ${data.length} elements`);
  data.set(values);
  return { type, tensor: denseTensor(shape, data) };
}

const of =
  (scalar: Scalar) =>
  (shape: readonly number[], values: readonly number[]): TypedTensor =>
    value(tensor(scalar, shape), values);
export const f32 = of("f32");
export const f16 = of("f16");
export const bf16 = of("bf16");
export const i32 = of("i32");
export const u32 = of("u32");
export const i8 = of("i8");
export const u8 = of("u8");
export const bool = of("bool");
export const b1 = of("b1");
export const q = (bits: number, grid: Grid, shape: readonly number[], values: readonly number[]): TypedTensor =>
  value(codes(bits, grid, shape), values);

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random tensor with elements between two bounds. */
export function random(seed: number, shape: readonly number[], low = -1, high = 1): TypedTensor {
  const next = uniform(seed);
  return f32(
    shape,
    Array.from({ length: elementCount(shape) }, () => low + (high - low) * next()),
  );
}

/** A random tensor whose elements are at least `gap` apart and at least half of that from 0, in random order: for ops with kinks. */
export function apart(seed: number, shape: readonly number[], gap = 0.1): TypedTensor {
  const next = uniform(seed);
  const count = elementCount(shape);
  const values = Array.from({ length: count }, (_, i) => gap * (i - Math.floor(count / 2) + 0.5));
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return f32(shape, values);
}

export const elements = (t: TypedTensor): readonly number[] => Array.from(contiguous(t.tensor));
