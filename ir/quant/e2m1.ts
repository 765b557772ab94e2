// FP4: the grid E2M1 with a Gaussian-optimal scale per row (arXiv:2502.05003, section 4; spec 1.2, 1.3 and P4).
import { binary, float, type ScalarExpr, times, unary } from "../scalar.ts";
import { e2m1Code, largestE2m1 } from "./e2m1-grid.ts";
import { epsilon } from "./gaussian.ts";
import type { Quantizer } from "./quantizer.ts";
import { oneWidthOf, onSetting, outerSetting, rowSettings, rowSides, settingReader } from "./settings.ts";

const bits = 4;

/** MSE-optimal unit of N(0,1), in units of the row's rms: the value of the published code. */
export const optimalUnit = 0.48707976;

/**
 * The threshold that runs of the published code had, in units of the rms: it is computed before these levels replace those of the
 * 4-bit Lloyd quantizer (spec P4). Intended was half the outermost gap, which is one unit.
 */
const publishedThreshold = 0.3185766077745813;

const settings = {
  on: onSetting,
  ...rowSettings({ hadamard: "auto" }),
  outer: outerSetting("trust", ["trust", "published"]),
};

export const e2m1: Quantizer = {
  name: "e2m1",
  summary: "FP4: the levels of E2M1 with a Gaussian-optimal scale per row, with QuEST's rotation and trust gradient.",
  source: "arXiv:2502.05003, section 4.4; the grid is that of the OCP Microscaling Formats Specification 1.0, section 5.3.3",
  formula: {
    step: "s = 0.48707976 (rms + 1e-8)",
    code: "the bits of the nearest level, sign first, ties to the smaller magnitude; -0 is not made",
    mask: "`trust`: |v| <= 7, one step beyond the outermost level. `published`: |Q(v) - v| <= 0.654054, the threshold of published runs, which masks a strip around 5 too. A factor f: |v| <= 6 f",
  },
  settings,

  sides(given, columns) {
    const read = settingReader("e2m1", settings, given);
    const outer = read("outer");
    return rowSides(oneWidthOf(read, bits), read, columns, () => (typeof outer === "number" || outer === "published" ? outer : "trust"));
  },

  grid: "e2m1",
  widths: [bits],
  outers: ["trust", "published", "clip"],
  statistic: "mean_square",
  step: (meanSquare) => times(binary("add", unary("sqrt", meanSquare), float(epsilon)), float(optimalUnit)),
  code: e2m1Code,

  mask(x, step, _bits, outer) {
    const magnitude = unary("abs", x);
    const within = (steps: number): ScalarExpr => binary("le", magnitude, times(step, float(steps)));
    if (typeof outer === "number") return within(outer * largestE2m1);
    // Half the outermost gap is one step, and no error inside the grid is larger.
    if (outer === "trust") return within(largestE2m1 + 1);
    const threshold = publishedThreshold / optimalUnit;
    // Of the gaps only the outermost, from 4 to 6, is wide enough for errors beyond the threshold.
    const isInGap = binary(
      "and",
      binary("gt", magnitude, times(step, float(4 + threshold))),
      binary("lt", magnitude, times(step, float(6 - threshold))),
    );
    return binary("and", within(largestE2m1 + threshold), unary("not", isInGap));
  },

  scaleGradient: "none",
  gaussian: [
    { bits, outer: "trust", error: 1.26849041e-2, masked: 0.00065068 },
    { bits, outer: "published", error: 1.26849041e-2, masked: 0.01537057 },
  ],
};
