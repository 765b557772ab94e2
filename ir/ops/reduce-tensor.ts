// Reference reductions: in f64, rounded once at the end. A reference that rounds after every addition would have an error of
// its own, and a kernel's order of additions is another one anyway; the tests bound a kernel's error from the sum itself.
import { allocate, contiguous, denseTensor, type Tensor, type TensorData } from "../tensor.ts";
import { elementCount, type Type } from "../type.ts";
import { withoutAxes } from "./checks.ts";

export type Combination = "sum" | "max" | "min" | "argmax";

/** Reduce along `axes` (ascending). Answers floats in f64: the interpreter rounds them to its precision. */
export function reduceTensor(combine: Combination, x: Tensor, axes: readonly number[], type: Type): Tensor {
  const { outer, inner, shape } = reducedLast(x, axes);
  const out = allocate(type, outer.length, "wide");
  combineRuns(combine, contiguous(outer.tensor), inner, out);
  return denseTensor(shape, out);
}

/** Reduce consecutive runs of `length` elements each. */
export function combineRuns(combine: Combination, data: TensorData, length: number, out: TensorData): void {
  const integers = data instanceof Int32Array || data instanceof Uint32Array;
  for (let run = 0; run < out.length; run++) {
    const start = run * length;
    let value = combine === "sum" ? 0 : combine === "min" ? Infinity : combine === "max" ? -Infinity : 0;
    let largest = -Infinity;
    for (let i = start; i < start + length; i++) {
      const x = data[i] ?? 0;
      switch (combine) {
        case "sum":
          // Kept within 32 bits on the way, so that a long sum of integers wraps exactly.
          value = integers ? (value + x) | 0 : value + x;
          break;
        case "max":
          value = Math.max(value, x);
          break;
        case "min":
          value = Math.min(value, x);
          break;
        case "argmax":
          if (x > largest) {
            largest = x;
            value = i - start;
          }
          break;
        default:
          combine satisfies never;
      }
    }
    out[run] = value;
  }
}

function reducedLast(x: Tensor, axes: readonly number[]) {
  const all = x.shape.map((_, axis) => axis);
  const order = [...withoutAxes(all, axes), ...axes];
  const shape = withoutAxes(x.shape, axes);
  const tensor: Tensor = { ...x, shape: order.map((a) => x.shape[a] ?? 0), strides: order.map((a) => x.strides[a] ?? 0) };
  return { outer: { tensor, length: elementCount(shape) }, inner: elementCount(axes.map((a) => x.shape[a] ?? 0)), shape };
}
