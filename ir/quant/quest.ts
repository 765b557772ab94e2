// QuEST: Gaussian-optimal clip scale per row, half-integer grid, trust-masked gradient (arXiv:2502.05003, sections 3.1-3.3).
import { reject } from "../diagnostic.ts";
import { binary, cast, float, minus, over, plus, type ScalarExpr, times, unary } from "../scalar.ts";
import type { SettingValue } from "./choice.ts";
import { flooredCode, type Outer, type Quantizer, type Setting, type Side } from "./quantizer.ts";

/**
 * MSE-optimal clip scale of N(0,1) for 1 to 8 bits, in units of the row's rms. The values of the published code, which stop
 * short of the optimum from 6 bits on (by at most 0.16 % of the error).
 */
const optimalScale: readonly number[] = [
  0.7978845587140913, 1.4935346200015913, 2.051068354131873, 2.513930578568423, 2.9160938834961225, 3.276597282593217, 3.6010497188221655,
  3.884938678807525,
];

/** Keeps the scale of an all-zero row positive. It is part of the scale, but not of the trust threshold. */
const epsilon = 1e-8;

/** Factors of the outer clip at 1 bit, where the plain trust strip is a whole scale wide and hurts (paper, Appendix A.2). */
const outerAtOneBit = { rotated: 1.3, plain: 1.25 };

/** Of `auto`, and of what kernels can do. */
const largestBlock = 128;
const smallestAutoBlock = 8;

const isBits = (v: SettingValue) => v === "none" || (Number.isInteger(v) && Number(v) >= 1 && Number(v) <= 8);
const isPositiveInteger = (v: SettingValue) => Number.isInteger(v) && Number(v) >= 1;

const settings = {
  w: { describe: "bits of the weight: 1 to 8, or none", accepts: isBits },
  a: { describe: "bits of the activation: 1 to 8, or none", accepts: isBits },
  group: {
    describe: "elements that share a scale: row, or a number that divides the axis",
    fallback: "row",
    accepts: (v) => v === "row" || isPositiveInteger(v),
  },
  hadamard: {
    describe: "block of the rotation: auto, a power of two up to 128 that divides the axis, or none",
    fallback: "auto",
    accepts: (v) => v === "auto" || v === "none" || isPositiveInteger(v),
  },
  rotation: { describe: "half, or full to rotate back after quantization", fallback: "half", accepts: (v) => v === "half" || v === "full" },
  outer: {
    describe: "gradient mask at the outer levels: auto, trust, or a factor of the scale",
    fallback: "auto",
    accepts: (v) => v === "auto" || v === "trust" || (typeof v === "number" && v > 0),
  },
} as const satisfies Record<string, Setting>;

const isPowerOfTwo = (n: number) => n >= 1 && Number.isInteger(Math.log2(n));

function blockFor(setting: SettingValue, columns: number): number {
  if (setting === "none") return 1;
  if (setting === "auto") {
    let block = largestBlock;
    while (columns % block !== 0) block /= 2;
    if (block >= smallestAutoBlock) return block;
    return reject(
      `hadamard = auto finds no block for an axis of ${columns}: the largest power of two that divides it is ${block}, below ${smallestAutoBlock}`,
      ["say `hadamard = none`, or choose an axis that 8 divides"],
    );
  }
  const block = Number(setting);
  if (!isPowerOfTwo(block)) return reject(`hadamard = ${block} is not a power of two`, blockHelp(columns));
  if (block > largestBlock) return reject(`hadamard = ${block} is above ${largestBlock}, the widest block that kernels make`);
  if (columns % block !== 0) return reject(`hadamard = ${block} does not divide the axis of ${columns}`, blockHelp(columns));
  return block;
}

function blockHelp(columns: number): readonly string[] {
  let largest = largestBlock;
  while (columns % largest !== 0) largest /= 2;
  return largest === 1 ? ["the axis is odd: say `hadamard = none`"] : [`the largest block that fits is \`hadamard = ${largest}\``];
}

export const quest: Quantizer = {
  name: "quest",
  summary: "QuEST: Walsh-Hadamard rotation, Gaussian-optimal scale per row, half-integer grid, trust gradient.",
  source: "arXiv:2502.05003, sections 3.1-3.3 and Appendix A.2",
  settings,

  sides(given, columns) {
    const setting = (name: keyof typeof settings): SettingValue => {
      const declared: Setting = settings[name];
      return given[name] ?? declared.fallback ?? reject(`\`quest\` needs the setting \`${name}\` (${declared.describe})`);
    };
    if (setting("w") === "none" && setting("a") === "none") return {};
    const block = blockFor(setting("hadamard"), columns);
    const groupSetting = setting("group");
    const group = groupSetting === "row" ? "row" : Number(groupSetting);
    if (group !== "row" && columns % group !== 0) reject(`group = ${group} does not divide the axis of ${columns}`);
    const oneSided = setting("w") === "none" || setting("a") === "none";
    // A rotated weight against an unrotated activation is another function (spec P8): a lone side must rotate back.
    const rotation = block === 1 ? "none" : oneSided || setting("rotation") === "full" ? "full" : "half";
    const outerFor = (bits: number): Outer => {
      const outer = setting("outer");
      if (outer === "trust" || typeof outer === "number") return outer;
      return bits === 1 ? (rotation === "none" ? outerAtOneBit.plain : outerAtOneBit.rotated) : "trust";
    };
    const side = (bits: SettingValue): Side | undefined =>
      bits === "none" ? undefined : { bits: Number(bits), block, rotation, group, outer: outerFor(Number(bits)) };
    const weight = side(setting("w"));
    const activation = side(setting("a"));
    return { ...(weight === undefined ? {} : { weight }), ...(activation === undefined ? {} : { activation }) };
  },

  grid: "half",
  statistic: "mean_square",

  // step = 2 (alpha rms + eps) / (n - 1)
  step(meanSquare, bits) {
    const alpha = optimalScale[bits - 1];
    if (alpha === undefined) throw new Error(`no optimal scale for ${bits} bits`);
    const scale = plus(times(float(alpha), unary("sqrt", meanSquare)), float(epsilon));
    return times(scale, float(2 / (2 ** bits - 1)));
  },

  code: (x, step, bits) => cast("i32", flooredCode(x, step, bits)),

  mask(x, step, bits, outer) {
    const intervals = 2 ** bits - 1;
    if (outer !== "trust") return binary("le", unary("abs", x), times(step, float((outer * intervals) / 2)));
    // |Q(x) - x| <= T rms with T rms = step / 2 - eps / (n - 1), divided by the step. Inside the grid the error never exceeds
    // half a step, so this cuts the clipped elements beyond half a step, and all of an all-zero row.
    const distance: ScalarExpr = unary("abs", minus(over(x, step), plus(flooredCode(x, step, bits), float(0.5))));
    // In f32 the part of epsilon is lost beside 0.5 unless the step is tiny, so an element half way between levels (an exact
    // zero, say) is trusted. Half an ulp on top makes it so in f64 too; f32 rounds that away.
    return binary("le", distance, minus(float(0.5 + 2 ** -26), over(float(epsilon / intervals), step)));
  },

  scaleGradient: "none",
};
