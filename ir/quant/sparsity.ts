// Sparsity in a quantizer's rules: of each four neighbouring units along a row the two with the largest norms stay, all others are zero.
import { int, keptAmongFour, type ScalarExpr, type SparseUnit, select, times, unary } from "../scalar.ts";
import type { Outer, Quantizer } from "./quantizer.ts";

/**
 * Whether an element stays, by the norms of what is not rounded yet. Of units with equal norms the later stays, as in the published code.
 * Norms of pairs are compared by their squares.
 */
export const staysOf = (x: ScalarExpr, unit: SparseUnit): ScalarExpr => keptAmongFour(unit, unit === 1 ? unary("abs", x) : times(x, x));

/** The code of an element: 0, which is the level zero, where it does not stay. */
export function codeOf({ sparsity, code }: Quantizer, x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr {
  const dense = code(x, step, bits);
  return sparsity === undefined ? dense : select(staysOf(x, sparsity.unit), dense, int(0));
}

/** Whether an element's gradient passes. */
export function maskOf({ sparsity, mask }: Quantizer, x: ScalarExpr, step: ScalarExpr, bits: number, outer: Outer): ScalarExpr {
  const dense = mask(x, step, bits, outer);
  return sparsity === undefined ? dense : select(staysOf(x, sparsity.unit), dense, sparsity.mask(x, step, bits, outer));
}
