// Plain straight-through estimators on QuEST's grid, by two scales: what masks and learned scales are compared with.
import { cast } from "../scalar.ts";
import { flooredCode, gaussianErrors, gaussianStep, halfGridStep } from "./gaussian.ts";
import type { Quantizer } from "./quantizer.ts";
import { rowSettings, rowSides, settingReader, widthSettings, widthsOf } from "./settings.ts";

// As in the published comparisons, nothing is rotated where a policy does not ask for it.
const settings = { ...widthSettings(1, 8), ...rowSettings({ hadamard: "none" }) };

const formula = { code: "q = clamp(floor(v), -n/2, n/2 - 1); x is rounded to (q + 1/2) s", mask: "everywhere" };

const rules = {
  settings,
  grid: "half",
  widths: [1, 2, 3, 4, 5, 6, 7, 8],
  outers: ["all"],
  code: (x, step, bits) => cast("i32", flooredCode(x, step, bits)),
  mask(): never {
    throw new Error("a straight-through estimator has no mask");
  },
  scaleGradient: "none",
} as const satisfies Partial<Quantizer>;

const sidesOf =
  (scheme: string): Quantizer["sides"] =>
  (given, columns) => {
    const read = settingReader(scheme, settings, given);
    return rowSides(widthsOf(read), read, columns, () => "all");
  };

export const ste: Quantizer = {
  ...rules,
  name: "ste",
  summary: "Plain straight-through estimator with QuEST's grid and scale: every gradient passes, also those of clipped elements.",
  source: "arXiv:2502.05003, section 4.1 (STE); arXiv:1308.3432",
  formula: { ...formula, step: "s = 2 (a rms + 1e-8) / (n - 1), with a the scale that rounds N(0,1) best" },
  sides: sidesOf("ste"),
  statistic: "mean_square",
  step: gaussianStep,
  gaussian: gaussianErrors.map((error, i) => ({ bits: i + 1, outer: "all", error, masked: 0 })),
};

export const steAbsmax: Quantizer = {
  ...rules,
  name: "ste_absmax",
  summary:
    "Plain straight-through estimator with the row's largest magnitude on the outermost level: nothing is clipped. Rotated, it is QuaRot's.",
  source: "arXiv:2502.05003, section 4.1 (QuaRot as a baseline of training); arXiv:2404.00456",
  formula: { ...formula, step: "s = 2 (max|x| + 1e-8) / (n - 1)" },
  sides: sidesOf("ste_absmax"),
  statistic: "abs_max",
  step: halfGridStep,
  // The largest magnitude grows with the length of the row.
  gaussian: [],
};
