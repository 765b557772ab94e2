// What a quantizer is: one entry of one typed table (see table.ts). Grid, scale rule, code rule, mask rule and settings stand together.
import { binary, cast, float, plus, type ScalarExpr, times } from "../scalar.ts";
import type { Grid } from "../type.ts";
import type { Settings, SettingValue } from "./choice.ts";

/** How one operand of a contraction is quantized; what insert-hadamard and insert-quant need to know. */
export interface Side {
  /** 1 to 8. */
  readonly bits: number;
  /** Width of the transform's blocks, a power of two; 1 for no rotation. */
  readonly block: number;
  /** `half`: the contraction runs on rotated operands. `full`: rotated back after quantization. `none` where block is 1. */
  readonly rotation: "none" | "half" | "full";
  /** Elements that share a scale: a whole row, or a number that divides it. */
  readonly group: "row" | number;
  /** Gradient mask at the outer levels: the trust rule, or |x| <= factor * scale. */
  readonly outer: Outer;
}

export type Outer = "trust" | number;

/** A setting of a scheme, for messages and checks. `fallback` is what it means when it is not given; absent: it must be given. */
export interface Setting {
  readonly describe: string;
  readonly fallback?: SettingValue;
  accepts(value: SettingValue): boolean;
}

/** Statistic of a (rotated) row or group that the scale follows from. */
export type RowStatistic = "mean_square" | "abs_max" | "mean_abs";

/**
 * One quantization method. Scalar rules are expressions, from which the interpreter and the kernels both follow.
 * A "step" is the distance between neighbouring levels, in units of x.
 */
export interface Quantizer {
  /** Its name in policies and in IR text. */
  readonly name: string;
  readonly summary: string;
  /** Paper, equation, section. */
  readonly source: string;
  readonly settings: Readonly<Record<string, Setting>>;
  /** What the settings mean at a site that contracts over `columns` elements; rejects what does not fit. Absent side: left in float. */
  sides(settings: Settings, columns: number): { readonly weight?: Side; readonly activation?: Side };
  readonly grid: Grid;
  readonly statistic: RowStatistic;
  step(statistic: ScalarExpr, bits: number): ScalarExpr;
  /** The i32 code of x, in [-2^(bits-1), 2^(bits-1) - 1]. */
  code(x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr;
  /** Whether the gradient of x passes (bool). */
  mask(x: ScalarExpr, step: ScalarExpr, bits: number, outer: Outer): ScalarExpr;
  /** How the step learns. `none`: it is computed from the row in every step, without a gradient. */
  readonly scaleGradient: "none";
}

/** The value of a code on a grid, f32. The one place that says what a grid's codes mean. */
export function decodeCode(grid: Grid, code: ScalarExpr, step: ScalarExpr): ScalarExpr {
  switch (grid) {
    case "half":
      return times(plus(cast("f32", code), float(0.5)), step);
    case "integer":
    case "ternary":
      return times(cast("f32", code), step);
    case "affine":
    case "e2m1":
    case "lloyd":
      throw new Error(`no decode rule for grid ${grid} yet`);
    default:
      return grid satisfies never;
  }
}

/**
 * A grid whose levels are whole multiples of one unit: code q is the integer `factor * q + offset`, and `unit` steps are one.
 * Contractions of such codes run on integers.
 */
export interface IntegerLevels {
  readonly factor: number;
  readonly offset: number;
  readonly unit: number;
}

/** Undefined for grids that have no such form. */
export function integerLevels(grid: Grid): IntegerLevels | undefined {
  switch (grid) {
    case "half":
      return { factor: 2, offset: 1, unit: 0.5 };
    case "integer":
    case "ternary":
      return { factor: 1, offset: 0, unit: 1 };
    case "affine":
    case "e2m1":
    case "lloyd":
      return undefined;
    default:
      return grid satisfies never;
  }
}

/** clamp(floor(x / step), -2^(bits-1), 2^(bits-1) - 1), as f32: the code of the half grid before conversion. */
export function flooredCode(x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr {
  const half = 2 ** (bits - 1);
  const floored: ScalarExpr = { kind: "unary", type: "f32", op: "floor", a: binary("div", x, step) };
  return binary("min", binary("max", floored, float(-half)), float(half - 1));
}
