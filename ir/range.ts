// What is known about a u32 index expression without running it: its bounds and a number that divides it.
import type { ScalarExpr } from "./scalar.ts";

/** lo <= x <= hi, and x is a multiple of `multiple` (0: x is 0). Exact integers: an expression that may wrap spans all of u32. */
export interface Range {
  readonly lo: number;
  readonly hi: number;
  readonly multiple: number;
}

export const maxU32 = 0xffffffff;
const anything: Range = { lo: 0, hi: maxU32, multiple: 1 };

/** Ranges of u32 expressions, remembered by node identity. */
export type RangeOf = (e: ScalarExpr) => Range;

export function createRangeAnalysis(): RangeOf {
  const known = new WeakMap<ScalarExpr, Range>();
  const rangeOf: RangeOf = (e) => {
    const found = known.get(e);
    if (found !== undefined) return found;
    const range = e.type === "u32" ? compute(e, rangeOf) : anything;
    known.set(e, range);
    return range;
  };
  return rangeOf;
}

export function gcd(a: number, b: number): number {
  let [x, y] = [Math.abs(a), Math.abs(b)];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** What stays known of a divisor after wrapping modulo 2^32: its power of two. */
function surviving(multiple: number): number {
  let power = 1;
  while (power < 2 ** 31 && multiple % (power * 2) === 0) power *= 2;
  return power;
}

/** The range of an exact integer result that u32 arithmetic may wrap. */
function wrapped(lo: number, hi: number, multiple: number): Range {
  if (lo >= 0 && hi <= maxU32) return { lo, hi, multiple };
  return { lo: 0, hi: maxU32, multiple: multiple === 0 ? 1 : surviving(multiple) };
}

/** Smallest 2^n - 1 that is at least x. */
const onesUpTo = (x: number): number => (x === 0 ? 0 : 2 ** (32 - Math.clz32(x)) - 1);

function compute(e: ScalarExpr, rangeOf: RangeOf): Range {
  switch (e.kind) {
    case "const":
      return { lo: e.value, hi: e.value, multiple: e.value };
    case "variable":
      return { lo: 0, hi: Math.max(0, e.bound - 1), multiple: e.bound <= 1 ? 0 : 1 };
    case "select": {
      const [yes, no] = [rangeOf(e.yes), rangeOf(e.no)];
      return { lo: Math.min(yes.lo, no.lo), hi: Math.max(yes.hi, no.hi), multiple: gcd(yes.multiple, no.multiple) };
    }
    case "cast":
      return e.a.type === "bool" ? { lo: 0, hi: 1, multiple: 1 } : anything;
    case "load":
      return e.storage.kind === "packed" && !e.storage.signed ? { lo: 0, hi: 2 ** e.storage.bits - 1, multiple: 1 } : anything;
    case "binary":
      return ofBinary(e, rangeOf(e.a), rangeOf(e.b));
    case "unary":
    case "input":
    case "kept":
      return anything;
    default:
      return e satisfies never;
  }
}

function ofBinary(e: Extract<ScalarExpr, { kind: "binary" }>, a: Range, b: Range): Range {
  switch (e.op) {
    case "add":
      return wrapped(a.lo + b.lo, a.hi + b.hi, gcd(a.multiple, b.multiple));
    case "sub":
      return wrapped(a.lo - b.hi, a.hi - b.lo, gcd(a.multiple, b.multiple));
    case "mul": {
      const multiple = a.multiple * b.multiple;
      return wrapped(a.lo * b.lo, a.hi * b.hi, multiple <= maxU32 ? multiple : surviving(a.multiple) * surviving(b.multiple));
    }
    case "div":
      if (b.lo === 0) return anything;
      return {
        lo: Math.floor(a.lo / b.hi),
        hi: Math.floor(a.hi / b.lo),
        multiple: b.lo === b.hi && a.multiple % b.lo === 0 ? a.multiple / b.lo : 1,
      };
    case "rem":
      if (b.lo === 0) return anything;
      if (a.hi < b.lo) return a;
      return { lo: 0, hi: Math.min(a.hi, b.hi - 1), multiple: gcd(a.multiple, b.multiple) };
    case "min":
      return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi), multiple: gcd(a.multiple, b.multiple) };
    case "max":
      return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi), multiple: gcd(a.multiple, b.multiple) };
    case "and":
      return { lo: 0, hi: Math.min(a.hi, b.hi), multiple: 1 };
    case "or":
      return { lo: Math.max(a.lo, b.lo), hi: onesUpTo(Math.max(a.hi, b.hi)), multiple: 1 };
    case "xor":
      return { lo: 0, hi: onesUpTo(Math.max(a.hi, b.hi)), multiple: 1 };
    case "shl": {
      if (b.lo !== b.hi || b.lo > 31) return anything;
      const factor = 2 ** b.lo;
      return wrapped(a.lo * factor, a.hi * factor, a.multiple * factor);
    }
    case "shr":
      if (b.lo !== b.hi || b.lo > 31) return { lo: 0, hi: a.hi, multiple: 1 };
      return { lo: Math.floor(a.lo / 2 ** b.lo), hi: Math.floor(a.hi / 2 ** b.lo), multiple: 1 };
    case "pow":
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      return anything;
    default:
      return e.op satisfies never;
  }
}
