// Rules for u32 index arithmetic: sums in normal form, division and remainder by ranges and divisibility.
import { addLinear, exactBound, type Linear, linearOf, scaleLinear } from "./linear.ts";
import { gcd, maxU32 } from "./range.ts";
import type { ScalarExpr } from "./scalar.ts";
import type { SimplifyContext, SimplifyRule } from "./simplify-rule.ts";

type Binary = Extract<ScalarExpr, { kind: "binary" }>;

/** A u32 division or remainder by a constant above 1. */
function dividing(
  e: ScalarExpr,
): { readonly e: Binary; readonly op: "div" | "rem"; readonly x: ScalarExpr; readonly by: number } | undefined {
  if (e.kind !== "binary" || e.type !== "u32" || (e.op !== "div" && e.op !== "rem") || e.b.kind !== "const" || e.b.value < 2)
    return undefined;
  return { e, op: e.op, x: e.a, by: e.b.value };
}

export const indexRules: readonly SimplifyRule[] = [
  {
    // a + b - a, 3*x + x, and every sum in one order: larger factors first.
    name: "collect-terms",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "u32") return undefined;
      // A shift by itself stays one: words are shifted, positions are multiplied.
      const sum = e.op === "add" || e.op === "sub" || (e.op === "mul" && (e.a.kind === "const" || e.b.kind === "const"));
      return sum ? rebuild(linearOf(e), cx) : undefined;
    },
  },
  {
    // (x / n) * n + x % n -> x, and (x / n % m) * n + x % n -> x % (n * m), at any common factor.
    name: "join-quotient-and-remainder",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "u32" || (e.op !== "add" && e.op !== "sub")) return undefined;
      const joined = join(linearOf(e), cx);
      return joined === undefined ? undefined : rebuild(joined, cx);
    },
  },
  {
    name: "divide-within-range",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "u32" || (e.op !== "div" && e.op !== "rem")) return undefined;
      const [a, b] = [cx.rangeOf(e.a), cx.rangeOf(e.b)];
      if (a.hi < b.lo) return e.op === "div" ? cx.constant("u32", 0) : e.a;
      return e.op === "rem" && b.lo === b.hi && b.lo > 0 && a.multiple % b.lo === 0 ? cx.constant("u32", 0) : undefined;
    },
  },
  {
    // (x / a) / b -> x / (a * b); (x % (a * b)) % b -> x % b; (x % (a * b)) / b -> (x / b) % a.
    name: "nested-division",
    apply(e, cx) {
      const outer = dividing(e);
      const inner = outer && dividing(outer.x);
      if (outer === undefined || inner === undefined) return undefined;
      if (inner.op === "div" && outer.op === "div") {
        const by = inner.by * outer.by;
        return by > maxU32 ? cx.constant("u32", 0) : cx.binary("div", inner.x, cx.constant("u32", by));
      }
      if (inner.op !== "rem" || inner.by % outer.by !== 0) return undefined;
      const by = cx.constant("u32", outer.by);
      if (outer.op === "rem") return cx.binary("rem", inner.x, by);
      return cx.binary("rem", cx.binary("div", inner.x, by), cx.constant("u32", inner.by / outer.by));
    },
  },
  {
    // (n * q + r) / n -> q + r / n; (n * q + r) % n -> r % n.
    name: "divide-sum",
    apply(e, cx) {
      const division = dividing(e);
      if (division === undefined) return undefined;
      const sum = linearOf(division.x);
      if (exactBound(sum, cx.rangeOf) === undefined) return undefined;
      const { by } = division;
      const quotient = new Map<ScalarExpr, number>();
      const rest = new Map<ScalarExpr, number>();
      for (const [term, factor] of sum.terms) (factor % by === 0 ? quotient : rest).set(term, factor % by === 0 ? factor / by : factor);
      const whole = Math.floor(sum.constant / by);
      if (quotient.size === 0 && whole === 0) return undefined;
      const left = cx.binary(division.op, rebuild({ terms: rest, constant: sum.constant % by }, cx), cx.constant("u32", by));
      return division.op === "rem" ? left : cx.binary("add", rebuild({ terms: quotient, constant: whole }, cx), left);
    },
  },
  {
    // (d * q + r) / (d * n) -> q / n where r < d; (d * q + r) % (d * n) -> d * (q % n) + r.
    name: "divide-by-common-factor",
    apply(e, cx) {
      const division = dividing(e);
      if (division === undefined) return undefined;
      const parts = splitByFactor(linearOf(division.x), division.by, cx);
      if (parts === undefined) return undefined;
      const narrower = cx.binary(division.op, parts.quotient, cx.constant("u32", division.by / parts.factor));
      if (division.op === "div") return narrower;
      return cx.binary("add", cx.binary("mul", narrower, cx.constant("u32", parts.factor)), parts.rest);
    },
  },
  {
    // Division is monotone: min(a, b) / n -> min(a / n, b / n).
    name: "divide-minimum",
    apply(e, cx) {
      const division = dividing(e);
      if (division?.op !== "div" || division.x.kind !== "binary" || (division.x.op !== "min" && division.x.op !== "max")) return undefined;
      const { a, b, op } = division.x;
      const by = cx.constant("u32", division.by);
      return cx.binary(op, cx.binary("div", a, by), cx.binary("div", b, by));
    },
  },
  {
    name: "minimum-within-range",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "u32" || (e.op !== "min" && e.op !== "max")) return undefined;
      const [a, b] = [cx.rangeOf(e.a), cx.rangeOf(e.b)];
      if (a.hi <= b.lo) return e.op === "min" ? e.a : e.b;
      return b.hi <= a.lo ? (e.op === "min" ? e.b : e.a) : undefined;
    },
  },
  {
    name: "compare-by-range",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "bool" || e.a.type !== "u32") return undefined;
      const known = compare(e, cx);
      return known === undefined ? undefined : cx.constant("bool", Number(known));
    },
  },
  {
    // d * q + r < d * n -> q < n where r < d.
    name: "compare-by-common-factor",
    apply(e, cx) {
      if (e.kind !== "binary" || e.type !== "bool" || (e.op !== "lt" && e.op !== "ge") || e.a.type !== "u32" || e.b.kind !== "const")
        return undefined;
      const parts = splitByFactor(linearOf(e.a), e.b.value, cx);
      return parts && cx.binary(e.op, parts.quotient, cx.constant("u32", e.b.value / parts.factor));
    },
  },
];

