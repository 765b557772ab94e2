// What a weight costs by its policy: bits of its elements as packed files store them (docs/packed.md).
import type { QuantizeChoice } from "./choice.ts";
import { levelBitsOf, sparseBits } from "./sparse-packing.ts";
import { prunerNamed, quantizerNamed, schemeNamed } from "./table.ts";

/** Of an element that stays in float. */
export const floatBits = 32;

/** Bits of an element, scales and offsets not counted: 2.5 for 4:8 of 4 bits (spec 1.5), 32 where it stays in float. `columns`: length of a row. */
export function storedBits({ scheme, settings }: QuantizeChoice, columns: number): number {
  const { weight } = schemeNamed(scheme).sides(settings, columns);
  // What is pruned and not rounded has no packed form.
  if (weight === undefined || prunerNamed(scheme) !== undefined) return floatBits;
  const { sparsity } = quantizerNamed(weight.scheme ?? scheme);
  return sparsity === undefined ? weight.bits : sparseBits({ levelBits: levelBitsOf(weight.bits), unit: sparsity.unit });
}
