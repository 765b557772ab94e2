// What the codes of a grid mean: as numbers, and as integers where the grid has such a form. The one place that says so.
import { cast, float, plus, type ScalarExpr, times } from "../scalar.ts";
import type { CodesType, Grid } from "../type.ts";
import { e2m1Level } from "./e2m1-grid.ts";
import { lloydLevel } from "./lloyd-levels.ts";

/** What a code's meaning depends on. */
export type GridOfCodes = Pick<CodesType, "bits" | "grid">;

/** The value of a code, f32. */
export function decodeCode({ bits, grid }: GridOfCodes, code: ScalarExpr, step: ScalarExpr): ScalarExpr {
  switch (grid) {
    case "half":
      return times(plus(cast("f32", code), float(0.5)), step);
    case "integer":
    case "ternary":
      return times(cast("f32", code), step);
    case "e2m1":
      return e2m1Level(code, step);
    case "lloyd":
      return lloydLevel(bits, code, step);
    case "sparse_half":
      return times(cast("f32", code), times(step, float(0.5)));
    case "affine":
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
    case "sparse_half":
      return { factor: 1, offset: 0, unit: 0.5 };
    case "affine":
    case "e2m1":
    case "lloyd":
      return undefined;
    default:
      return grid satisfies never;
  }
}

/** Whether rounding makes a code: some grids have bits for more than their levels. */
export function isMade(grid: Grid, code: number): boolean {
  if (grid === "ternary") return Math.abs(code) <= 1;
  return grid !== "sparse_half" || code === 0 || code % 2 !== 0;
}