/** sum = factor * quotient + rest, with rest < factor and factor > 1 a divisor of `whole`, where the sum cannot wrap. */
function splitByFactor(sum: Linear, whole: number, cx: SimplifyContext) {
  if (whole < 2 || exactBound(sum, cx.rangeOf) === undefined) return undefined;
  const candidates = new Set([...sum.terms.values()].map((factor) => gcd(factor, whole)));
  for (const factor of [...candidates].filter((f) => f > 1).sort((a, b) => b - a)) {
    const quotient = new Map<ScalarExpr, number>();
    const rest = new Map<ScalarExpr, number>();
    for (const [term, coefficient] of sum.terms) {
      if (coefficient % factor === 0) quotient.set(term, coefficient / factor);
      else rest.set(term, coefficient);
    }
    const left: Linear = { terms: rest, constant: sum.constant % factor };
    const bound = exactBound(left, cx.rangeOf);
    if (bound === undefined || bound >= factor) continue;
    return { factor, quotient: rebuild({ terms: quotient, constant: Math.floor(sum.constant / factor) }, cx), rest: rebuild(left, cx) };
  }
  return undefined;
}

function join(sum: Linear, cx: SimplifyContext): Linear | undefined {
  for (const [low, factor] of sum.terms) {
    const remainder = dividing(low);
    if (remainder?.op !== "rem") continue;
    const high = Math.imul(factor, remainder.by);
    const quotient = cx.binary("div", remainder.x, cx.constant("u32", remainder.by));
    for (const [term, coefficient] of sum.terms) {
      if (term === low || coefficient !== high) continue;
      const rest: Linear = { terms: new Map([...sum.terms].filter(([t]) => t !== term && t !== low)), constant: sum.constant };
      if (term === quotient) return addLinear(rest, scaleLinear(linearOf(remainder.x), factor));
      const outer = dividing(term);
      if (outer?.op !== "rem" || outer.x !== quotient || outer.by * remainder.by > maxU32) continue;
      const whole = cx.binary("rem", remainder.x, cx.constant("u32", outer.by * remainder.by));
      return addLinear(rest, scaleLinear(linearOf(whole), factor));
    }
  }
  return undefined;
}

/** The sum as an expression, larger factors first, negative terms and the constant last. */
function rebuild({ terms, constant }: Linear, cx: SimplifyContext): ScalarExpr {
  const ordered = [...terms].sort(
    ([x, a], [y, b]) => Number(isAdded(b)) - Number(isAdded(a)) || Math.abs(b) - Math.abs(a) || cx.idOf(x) - cx.idOf(y),
  );
  // Built without simplifying again: this is the normal form already.
  let sum: ScalarExpr | undefined;
  for (const [term, factor] of ordered) {
    const size = Math.abs(factor);
    const product = size === 1 ? term : cx.intern({ kind: "binary", type: "u32", op: "mul", a: term, b: cx.constant("u32", size) });
    if (sum !== undefined) sum = cx.intern({ kind: "binary", type: "u32", op: isAdded(factor) ? "add" : "sub", a: sum, b: product });
    else if (isAdded(factor)) sum = product;
    else return cx.intern({ kind: "binary", type: "u32", op: "sub", a: cx.constant("u32", constant >>> 0), b: negated(terms, cx) });
  }
  if (sum === undefined) return cx.constant("u32", constant >>> 0);
  if (constant === 0) return sum;
  return cx.intern({ kind: "binary", type: "u32", op: constant > 0 ? "add" : "sub", a: sum, b: cx.constant("u32", Math.abs(constant)) });
}

/** -2^31 and 2^31 are one number modulo 2^32. */
const isAdded = (factor: number): boolean => factor > 0 || factor === -(2 ** 31);

const negated = (terms: Linear["terms"], cx: SimplifyContext): ScalarExpr => rebuild(scaleLinear({ terms, constant: 0 }, -1), cx);

/** The outcome of a comparison that ranges alone decide. */
function compare(e: Binary, cx: SimplifyContext): boolean | undefined {
  const [a, b] = [cx.rangeOf(e.a), cx.rangeOf(e.b)];
  const same = e.a === e.b || (a.lo === a.hi && b.lo === b.hi && a.lo === b.lo);
  const apart = a.hi < b.lo || b.hi < a.lo;
  switch (e.op) {
    case "eq":
      return same ? true : apart ? false : undefined;
    case "ne":
      return same ? false : apart ? true : undefined;
    case "lt":
      return a.hi < b.lo ? true : same || a.lo >= b.hi ? false : undefined;
    case "ge":
      return a.hi < b.lo ? false : same || a.lo >= b.hi ? true : undefined;
    case "gt":
      return a.lo > b.hi ? true : same || a.hi <= b.lo ? false : undefined;
    case "le":
      return a.lo > b.hi ? false : same || a.hi <= b.lo ? true : undefined;
    default:
      return undefined;
  }
}
