// The 4-bit floats E2M1: +-{0, 0.5, 1, 1.5, 2, 3, 4, 6}. A code is their bits (sign, two of exponent, one of mantissa) as two's complement.
import { binary, cast, float, int, over, plus, type ScalarExpr, select, times, unary } from "../scalar.ts";

export const largestE2m1 = 6;

/** Half way between neighbouring magnitudes. */
const boundaries = [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5];

/** Bits of the level nearest to x / step; ties go to the smaller magnitude, and what is rounded to zero is +0. */
export function e2m1Code(x: ScalarExpr, step: ScalarExpr): ScalarExpr {
  const magnitude = unary("abs", over(x, step));
  const bits = boundaries.map((b) => cast("i32", binary("gt", magnitude, float(b)))).reduce(plus);
  const isNegative = binary("and", binary("lt", x, float(0)), binary("gt", bits, int(0)));
  return select(isNegative, plus(bits, int(-8)), bits);
}

/** The level of a code, times `step`. */
export function e2m1Level(code: ScalarExpr, step: ScalarExpr): ScalarExpr {
  // Two's complement: the bits behind the sign count up from -8 too.
  const bits = cast("f32", binary("and", code, int(7)));
  const above = (start: number) => binary("max", plus(bits, float(-start)), float(0));
  // In halves: 0 1 2 3 4 6 8 12. The gap doubles behind the level of bits 4, and again behind that of bits 6.
  const halves = plus(bits, plus(above(4), times(above(6), float(2))));
  const signed = select(binary("lt", code, int(0)), times(halves, float(-0.5)), times(halves, float(0.5)));
  return times(signed, step);
}
