// Rewrites from what a scalar expression means to what WGSL and the drivers do rightly: packed loads, tanh, log, tests for finite numbers.
// After them the printer can be dumb. Each is named; the reasons are measured facts about drivers.
import {
  binary,
  cast,
  childrenOf,
  float,
  int,
  load,
  over,
  type ScalarExpr,
  type Storage,
  select,
  times,
  uint,
  unary,
  withChildren,
} from "../../ir/scalar.ts";

interface LoweringRule {
  readonly name: string;
  apply(e: ScalarExpr): ScalarExpr | undefined;
}

const shr = (a: ScalarExpr, b: ScalarExpr) => binary("shr", a, b);
const and = (a: ScalarExpr, b: ScalarExpr) => binary("and", a, b);
const words: Storage = { kind: "dense", scalar: "u32" };

const loweringRules: readonly LoweringRule[] = [
  {
    // A code of b bits as a float without a conversion from integer, which Subzero scalarises: between 2^15 and 2^16 a float holds u in
    // bits 8 and up, in steps of 2^-8. Both drivers fold (f - c) + 1/2 into f - (c - 1/2), so c - 1/2 must be a float there: at 2^23 it is not.
    name: "code-to-float",
    apply(e) {
      if (e.kind !== "cast" || e.type !== "f32" || e.a.kind !== "load" || e.a.storage.kind !== "packed" || e.a.type === "bool")
        return undefined;
      const { bits, signed, layout } = e.a.storage;
      const half = 2 ** (bits - 1);
      // Planes hold q + half already; two's complement becomes it by flipping the sign bit.
      const raw = unsignedCode(e.a);
      const biased = layout === "linear" && signed ? binary("xor", raw, uint(half)) : raw;
      const offset = layout === "planes" || signed ? half : 0;
      return binary("sub", unary("bitcast_f32", binary("or", binary("shl", biased, uint(8)), uint(0x47000000))), float(2 ** 15 + offset));
    },
  },
  {
    // A float that is a small whole number as an integer, without a conversion: WGSL's must saturate, which is a dozen instructions on
    // lavapipe (the whole quantizing kernel takes 2.4 times as long with it). From 2^23 on floats stand one apart, so the low bits
    // of x + 3 * 2^22 are x in two's complement.
    name: "whole-float-to-integer",
    apply(e) {
      if (e.kind !== "cast" || e.type !== "i32" || !isSmallWhole(e.a)) return undefined;
      const shifted = cast("i32", unary("bitcast_u32", binary("add", e.a, float(wholeOffset))));
      return binary("sub", shifted, int(wholeOffsetBits));
    },
  },
  {
    name: "packed-load",
    apply(e) {
      if (e.kind !== "load" || e.storage.kind !== "packed") return undefined;
      const raw = unsignedCode(e);
      if (e.type === "bool") return binary("ne", raw, uint(0));
      const { bits, signed, layout } = e.storage;
      const half = 2 ** (bits - 1);
      if (layout === "planes") return cast(e.type, binary("sub", cast("i32", raw), int(half)));
      if (!signed) return cast(e.type, raw);
      return cast(e.type, binary("sub", cast("i32", binary("xor", raw, uint(half))), int(half)));
    },
  },
  {
    // Drivers fold x != x; the exponent's bits tell.
    name: "finite-by-bits",
    apply(e) {
      if (e.kind !== "unary" || e.op !== "is_finite") return undefined;
      return binary("ne", and(unary("bitcast_u32", e.a), uint(0x7f800000)), uint(0x7f800000));
    },
  },
  {
    // lavapipe folds f32(f16(x)) into x. Half to even by the bits that an f16 does not have; below the smallest normal number f16 stand
    // 2^-24 apart; beyond the largest they are infinite.
    name: "half-by-bits",
    apply(e) {
      if (e.kind !== "unary" || e.op !== "to_f16") return undefined;
      const x = e.a;
      const bits = unary("bitcast_u32", x);
      const tie = and(shr(bits, uint(13)), uint(1));
      const nearest = unary("bitcast_f32", and(binary("add", bits, binary("add", tie, uint(0xfff))), uint(0xffffe000)));
      const size = unary("abs", x);
      const small = times(unary("round", times(x, float(2 ** 24))), float(2 ** -24));
      const infinite = select(binary("lt", x, float(0)), float(Number.NEGATIVE_INFINITY), float(Number.POSITIVE_INFINITY));
      return select(binary("ge", size, float(65520)), infinite, select(binary("lt", size, float(2 ** -14)), small, nearest));
    },
  },
  {
    // WGSL's tanh is off by up to 5 % near 0, and NaN beyond 50 on SwiftShader. This: 3.7e-7 relative. NaN takes the series, which keeps it.
    name: "own-tanh",
    apply(e) {
      if (e.kind !== "unary" || e.op !== "tanh") return undefined;
      const x = e.a;
      const size = unary("abs", x);
      const square = times(x, x);
      const series = polynomial([0.021869488, -17 / 315, 2 / 15, -1 / 3, 1], square);
      const power = unary("exp", times(float(2), binary("min", size, float(15))));
      const far = binary("sub", float(1), over(float(2), binary("add", power, float(1))));
      const signed = select(binary("lt", x, float(0)), unary("neg", far), far);
      return select(binary("ge", size, exact(0.3)), signed, times(x, series));
    },
  },
  {
    // WGSL's log is off by 4e-4 relative near 1 (a small loss is the log of a sum near 1), and -88 at 0 on SwiftShader. This: 2e-7.
    // x = m 2^e with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh((m - 1) / (m + 1)) by its series; ln 2 in two parts.
    name: "own-log",
    apply(e) {
      if (e.kind !== "unary" || e.op !== "log") return undefined;
      const x = e.a;
      const rootHalf = uint(0x3f3504f3);
      const offset = binary("sub", unary("bitcast_u32", x), rootHalf);
      const exponent = cast("f32", shr(cast("i32", offset), uint(23)));
      const m = unary("bitcast_f32", binary("add", and(offset, uint(0x7fffff)), rootHalf));
      const s = over(binary("sub", m, float(1)), binary("add", m, float(1)));
      const square = times(s, s);
      const series = polynomial([2 / 9, 2 / 7, 2 / 5, 2 / 3], square);
      const ofM = binary("add", times(float(2), s), times(times(s, square), series));
      const [high, low] = [0.693145751953125, 1.42860677e-6];
      const regular = binary("add", times(exponent, exact(high)), binary("add", times(exponent, exact(low)), ofM));
      const special = select(
        binary("eq", x, float(0)),
        float(Number.NEGATIVE_INFINITY),
        select(binary("gt", x, float(0)), x, float(Number.NaN)),
      );
      const isRegular = binary("and", binary("gt", x, float(0)), binary("le", x, exact(3.4028234663852886e38)));
      return select(isRegular, regular, special);
    },
  },
];

