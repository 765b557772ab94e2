// Ternary (1.58 bits): the levels -a, 0 and a with the Gaussian-optimal a per row. What QuEST's published code calls 1.585 bits has
// four levels; this has three (spec 1.2).
import { binary, cast, float, over, plus, times, unary } from "../scalar.ts";
import { epsilon } from "./gaussian.ts";
import type { Quantizer } from "./quantizer.ts";
import { oneWidthOf, onSetting, outerSetting, rowSettings, rowSides, settingReader } from "./settings.ts";

/** Codes are stored in 2 bits, of whose four values -2 is never made. */
const bits = 2;

/** MSE-optimal level of N(0,1) with a zero, in units of the row's rms. The published value; the optimum is 1.2240063619. */
const optimalLevel = 1.2240089519030855;

const settings = { on: onSetting, ...rowSettings({ hadamard: "auto" }), outer: outerSetting("trust", ["trust"]) };

export const ternary: Quantizer = {
  name: "ternary",
  summary: "Three levels, -1, 0 and 1 times a Gaussian-optimal scale per row (1.58 bits), with QuEST's rotation and trust gradient.",
  source: "the scale of arXiv:2502.05003, section 3.1, on three levels",
  formula: {
    step: "s = 1.2240089519030855 rms + 1e-8",
    code: "q = clamp(round(v), -1, 1); x is rounded to q s",
    mask: "`trust`: |v| <= 3/2, half a step beyond the outermost level. A factor f: |v| <= f",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("ternary", settings, given);
    const outer = read("outer");
    return rowSides(oneWidthOf(read, bits), read, columns, () => (typeof outer === "number" ? outer : "trust"));
  },

  grid: "ternary",
  widths: [bits],
  outers: ["trust", "clip"],
  statistic: "mean_square",
  step: (meanSquare) => plus(times(float(optimalLevel), unary("sqrt", meanSquare)), float(epsilon)),
  code: (x, step) => cast("i32", binary("min", binary("max", unary("round", over(x, step)), float(-1)), float(1))),
  mask: (x, step, _bits, outer) => binary("le", unary("abs", x), times(step, float(typeof outer === "number" ? outer : 1.5))),
  scaleGradient: "none",
  gaussian: [
    { bits, outer: "trust", error: 1.90174039e-1, masked: 0.06635567 },
    { bits, outer: 1, error: 1.90174039e-1, masked: 0.22094885 },
  ],
};
