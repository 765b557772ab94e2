// MXFP4: E2M1 with a power of two (E8M0) for each 32 elements, chosen by their deviation (Quartet, arXiv:2505.14669; spec 1.6).
import { binary, float, plus, type ScalarExpr, times, uint, unary } from "../scalar.ts";
import { optimalUnit } from "./e2m1.ts";
import { e2m1Code, largestE2m1 } from "./e2m1-grid.ts";
import { epsilon } from "./gaussian.ts";
import type { Quantizer } from "./quantizer.ts";
import { oneWidthOf, onSetting, outerSetting, rowSettings, rowSides, settingReader } from "./settings.ts";

const bits = 4;
/** Elements that share a scale: the format's own number, and the width of the rotation that goes with it. */
const block = 32;

const settings = { on: onSetting, ...rowSettings({ group: block, hadamard: block }), outer: outerSetting("trust", ["trust"]) };

export const mxfp4: Quantizer = {
  name: "mxfp4",
  summary: "MXFP4: the levels of E2M1 with a power of two as the scale of each 32 elements, rotated in the same blocks, clipped gradient.",
  source: "arXiv:2505.14669, its published code (QuEST's quantizer in MXFP4); OCP Microscaling Formats Specification 1.0, section 5",
  formula: {
    step: "s = 2^floor(log2(0.48707976 d + 1e-8)), with d the deviation from the mean",
    code: "the bits of the nearest level, sign first, ties to the smaller magnitude; -0 is not made",
    mask: "`trust`: |v| < 6, the outermost level. A factor f: |v| <= 6 f",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("mxfp4", settings, given);
    const outer = read("outer");
    return rowSides(oneWidthOf(read, bits), read, columns, () => (typeof outer === "number" ? outer : "trust"));
  },

  grid: "e2m1",
  widths: [bits],
  outers: ["trust", "clip"],
  statistic: "variance",
  step: (variance) => powerOfTwoBelow(plus(times(unary("sqrt", variance), float(optimalUnit)), float(epsilon))),
  code: e2m1Code,
  mask: (x, step, _bits, outer) =>
    typeof outer === "number"
      ? binary("le", unary("abs", x), times(step, float(outer * largestE2m1)))
      : binary("lt", unary("abs", x), times(step, float(largestE2m1))),
  scaleGradient: "none",
  // Of a group whose deviation is 1: its power of two is 1/4, so levels end at 1.5.
  gaussian: [{ bits, outer: "trust", error: 5.156716522e-2, masked: 0.1336144 }],
};

/** The largest power of two that is not above a positive normal number: exact, where log2 is not on every driver. */
function powerOfTwoBelow(x: ScalarExpr): ScalarExpr {
  const exponent = 0x7f800000;
  return unary("bitcast_f32", binary("and", unary("bitcast_u32", x), uint(exponent)));
}
