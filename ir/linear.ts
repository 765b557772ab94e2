// Sums of multiples of u32 expressions modulo 2^32: the normal form in which index arithmetic is compared and divided.
import { maxU32, type RangeOf } from "./range.ts";
import type { ScalarExpr } from "./scalar.ts";

/** constant + sum of coefficient * term, modulo 2^32. Coefficients are signed 32-bit integers, never 0; terms are no sums themselves. */
export interface Linear {
  readonly terms: ReadonlyMap<ScalarExpr, number>;
  readonly constant: number;
}

/** Terms are told apart by identity: the nodes of `e` must be interned. */
export function linearOf(e: ScalarExpr): Linear {
  if (e.kind === "const") return { terms: new Map(), constant: e.value | 0 };
  if (e.kind === "binary") {
    if (e.op === "add") return addLinear(linearOf(e.a), linearOf(e.b));
    if (e.op === "sub") return addLinear(linearOf(e.a), scaleLinear(linearOf(e.b), -1));
    if (e.op === "mul" && e.b.kind === "const") return scaleLinear(linearOf(e.a), e.b.value);
    if (e.op === "mul" && e.a.kind === "const") return scaleLinear(linearOf(e.b), e.a.value);
    if (e.op === "shl" && e.b.kind === "const" && e.b.value < 32) return scaleLinear(linearOf(e.a), 2 ** e.b.value);
  }
  return { terms: new Map([[e, 1]]), constant: 0 };
}

export function addLinear(a: Linear, b: Linear): Linear {
  const terms = new Map(a.terms);
  for (const [term, factor] of b.terms) {
    const sum = ((terms.get(term) ?? 0) + factor) | 0;
    if (sum === 0) terms.delete(term);
    else terms.set(term, sum);
  }
  return { terms, constant: (a.constant + b.constant) | 0 };
}

export function scaleLinear(a: Linear, factor: number): Linear {
  const terms = new Map<ScalarExpr, number>();
  for (const [term, coefficient] of a.terms) {
    const product = Math.imul(coefficient, factor);
    if (product !== 0) terms.set(term, product);
  }
  return { terms, constant: Math.imul(a.constant, factor) };
}

/** The largest value, where the sum has no negative part and cannot wrap; otherwise undefined. */
export function exactBound({ terms, constant }: Linear, rangeOf: RangeOf): number | undefined {
  if (constant < 0) return undefined;
  let hi = constant;
  for (const [term, coefficient] of terms) {
    if (coefficient < 0) return undefined;
    hi += coefficient * rangeOf(term).hi;
  }
  return hi <= maxU32 ? hi : undefined;
}
