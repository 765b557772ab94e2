// Names of what a packed weight consists of, as state and as tensors of a file: `layers.0.attn.wq.weight#codes`. The one place that spells them.
import { wholeName } from "./state-piece.ts";

/** `codes` and `scale` are always there; `offset` where rows are rounded less a number each; `kept`, of pruned weights, in files alone. */
export type PackedPart = "codes" | "scale" | "offset" | "kept";

/** `weight` is the parameter's name, with `#2` behind it for a second way of rounding the same one. */
export const packedName = (weight: string, part: PackedPart): string => `${weight}#${part}`;

const codesSuffix = packedName("", "codes");

/** The weight whose codes a state holds, or whose rows it holds some of; undefined where it holds none. */
export function weightOfCodes(state: string): string | undefined {
  const whole = wholeName(state);
  return whole.endsWith(codesSuffix) ? whole.slice(0, -codesSuffix.length) : undefined;
}
