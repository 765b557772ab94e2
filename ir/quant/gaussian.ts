// The scale that rounds a normal distribution best on equidistant levels without a zero, and the codes of that grid (QuEST, section 3.1).
import { binary, float, over, plus, type ScalarExpr, times, unary } from "../scalar.ts";

/**
 * MSE-optimal clip scale of N(0,1) for 1 to 8 bits, in units of the row's rms. The values of the published code, which stop
 * short of the optimum from 6 bits on (by at most 0.16 % of the error).
 */
const optimalScale: readonly number[] = [
  0.7978845587140913, 1.4935346200015913, 2.051068354131873, 2.513930578568423, 2.9160938834961225, 3.276597282593217, 3.6010497188221655,
  3.884938678807525,
];

/** Mean square error of N(0,1) on that grid for 1 to 8 bits (spec 1.2). */
export const gaussianErrors: readonly number[] = [
  3.63380228e-1, 1.1884605e-1, 3.74396594e-2, 1.15428845e-2, 3.49521137e-3, 1.04004758e-3, 3.04365998e-4, 8.7821615e-5,
];

/** Keeps the scale of an all-zero row positive. */
export const epsilon = 1e-8;

/** step = 2 (alpha rms + eps) / (n - 1) */
export function gaussianStep(meanSquare: ScalarExpr, bits: number): ScalarExpr {
  return halfGridStep(times(float(optimalScaleOf(bits)), unary("sqrt", meanSquare)), bits);
}

export function optimalScaleOf(bits: number): number {
  return optimalScale[bits - 1] ?? noScale(bits);
}

const noScale = (bits: number): never => {
  throw new Error(`no optimal scale for ${bits} bits`);
};

/** The step where the outermost levels lie at +-(scale + eps). */
export function halfGridStep(scale: ScalarExpr, bits: number): ScalarExpr {
  return times(plus(scale, float(epsilon)), float(2 / (2 ** bits - 1)));
}

/** clamp(floor(x / step), -2^(bits-1), 2^(bits-1) - 1), as f32: the code of the half grid before conversion. */
export function flooredCode(x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr {
  const half = 2 ** (bits - 1);
  return binary("min", binary("max", unary("floor", over(x, step)), float(-half)), float(half - 1));
}
