// Weights pruned to half and not rounded: what pruning alone costs beside the quantizers that prune too (spec 1.3, 1.5).
import { reject } from "../diagnostic.ts";
import type { SparseUnit } from "../scalar.ts";
import { unitsOfGroup } from "../sparse.ts";
import type { Pruner } from "./quantizer.ts";
import { rowSettings, rowSides, settingReader } from "./settings.ts";

const { hadamard, rotation } = rowSettings({ hadamard: "none" });
const settings = { hadamard, rotation };

const pruner = (name: string, unit: SparseUnit, keeps: string, source: string): Pruner => ({
  name,
  summary: `Weights of which half are pruned, not rounded: ${keeps} stay. Activations are left as they are.`,
  source,
  keeps,
  unit,
  settings,
  sides(given, columns) {
    const read = settingReader(name, settings, given);
    const group = unitsOfGroup * unit;
    if (columns % group !== 0) reject(`\`${name}\` prunes groups of ${group}, which do not divide the axis of ${columns}`);
    return rowSides(
      { weight: 32, activation: undefined },
      (setting) => (setting === "group" ? "row" : read(setting)),
      columns,
      () => "all",
    );
  },
});

export const prune48 = pruner(
  "prune_4_8",
  2,
  "of the 4 pairs of each 8 neighbours the 2 with the largest norms",
  "arXiv:2502.05003, its published code (masked quantizer without rounding)",
);

export const prune24 = pruner("prune_2_4", 1, "of each 4 neighbours the 2 with the largest magnitudes", "arXiv:2104.08378, section 3");
