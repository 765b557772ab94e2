// What is multiplied in a layer, as numbers on the host: codes decoded by the table of grids, floats in the layer's rotation.
import { evaluateScalars } from "../ir/evaluate-scalar.ts";
import { butterflies } from "../ir/ops/hadamard.ts";
import { unpackValues } from "../ir/packing.ts";
import { decodeCode } from "../ir/quant/grid.ts";
import { float, input } from "../ir/scalar.ts";
import type { CodesType } from "../ir/type.ts";
import type { HostArray } from "../runtime/index.ts";

/** Rows of numbers. */
export interface Rows {
  readonly values: Float32Array;
  readonly columns: number;
}

/** Codes of a run's output, or of state, which lie as their type says. */
export const unpackCodes = (type: CodesType, words: HostArray): Int32Array =>
  Int32Array.from(unpackValues(type, words.buffer, words.byteOffset));

/** The numbers that codes stand for. `scales` holds one for each row or for each group of a row. */
export function decodedRows(type: CodesType, codes: Int32Array, scales: ArrayLike<number>, columns: number): Rows {
  const lowest = -(2 ** (type.bits - 1));
  const all = Int32Array.from({ length: 2 ** type.bits }, (_, i) => lowest + i);
  const [levels = new Float64Array()] = evaluateScalars([decodeCode(type, input(0, "i32"), float(1))], all.length, "wide", {
    inputs: [all],
  });
  const group = codes.length / scales.length;
  const values = Float32Array.from(
    codes,
    (code, i) => (levels[code - lowest] ?? Number.NaN) * (scales[Math.floor(i / group)] ?? Number.NaN),
  );
  return { values, columns };
}

/** Floats as a layer multiplies them: in its rotation, where it has one. */
export function rotatedRows(x: Float32Array, columns: number, block: number | undefined): Rows {
  const values = x.slice();
  if (block !== undefined) butterflies(values, 1, block);
  return { values, columns };
}

/** Sum over k of |a[i, k] b[j, k]|. */
export function magnitude(a: Rows, i: number, b: Rows, j: number): number {
  const [x, y, columns] = [a.values, b.values, a.columns];
  const [start, other] = [i * columns, j * columns];
  let sum = 0;
  for (let k = 0; k < columns; k++) sum += Math.abs((x[start + k] ?? 0) * (y[other + k] ?? 0));
  return sum;
}