const wholeOffset = 3 * 2 ** 22;
const wholeOffsetBits = 0x4b400000;
/** Whole numbers of either sign up to here stay between 2^23 and 2^24 when the offset is added. */
const largestWhole = 2 ** 21;

/** Rounded, then clamped to whole numbers that are small: what quantizers make of a value before it is a code. */
function isSmallWhole(e: ScalarExpr): boolean {
  const isBound = (b: ScalarExpr) => b.kind === "const" && Number.isInteger(b.value) && Math.abs(b.value) <= largestWhole;
  if (e.kind !== "binary" || e.op !== "min" || !isBound(e.b)) return false;
  const lower = e.a;
  if (lower.kind !== "binary" || lower.op !== "max" || !isBound(lower.b)) return false;
  return lower.a.kind === "unary" && (lower.a.op === "floor" || lower.a.op === "round" || lower.a.op === "ceil");
}

const exact = (value: number): ScalarExpr => float(Math.fround(value));
/** Coefficients from the highest power down. */
const polynomial = (coefficients: readonly number[], x: ScalarExpr): ScalarExpr =>
  coefficients.map(exact).reduce((sum, c) => binary("add", times(sum, x), c));

/**
 * Expressions in the words that WGSL has; loads are of 32-bit elements from here on. From the roots down, because a cast of
 * a packed load is matched before the load itself. Pass one `memo` to keep sharing across several roots.
 */
export function lowerScalar(e: ScalarExpr, memo = new Map<ScalarExpr, ScalarExpr>()): ScalarExpr {
  const known = memo.get(e);
  if (known !== undefined) return known;
  let lowered = e;
  for (const rule of loweringRules) {
    lowered = rule.apply(e) ?? e;
    if (lowered !== e) break;
  }
  const result = withChildren(
    lowered,
    childrenOf(lowered).map((c) => lowerScalar(c, memo)),
  );
  memo.set(e, result);
  return result;
}

/** The bits of a code as they lie in memory, as an unsigned number. */
function unsignedCode(e: Extract<ScalarExpr, { kind: "load" }>): ScalarExpr {
  const { storage, binding, row, column } = e;
  if (storage.kind !== "packed") throw new Error("not a packed load");
  const { bits, layout, pitch } = storage;
  const rowStart = times(row, uint(pitch));
  const word = (at: ScalarExpr) => load("u32", binding, words, binary("add", rowStart, at));
  if (layout === "linear") {
    const position = times(column, uint(bits));
    const shifted = shr(word(over(position, uint(32))), binary("rem", position, uint(32)));
    return bits === 32 ? shifted : and(shifted, uint(2 ** bits - 1));
  }
  const within = binary("rem", column, uint(32));
  const plane = (i: number) => and(shr(word(binary("add", uint((i * pitch) / bits), over(column, uint(32)))), within), uint(1));
  return Array.from({ length: bits }, (_, i) => (i === 0 ? plane(0) : binary("shl", plane(i), uint(i)))).reduce((a, b) =>
    binary("or", a, b),
  );
}
