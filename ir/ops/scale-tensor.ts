// Reference of `quant.scale`: the statistic of each row or group in f64, rounded once, then the quantizer's rule.
import { evaluateScalars } from "../evaluate-scalar.ts";
import type { Quantizer, RowStatistic } from "../quant/quantizer.ts";
import { input } from "../scalar.ts";
import { contiguous, denseTensor, type Tensor, type TensorData } from "../tensor.ts";
import { elementCount, shapeOf, type Type } from "../type.ts";

/** One scale for each of the equal runs into which the elements of `type` (the scales' type) divide x. */
export function scaleTensor(quantizer: Quantizer, x: Tensor, bits: number, type: Type): Tensor {
  const shape = shapeOf(type);
  const count = elementCount(shape);
  const data = contiguous(x);
  const precision = data instanceof Float64Array ? "wide" : "f32";
  const statistics = precision === "wide" ? new Float64Array(count) : new Float32Array(count);
  rowStatistics(quantizer.statistic, data, data.length / count, statistics);
  const [scales = statistics] = evaluateScalars([quantizer.step(input(0, "f32"), bits)], count, precision, { inputs: [statistics] });
  return denseTensor(shape, scales);
}

/** The statistic of each run of `length` elements. Summed in f64; `out` rounds. */
export function rowStatistics(statistic: RowStatistic, data: TensorData, length: number, out: Float64Array | Float32Array): void {
  for (let row = 0; row < out.length; row++) {
    let total = 0;
    const mean = statistic === "variance" ? meanOf(data, row * length, length) : 0;
    for (let i = row * length; i < (row + 1) * length; i++) {
      const x = data[i] ?? 0;
      switch (statistic) {
        case "mean_square":
          total += x * x;
          break;
        case "variance":
          total += (x - mean) ** 2;
          break;
        case "mean_abs":
          total += Math.abs(x);
          break;
        case "abs_max":
          total = Math.max(total, Math.abs(x));
          break;
        default:
          statistic satisfies never;
      }
    }
    out[row] = statistic === "abs_max" ? total : total / length;
  }
}

function meanOf(data: TensorData, from: number, length: number): number {
  let sum = 0;
  for (let i = from; i < from + length; i++) sum += data[i] ?? 0;
  return sum / length;
}
