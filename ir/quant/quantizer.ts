// What a quantizer is: one entry of one typed table (see table.ts). Grid, scale rule, code rule, mask rule and settings stand together.
import type { ScalarExpr, SparseUnit } from "../scalar.ts";
import type { Grid } from "../type.ts";
import type { Settings, SettingValue } from "./choice.ts";
import { isSurrogate, type SurrogateRule } from "./surrogate.ts";

/** How one operand of a contraction is quantized; what insert-hadamard and insert-quant need to know. */
export interface Side {
  /** Its quantizer, where that is another than the one whose settings these are. */
  readonly scheme?: string;
  /** One of the quantizer's widths; 32 where elements stay floats. */
  readonly bits: number;
  /** Width of the transform's blocks, a power of two; 1 for no rotation. */
  readonly block: number;
  /** `half`: the contraction runs on rotated operands. `full`: rotated back after quantization. `none` where block is 1. */
  readonly rotation: "none" | "half" | "full";
  /** Elements that share a scale: a whole row, or a number that divides it. */
  readonly group: "row" | number;
  /** Gradient mask at the outer levels. */
  readonly outer: Outer;
  /** How the scale is held where the quantizer learns it (`scaleGradient`). */
  readonly learned?: LearnedSide;
  /** Rows are rounded less their mean, with the step that follows from their deviation from it; gradients go through both. */
  readonly centered?: true;
}

/** One scale for the whole tensor, which is a parameter of its own and begins with what the first batch gives. */
export interface LearnedSide {
  /** `value`: the scale itself is learned. `factor`: a factor of its initial value is, from 1 on. */
  readonly learns: "value" | "factor";
  /** What the learning rate of what is learned is multiplied by. */
  readonly rate: number;
  /**
   * x is rounded less an offset, which is learned too. `edge`: it begins where the smallest element lies at the edge of the grid, n/2 steps above
   * it; `mean`: with the mean of the elements. In the form `factor` it is held in initial steps.
   */
  readonly offset?: "edge" | "mean";
}

/**
 * Rules for which gradients pass. `trust`: where the error stays below a threshold. `published`: the same with the threshold of a
 * method's published code, where that is another. `all`: every one, the plain straight-through estimator.
 */
export const maskRules = ["trust", "published", "all"] as const;
export type MaskRule = (typeof maskRules)[number];

/** A number: |x| <= factor * the outermost level. A surrogate weighs gradients instead of passing some (quant/surrogate.ts). */
export type Outer = MaskRule | SurrogateRule | number;

/** Whether some gradients pass and others do not. */
export const hasMask = (outer: Outer): boolean => outer !== "all" && !isSurrogate(outer);

/** A setting of a scheme, for messages and checks. `fallback` is what it means when it is not given; absent: it must be given. */
export interface Setting {
  readonly describe: string;
  readonly fallback?: SettingValue;
  accepts(value: SettingValue): boolean;
}

/** Statistic of a (rotated) row or group that the scale follows from. `variance` is the mean square of what differs from the mean. */
export const rowStatisticNames = ["mean_square", "abs_max", "mean_abs", "variance"] as const;
export type RowStatistic = (typeof rowStatisticNames)[number];

/** What a quantizer makes of a row that is normally distributed with mean 0 and variance 1: what a test measures of it. */
export interface GaussianFigure {
  readonly bits: number;
  readonly outer: Outer;
  /** Mean square of x - Q(x). */
  readonly error: number;
  /** Share of elements whose gradient does not pass. */
  readonly masked: number;
}

/** Rows pruned to half: of each four neighbouring units of `unit` elements the two with the largest norms stay (quant/sparsity.ts). */
export interface Sparsity {
  readonly unit: SparseUnit;
  /** Whether the gradient of an element that is pruned passes, by one of the quantizer's `outers` but `all`. */
  mask(x: ScalarExpr, step: ScalarExpr, bits: number, outer: Outer): ScalarExpr;
}

/** How the step of a quantizer is learned: by gradient descent on a number a tensor, of which the step is a multiple. */
export interface LearnedScale {
  /** What the number is; its state is called so, `layers.0.attn.wq.weight#step`. */
  readonly quantity: string;
  /** Steps in one of it, with that many bits. */
  unit(bits: number): number;
  /**
   * The derivative of x^ = L s with respect to the step s, where M is the gradient's mask. `rounding`: (x^ - M x) / s, the rounding passing
   * straight through. `clipping`: (1 - M) x^ / s, as if what is not clipped did not depend on s.
   */
  readonly derivative: "rounding" | "clipping";
  /** What its gradient is multiplied by, for a tensor of that many elements. */
  gradientFactor(elements: number, bits: number): number;
}

/**
 * One quantization method. Scalar rules are expressions, from which the interpreter and the kernels both follow.
 * A "step" is the unit of the grid's levels (where levels are equidistant, the distance between neighbours), in units of x.
 */
export interface Quantizer {
  /** Its name in policies and in IR text. */
  readonly name: string;
  readonly summary: string;
  /** Paper, equation, section. */
  readonly source: string;
  /**
   * For readers: the rules below as mathematics, with n = 2^bits levels, the step s and v = x / s. `learned`: what is, and its gradient, with x^ for
   * the rounded x, g for its gradient and M for the mask.
   */
  readonly formula: { readonly step: string; readonly code: string; readonly mask: string; readonly learned?: string };
  readonly settings: Readonly<Record<string, Setting>>;
  /** What the settings mean at a site that contracts over `columns` elements; rejects what does not fit. Absent side: left in float. */
  sides(settings: Settings, columns: number): { readonly weight?: Side; readonly activation?: Side };
  readonly grid: Grid;
  /** Bits that its codes may have, among 1 to 9. */
  readonly widths: readonly number[];
  /** Rules for gradients that it has; `clip` stands for factors. */
  readonly outers: readonly (MaskRule | SurrogateRule | "clip")[];
  /** Of a row or group, and of the whole tensor where the step is learned: it then gives the step to begin with. */
  readonly statistic: RowStatistic;
  step(statistic: ScalarExpr, bits: number): ScalarExpr;
  /** The i32 code of x, in [-2^(bits-1), 2^(bits-1) - 1]. */
  code(x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr;
  /** Whether the gradient of x passes (bool), by one of its `outers` that is a mask (`hasMask`). */
  mask(x: ScalarExpr, step: ScalarExpr, bits: number, outer: Outer): ScalarExpr;
  /** Where it prunes: `code` and `mask` are then the rules of elements that stay, and code 0 is the level zero. */
  readonly sparsity?: Sparsity;
  /** How the step learns. `none`: it is computed from the row in every step, without a gradient. */
  readonly scaleGradient: "none" | LearnedScale;
  /** None where the scale depends on how long the row is. */
  readonly gaussian: readonly GaussianFigure[];
}

/** What a policy may choose for a site. */
export type Scheme = Pick<Quantizer, "name" | "summary" | "source" | "settings" | "sides">;

/** A scheme that prunes and does not round: of each four neighbouring units the two with the largest norms stay, and so do their gradients. */
export interface Pruner extends Scheme {
  readonly unit: SparseUnit;
  /** For readers. */
  readonly keeps: string;
}
