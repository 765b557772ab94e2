// The levels of the Lloyd quantizers: nearest levels for N(0,1) by width, as the published code makes them (spec 1.3).
import { binary, cast, float, int, over, plus, type ScalarExpr, select, times, unary } from "../scalar.ts";

/**
 * Positive levels by width, in units of the row's rms: 20 steps of Lloyd's algorithm from equidistant levels on [-3, 3]. At 4 bits
 * that is not the optimum yet (the outermost would be 2.7326), but it is what published runs had.
 */
const positiveLevels: Readonly<Record<number, readonly number[]>> = {
  1: [0.7978845608028654],
  2: [0.45279675860716123, 1.510452138798436],
  3: [0.2575063313785778, 0.7900571714528462, 1.3907269163797364, 2.198542655984222],
  4: [
    0.16226655171698162, 0.4876568653348709, 0.8161098584838192, 1.151540389231744, 1.501692823830038, 1.8827999399599242,
    2.332839459391522, 2.9699926749406846,
  ],
};

export const lloydWidths: readonly number[] = Object.keys(positiveLevels).map(Number);

/** Ascending. */
export function lloydLevels(bits: number): readonly number[] {
  const levels = positiveLevels[bits];
  if (levels === undefined) throw new Error(`no Lloyd levels of ${bits} bits`);
  return levels;
}

/** Codes count levels upward; q and -1 - q are of opposite sign. */
export function lloydCode(x: ScalarExpr, step: ScalarExpr, bits: number): ScalarExpr {
  const levels = lloydLevels(bits);
  const v = over(x, step);
  const magnitude = unary("abs", v);
  const between = levels.slice(1).map((level, i) => ((levels[i] ?? 0) + level) / 2);
  const above = between.map((boundary) => cast("i32", binary("gt", magnitude, float(boundary))));
  const rank = above.length === 0 ? int(0) : above.reduce(plus);
  return select(binary("lt", v, float(0)), binary("sub", int(-1), rank), rank);
}

/** The level of a code, times `step`. */
export function lloydLevel(bits: number, code: ScalarExpr, step: ScalarExpr): ScalarExpr {
  const isNegative = binary("lt", code, int(0));
  const rank = select(isNegative, binary("sub", int(-1), code), code);
  const [first = 0, ...others] = lloydLevels(bits);
  const magnitude = others.reduce<ScalarExpr>((lower, level, i) => select(binary("gt", rank, int(i)), float(level), lower), float(first));
  return times(select(isNegative, unary("neg", magnitude), magnitude), step);
}
