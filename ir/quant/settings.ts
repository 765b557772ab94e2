// Settings that quantizers share: widths of the two sides, groups, rotation, gradient mask; and what they mean at a site.
import { reject } from "../diagnostic.ts";
import type { Settings, SettingValue } from "./choice.ts";
import type { MaskRule, Outer, Setting, Side } from "./quantizer.ts";

/** Of `auto`, and of what kernels can do. */
const largestBlock = 128;
const smallestAutoBlock = 8;

const isPositiveInteger = (v: SettingValue) => Number.isInteger(v) && Number(v) >= 1;

/** `w` and `a`, for quantizers of several widths from `least` to `most` bits. */
export function widthSettings(least: number, most: number): { readonly w: Setting; readonly a: Setting } {
  const bits = (side: string): Setting => ({
    describe: `bits of the ${side}: ${least} to ${most}, or none`,
    accepts: (v) => v === "none" || (Number.isInteger(v) && Number(v) >= least && Number(v) <= most),
  });
  return { w: bits("weight"), a: bits("activation") };
}

/** `on`, for quantizers of one width. */
export const onSetting: Setting = {
  describe: "what is quantized: both, weight or activation",
  fallback: "both",
  accepts: (v) => v === "both" || v === "weight" || v === "activation",
};

export function rowSettings(defaults: { readonly group?: number; readonly hadamard: "auto" | "none" | number }) {
  return {
    group: {
      describe: "elements that share a scale: row, or a number that divides the axis",
      fallback: defaults.group ?? "row",
      accepts: (v) => v === "row" || isPositiveInteger(v),
    },
    hadamard: {
      describe: "block of the rotation: auto, a power of two up to 128 that divides the axis, or none",
      fallback: defaults.hadamard,
      accepts: (v) => v === "auto" || v === "none" || isPositiveInteger(v),
    },
    rotation: {
      describe:
        "half; full: rotated back after quantization, as a side quantized alone is by itself; absorbed: such a side stays rotated, for training from scratch",
      fallback: "half",
      accepts: (v) => v === "half" || v === "full" || v === "absorbed",
    },
  } as const satisfies Record<string, Setting>;
}

/** `outer`, for quantizers whose masks are these rules or a factor of the outermost level. */
export function outerSetting(fallback: MaskRule | "auto", rules: readonly string[]): Setting {
  return {
    describe: `gradient mask at the outer levels: ${rules.join(", ")}, or a factor of the scale`,
    fallback,
    accepts: (v) => (typeof v === "number" ? v > 0 : rules.includes(v)),
  };
}

/** The value of a setting of a scheme: what is given, or its fallback. */
export function settingReader<N extends string>(
  scheme: string,
  settings: Readonly<Record<N, Setting>>,
  given: Settings,
): (name: N) => SettingValue {
  return (name) =>
    given[name] ?? settings[name].fallback ?? reject(`\`${scheme}\` needs the setting \`${name}\` (${settings[name].describe})`);
}

/** Bits of both sides from `w` and `a`; undefined is float. */
export function widthsOf(read: (name: "w" | "a") => SettingValue): Widths {
  const bits = (v: SettingValue) => (v === "none" ? undefined : Number(v));
  return { weight: bits(read("w")), activation: bits(read("a")) };
}

/** Bits of both sides from `on`. */
export function oneWidthOf(read: (name: "on") => SettingValue, bits: number): Widths {
  const on = read("on");
  return { weight: on === "activation" ? undefined : bits, activation: on === "weight" ? undefined : bits };
}

interface Widths {
  readonly weight: number | undefined;
  readonly activation: number | undefined;
}

/** What the settings of {@link rowSettings} mean for a contraction over `columns` elements. */
export function rowSides(
  { weight, activation }: Widths,
  read: (name: "group" | "hadamard" | "rotation") => SettingValue,
  columns: number,
  outerOf: (bits: number, rotation: Side["rotation"]) => Outer,
): { readonly weight?: Side; readonly activation?: Side } {
  if (weight === undefined && activation === undefined) return {};
  const block = blockFor(read("hadamard"), columns);
  const groupSetting = read("group");
  const group = groupSetting === "row" ? "row" : Number(groupSetting);
  if (group !== "row" && columns % group !== 0) reject(`group = ${group} does not divide the axis of ${columns}`);
  const oneSided = weight === undefined || activation === undefined;
  const asked = read("rotation");
  if (asked === "absorbed" && !oneSided) reject("rotation = absorbed is for one quantized side alone: here both are rotated");
  // A rotated weight against an unrotated activation is another function (spec P8), which training from scratch may learn and a model that
  // is there cannot be turned into: else a lone side rotates back.
  const rotation = block === 1 ? "none" : asked === "full" || (oneSided && asked !== "absorbed") ? "full" : "half";
  const side = (bits: number): Side => ({ bits, block, rotation, group, outer: outerOf(bits, rotation) });
  return {
    ...(weight === undefined ? {} : { weight: side(weight) }),
    ...(activation === undefined ? {} : { activation: side(activation) }),
  };
}

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
