// Cases of ir/ops/prune.ts, and of quantizers that prune.
import type { OpCases, SemanticsCase } from "../support/case.ts";
import { b1, f32, q, random } from "../support/values.ts";

// Pairs of squares 1, 4, 9 and 1.25.
const row = f32([1, 8], [1, 0, 0, 2, 3, 0, -1, 0.5]);
const equal = f32([1, 8], [1, 0, 0, -1, 0, 1, -1, 0]);

const masks: readonly SemanticsCase[] = [
  { what: "pairs by their norms", operands: [row], attrs: { unit: "pair" }, expect: [b1([1, 8], [0, 0, 1, 1, 1, 1, 0, 0])] },
  { what: "elements by their magnitudes", operands: [row], attrs: { unit: "element" }, expect: [b1([1, 8], [1, 0, 0, 1, 1, 0, 1, 0])] },
  { what: "of equal norms the later", operands: [equal], attrs: { unit: "pair" }, expect: [b1([1, 8], [0, 0, 0, 0, 1, 1, 1, 1])] },
];

export const pruneCases: Readonly<Record<"prune" | "prune.mask", OpCases>> = {
  "prune.mask": {
    semantics: masks,
    rejects: [{ operands: [f32([2, 12], Array(24).fill(1))], attrs: { unit: "pair" }, says: "takes rows of groups of 8, got f32[2, 12]" }],
  },
  prune: {
    semantics: [
      { what: "zero where it does not stay", operands: [row], attrs: { unit: "pair" }, expect: [f32([1, 8], [0, 0, 0, 2, 3, 0, -0, 0])] },
      { what: "elements", operands: [f32([1, 4], [4, -1, 3, 2])], attrs: { unit: "element" }, expect: [f32([1, 4], [4, -0, 3, 0])] },
    ],
    gradients: [
      { what: "pairs", operands: [random(81, [3, 16])], attrs: { unit: "pair" } },
      { what: "elements", operands: [random(82, [2, 2, 8])], attrs: { unit: "element" } },
    ],
    rejects: [{ operands: [f32([2], [1, 1])], attrs: { unit: "element" }, says: "takes rows of groups of 4, got f32[2]" }],
  },
};

const pruned = { scheme: "sparse_4_8", bits: 5 };
// Pairs of squares 25, 1, 26 and 0.5.
const weights = f32([1, 8], [3, -4, 1, 0, 1, -5, 0.5, 0.5]);
const half = f32([1, 1], [0.5]);

/** Of the ops of quant.ts, by op. */
export const prunedCodes = {
  scale: [
    {
      what: "of the whole row, pruned or not; epsilon is part of the deviation",
      operands: [f32([1, 8], [1, -1, 1, -1, 1, 1, 1, 1])],
      attrs: pruned,
      expect: [f32([1, 1], [(2 * 2.513930578568423 * (1 + 1e-8)) / 15])],
      within: 1e-15,
    },
  ],
  encode: [
    { what: "pruned by pairs: odd levels and zero", operands: [weights, f32([1, 1], [1])], attrs: pruned, expect: [q(5, "sparse_half", [1, 8], [7, -7, 0, 0, 3, -9, 0, 0])] },
    { what: "pruned by pairs, clamped", operands: [weights, half], attrs: pruned, expect: [q(5, "sparse_half", [1, 8], [13, -15, 0, 0, 5, -15, 0, 0])] },
    {
      what: "pruned by elements, a scale for each group",
      operands: [f32([1, 8], [1, -2, 3, -4, 1, -2, 3, -4]), f32([1, 2], [1, 0.5])],
      attrs: { scheme: "sparse_2_4", bits: 5 },
      expect: [q(5, "sparse_half", [1, 8], [0, 0, 7, -7, 0, 0, 13, -15])],
    },
  ],
  mask: [
    { what: "what is pruned is trusted up to half a step", operands: [weights, half], attrs: pruned, expect: [b1([1, 8], [1, 1, 0, 1, 1, 0, 0, 0])] },
    { what: "clipped at the outermost level, pruned or not", operands: [weights, half], attrs: { ...pruned, outer: 1 }, expect: [b1([1, 8], [1, 0, 1, 1, 1, 0, 1, 1])] },
  ],
  decode: [{ what: "halves of the scale, and zero", operands: [q(5, "sparse_half", [1, 4], [0, -15, 1, 3]), f32([1, 1], [2])], expect: [f32([1, 4], [0, -15, 1, 3])] }],
  dot: [
    {
      what: "pruned levels against those of the half grid",
      operands: [q(5, "sparse_half", [1, 4], [0, 3, -15, 0]), f32([1, 1], [2]), q(2, "half", [1, 4], [0, -1, -2, 1]), f32([1, 1], [1])],
      attrs: { contract: [[1], [1]], batch: [[], []] },
      expect: [f32([1, 1], [21])],
    },
  ],
} as const satisfies Record<string, readonly SemanticsCase[]>;
