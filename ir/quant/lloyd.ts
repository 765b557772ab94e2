// Gaussian levels: each row's rms times the levels that Lloyd's algorithm finds for N(0,1) (arXiv:2502.05003, code; spec 1.3).
import { binary, float, plus, times, unary } from "../scalar.ts";
import { epsilon } from "./gaussian.ts";
import { lloydCode, lloydLevels, lloydWidths } from "./lloyd-levels.ts";
import type { GaussianFigure, Quantizer } from "./quantizer.ts";
import { outerSetting, rowSettings, rowSides, settingReader, widthSettings, widthsOf } from "./settings.ts";

const settings = { ...widthSettings(1, 4), ...rowSettings({ hadamard: "auto" }), outer: outerSetting("trust", ["trust", "all"]) };

const outermost = (bits: number): number => lloydLevels(bits).at(-1) ?? Number.NaN;

/** Half the outermost gap: no error inside the grid is larger. */
const trust = (bits: number): number => (outermost(bits) - (lloydLevels(bits).at(-2) ?? -outermost(bits))) / 2;

/** Of N(0,1), by width: mean square error, and the share beyond the outermost level and half its gap. */
const errors = [3.633802276e-1, 1.174818481e-1, 3.467975611e-2, 1.04684031e-2];
const masked = [0.11054035, 0.04142211, 0.00925602, 0.00100698];

export const lloyd: Quantizer = {
  name: "lloyd",
  summary: "Levels placed for a normal distribution instead of equidistant ones, with QuEST's rotation and trust gradient.",
  source: "arXiv:2502.05003, its published code (Gaussian quantizers); Lloyd, Least squares quantization in PCM, 1982",
  formula: {
    step: "s = rms + 1e-8",
    code: "q counts the levels in ascending order, from -n/2; x is rounded to the nearest level",
    mask: "`trust`: |Q(v) - v| <= half the outermost gap. `all`: everywhere. A factor f: |v| <= f times the outermost level",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("lloyd", settings, given);
    const outer = read("outer");
    return rowSides(widthsOf(read), read, columns, () => (typeof outer === "number" || outer === "all" ? outer : "trust"));
  },

  grid: "lloyd",
  widths: lloydWidths,
  outers: ["trust", "all", "clip"],
  statistic: "mean_square",
  step: (meanSquare) => plus(unary("sqrt", meanSquare), float(epsilon)),
  code: lloydCode,
  mask(x, step, bits, outer) {
    const steps = typeof outer === "number" ? outer * outermost(bits) : outermost(bits) + trust(bits);
    return binary("le", unary("abs", x), times(step, float(steps)));
  },
  scaleGradient: "none",
  gaussian: errors.map((error, i): GaussianFigure => ({ bits: i + 1, outer: "trust", error, masked: masked[i] ?? Number.NaN })),
};
