// Weights pruned to half and rounded on QuEST's grid: 4:8 by pairs, as QuEST's experiments have it, and plain 2:4, as Quartet's code has it
// (arXiv:2502.05003, section 4.4; spec 1.3, 1.5 and P5). Activations of such a site are QuEST's.
import { reject } from "../diagnostic.ts";
import { binary, cast, float, int, plus, type ScalarExpr, type SparseUnit, times, unary } from "../scalar.ts";
import { unitsOfGroup } from "../sparse.ts";
import { epsilon, flooredCode, optimalScaleOf } from "./gaussian.ts";
import type { Outer, Quantizer, Setting, Side } from "./quantizer.ts";
import { quest } from "./quest.ts";
import { outerSetting, rowSettings, settingReader } from "./settings.ts";
import { levelBitsOf } from "./sparse-packing.ts";

/** |x| <= a number of steps. */
const within = (x: ScalarExpr, step: ScalarExpr, steps: number): ScalarExpr => binary("le", unary("abs", x), times(step, float(steps)));

const outermost = (bits: number): number => (2 ** levelBitsOf(bits) - 1) / 2;

interface Form {
  readonly name: string;
  readonly summary: string;
  readonly source: string;
  readonly unit: SparseUnit;
  /** What both sides have where nothing else is said. */
  readonly bits: number;
  readonly most: number;
  readonly kept: string;
}

function pruned({ name, summary, source, unit, bits: usual, most, kept }: Form): Quantizer {
  const bits = (side: string, least: number, largest: number, orNone: boolean): Setting => ({
    describe: `bits of the ${side}: ${least} to ${largest}${orNone ? ", or none" : ""}`,
    fallback: usual,
    accepts: (v) => (orNone && v === "none") || (Number.isInteger(v) && Number(v) >= least && Number(v) <= largest),
  });
  const settings = {
    w: bits("kept weight", 1, most, false),
    a: bits("activation", 1, 8, true),
    ...rowSettings({ hadamard: "auto" }),
    outer: outerSetting("trust", ["trust", "all"]),
  };
  return {
    name,
    summary,
    source,
    formula: {
      step: "s = 2 a (rms + 1e-8) / (n - 1), with n = 2^(bits - 1) levels and a the scale that rounds N(0,1) on them best; of the whole row, pruned or not",
      code: `${kept}; of equal norms the later stays. There q = 2 clamp(floor(v), -n/2, n/2 - 1) + 1, elsewhere 0; x is rounded to q s / 2`,
      mask: "`trust`: |v| <= n/2 where x stays, |v| <= 1/2 where it is pruned. `all`: everywhere. A factor f: |v| <= f (n - 1) / 2",
    },
    settings,

    sides(given, columns) {
      const read = settingReader(name, settings, given);
      const group = unitsOfGroup * unit;
      if (columns % group !== 0) reject(`\`${name}\` prunes groups of ${group}, which do not divide the axis of ${columns}`);
      const outer = read("outer");
      const { weight, activation } = quest.sides(
        { w: read("w"), a: read("a"), group: read("group"), hadamard: read("hadamard"), rotation: read("rotation") },
        columns,
      );
      const ofWeight = (side: Side): Side => ({
        ...side,
        bits: side.bits + 1,
        outer: typeof outer === "number" || outer === "all" ? outer : "trust",
      });
      return {
        ...(weight === undefined ? {} : { weight: ofWeight(weight) }),
        ...(activation === undefined ? {} : { activation: { ...activation, scheme: quest.name } }),
      };
    },

    grid: "sparse_half",
    widths: Array.from({ length: most }, (_, i) => i + 2),
    outers: ["trust", "all", "clip"],
    statistic: "mean_square",

    step(meanSquare, width) {
      const levels = levelBitsOf(width);
      // Unlike QuEST's, epsilon is part of the deviation that the threshold follows from (spec P5), which is half a step then.
      return times(plus(unary("sqrt", meanSquare), float(epsilon)), float((2 * optimalScaleOf(levels)) / (2 ** levels - 1)));
    },

    code: (x, step, width) => plus(times(cast("i32", flooredCode(x, step, levelBitsOf(width))), int(2)), int(1)),
    mask: (x, step, width, outer) => within(x, step, reach(outer, width, outermost(width) + 0.5)),
    sparsity: { unit, mask: (x, step, width, outer) => within(x, step, reach(outer, width, 0.5)) },
    scaleGradient: "none",
    // What is pruned depends on neighbours, not on the distribution alone.
    gaussian: [],
  };
}

/** How far from zero gradients pass, in steps. */
const reach = (outer: Outer, bits: number, trusted: number): number => (typeof outer === "number" ? outer * outermost(bits) : trusted);

export const sparse48 = pruned({
  name: "sparse_4_8",
  summary: "INT4 weights of which half are pruned: 2 of 4 neighbouring pairs stay, on QuEST's grid. Activations are QuEST's, dense.",
  source: "arXiv:2502.05003, section 4.4 (there 2:4 INT4) and its published code",
  unit: 2,
  bits: 4,
  most: 7,
  kept: "of the 4 pairs of each 8 neighbours the 2 with the largest norms stay",
});

export const sparse24 = pruned({
  name: "sparse_2_4",
  summary: "Weights of which half are pruned: 2 of 4 neighbours stay, on QuEST's grid. Activations are QuEST's, dense.",
  source: "the published code of Quartet (arXiv:2505.14669), with QuEST's rms for the deviation (arXiv:2502.05003)",
  unit: 1,
  bits: 8,
  most: 8,
  kept: "of each 4 neighbours the 2 with the largest magnitudes stay",
});
