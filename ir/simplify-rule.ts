// What a simplification rule is, and what it may use.
import type { RangeOf } from "./range.ts";
import type { BinaryOp, ScalarExpr, ScalarType } from "./scalar.ts";

/** A local rewrite: a simpler expression of the same value for a node whose children are simplified, or undefined. */
export interface SimplifyRule {
  readonly name: string;
  apply(e: ScalarExpr, cx: SimplifyContext): ScalarExpr | undefined;
}

/** How rules look at expressions and build new ones; what they build is simplified and interned. */
export interface SimplifyContext {
  readonly rangeOf: RangeOf;
  binary(op: BinaryOp, a: ScalarExpr, b: ScalarExpr): ScalarExpr;
  constant(type: ScalarType, value: number): ScalarExpr;
  /** The one node of this shape, as it is. */
  intern(e: ScalarExpr): ScalarExpr;
  /** Intern and simplify a node whose children are simplified. */
  node(e: ScalarExpr): ScalarExpr;
  /** Order of first appearance, for a canonical order of terms. */
  idOf(e: ScalarExpr): number;
}
