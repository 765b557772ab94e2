// Settings that quantizers with a learned scale share, and what they mean at a site.
import type { Settings, SettingValue } from "./choice.ts";
import type { LearnedSide, Outer, Setting, Side } from "./quantizer.ts";
import { rowSettings, rowSides, settingReader, widthSettings, widthsOf } from "./settings.ts";

/** Of a factor of the initial scale: a step of AdamW moves it by the learning rate, and scales move by more than weights do. */
const rateOfFactor = 10;

// As in the published comparisons, nothing is rotated where a policy does not ask for it. The scale is the tensor's: there are no groups.
const { hadamard, rotation } = rowSettings({ hadamard: "none" });

export const learnedSettings = {
  ...widthSettings(1, 8),
  hadamard,
  rotation,
  learn: {
    describe: "what is learned: scale, or factor: a factor of the initial scale, from 1 on",
    fallback: "scale",
    accepts: (v) => v === "scale" || v === "factor",
  },
  rate: {
    describe: `what the learning rate is multiplied by for it: auto (1 for the scale, ${rateOfFactor} for a factor of it), or a positive number`,
    fallback: "auto",
    accepts: (v) => v === "auto" || (typeof v === "number" && v > 0),
  },
} as const satisfies Record<string, Setting>;

type Learned = Side & Required<Pick<Side, "learned">>;

/** How a scale is held, from `learn` and `rate`. */
export function learnedOf(read: (name: "learn" | "rate") => SettingValue): LearnedSide {
  const learns = read("learn") === "factor" ? "factor" : "value";
  const rate = read("rate");
  return { learns, rate: typeof rate === "number" ? rate : learns === "factor" ? rateOfFactor : 1 };
}

/** The sides of a quantizer with these settings. */
export function learnedSides(
  scheme: string,
  given: Settings,
  columns: number,
  outerOf: (bits: number, rotation: Side["rotation"]) => Outer,
): { readonly weight?: Learned; readonly activation?: Learned } {
  const read = settingReader(scheme, learnedSettings, given);
  const learned = learnedOf(read);
  const { weight, activation } = rowSides(widthsOf(read), (name) => (name === "group" ? "row" : read(name)), columns, outerOf);
  return {
    ...(weight === undefined ? {} : { weight: { ...weight, learned } }),
    ...(activation === undefined ? {} : { activation: { ...activation, learned } }),
  };
}
