// Names of the values around a rounding, after the value that is rounded: x_h rotated, x_s scale, x_c codes, x_q rounded, x_m mask.
import type { Value } from "../ir/module.ts";

export type QuantPart = "h" | "s" | "c" | "q" | "m";

/** `x` or `x_h` with the part `q` is `x_q`. */
export const quantName = ({ hint }: Value, part: QuantPart): string => `${hint.replace(/_[hscqm]$/, "")}_${part}`;
