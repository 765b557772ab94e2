// Cases of ir/ops/quant.ts and ir/ops/scale-gradient.ts, with the spec's row A (section 8.1, V1 to V3); more of its vectors stand in quest-vectors.test.ts.
import type { Cases } from "../support/case.ts";
import { b1, f32, i32, q, random } from "../support/values.ts";
import { prunedCodes } from "./prune.ts";

const quest = { scheme: "quest" };
const product = { contract: [[1], [1]], batch: [[], []] };
const rowA = f32([1, 8], [0.5, -1.5, 3.0, 0.1, -0.2, 0.9, -0.7, -2.6]);
const step4 = f32([1, 1], [0.52479033]);
const step1 = f32([1, 1], [2.49841088]);

export const quantCases: Cases = {
  "quant.scale": {
    semantics: [
      ...prunedCodes.scale,
      { what: "4 bits, one a row", operands: [rowA], attrs: { ...quest, bits: 4 }, expect: [step4], within: 5e-9 },
      { what: "2 bits", operands: [rowA], attrs: { ...quest, bits: 2 }, expect: [f32([1, 1], [1.5588985])], within: 5e-9 },
      { what: "1 bit", operands: [rowA], attrs: { ...quest, bits: 1 }, expect: [step1], within: 5e-9 },
      {
        what: "groups: rms 1 and rms 2",
        operands: [f32([1, 4], [1, -1, 2, -2])],
        attrs: { ...quest, bits: 1, group: 2 },
        expect: [f32([1, 2], [2 * (0.7978845587140913 + 1e-8), 2 * (2 * 0.7978845587140913 + 1e-8)])],
        within: 1e-15,
      },
      {
        // Deviations sqrt(2) and 0.2 around means of 1 and 100: 0.689 and 0.0974 lie above 1/2 and 1/16.
        what: "powers of two from the deviation",
        operands: [f32([1, 8], [1, -1, 3, 1, 100.2, 99.8, 100.2, 99.8])],
        attrs: { scheme: "mxfp4", bits: 4, group: 4 },
        expect: [f32([1, 2], [0.5, 0.0625])],
      },
      { what: "a row of zeros", operands: [f32([1, 2], [0, 0])], attrs: { ...quest, bits: 2 }, expect: [f32([1, 1], [2e-8 / 3])], within: 1e-22 },
    ],
    rejects: [
      { operands: [rowA], attrs: { ...quest, bits: 10 }, says: "with 10 bits: there are 1 to 9" },
      { operands: [rowA], attrs: { ...quest, bits: 4, group: 3 }, says: "groups of 3 do not divide the last axis of f32[1, 8]" },
    ],
  },
  "quant.encode": {
    semantics: [
      ...prunedCodes.encode,
      { what: "4 bits", operands: [rowA, step4], attrs: { ...quest, bits: 4 }, expect: [q(4, "half", [1, 8], [0, -3, 5, 0, -1, 1, -2, -5])] },
      {
        what: "clamped at both ends; zero goes up",
        operands: [f32([1, 6], [100, -100, 0, 1, -1, 1.99]), f32([1, 1], [1])],
        attrs: { ...quest, bits: 2 },
        expect: [q(2, "half", [1, 6], [1, -2, 0, 1, -1, 1])],
      },
      {
        what: "a scale for each group",
        operands: [f32([1, 4], [1.5, -1.5, 1.5, -1.5]), f32([1, 2], [1, 0.5])],
        attrs: { ...quest, bits: 4 },
        expect: [q(4, "half", [1, 4], [1, -2, 3, -3])],
      },
      {
        what: "E2M1: ties to the smaller magnitude, zero without a sign",
        operands: [f32([1, 12], [0, 0.25, -0.25, 0.26, -0.26, 1.75, 2.5, 2.51, -5, -5.1, 100, -100]), f32([1, 1], [1])],
        attrs: { scheme: "e2m1", bits: 4 },
        expect: [q(4, "e2m1", [1, 12], [0, 0, 0, 1, -7, 3, 4, 5, -2, -1, 7, -1])],
      },
    ],
    rejects: [{ operands: [rowA, f32([1, 3], [1, 1, 1])], attrs: { ...quest, bits: 4 }, says: "one scale for each row or group of f32[1, 8], got f32[1, 3]" }],
  },
  "quant.mask": {
    semantics: [
      ...prunedCodes.mask,
      {
        what: "trusted up to half a step beyond the levels",
        // 2 bits: levels to 1.5, so |x| <= 2 passes, less the part of epsilon.
        operands: [f32([1, 6], [1.9, 2.1, -1.9, -2.1, 0.1, 0.5]), f32([1, 1], [1])],
        attrs: { ...quest, bits: 2 },
        expect: [b1([1, 6], [1, 0, 1, 0, 1, 1])],
      },
      // Half way between levels epsilon decides: lost beside a step of 1, seen beside one of 0.001.
      ...(["wide", "f32"] as const).flatMap((precision) => [
        {
          what: `half way between levels, in ${precision}`,
          precision,
          operands: [f32([1, 2], [0, 1]), f32([1, 1], [1])],
          attrs: { ...quest, bits: 2 },
          expect: [b1([1, 2], [1, 1])],
        },
        {
          what: `half way between levels that lie close, in ${precision}`,
          precision,
          operands: [f32([1, 2], [0, 0.0002]), f32([1, 1], [0.001])],
          attrs: { ...quest, bits: 2 },
          expect: [b1([1, 2], [0, 1])],
        },
      ]),
      { what: "1 bit, outer clip at 1.3", operands: [rowA, step1], attrs: { ...quest, bits: 1, outer: 1.3 }, expect: [b1([1, 8], [1, 1, 0, 1, 1, 1, 1, 0])] },
    ],
    rejects: [
      { operands: [rowA, step1], attrs: { ...quest, bits: 1, outer: "published" }, says: "`quest` has no gradient mask `outer = published`" },
      { operands: [rowA, step1], attrs: { scheme: "ste", bits: 1, outer: "all" }, says: "where every gradient passes there is no mask" },
      { operands: [rowA, step1], attrs: { scheme: "adabin", bits: 1, outer: "tanh" }, says: "where gradients are weighed there is no mask" },
      {
        operands: [f32([1, 12], Array(12).fill(1)), step1],
        attrs: { scheme: "sparse_4_8", bits: 5 },
        says: "`sparse_4_8` prunes groups of 8, which do not divide the last axis of f32[1, 12]",
      },
      { operands: [rowA, step1], attrs: { scheme: "ternary", bits: 4 }, says: "`ternary` has codes of 2 bits, not of 4" },
    ],
  },
  "quant.surrogate": {
    semantics: [
      {
        // u = 2 x / s is x here: 1 - tanh(u / 10)^2.
        what: "near 1 inside, and far outside not yet 0",
        operands: [f32([1, 3], [0, 10, -10]), f32([1, 1], [2])],
        attrs: { scheme: "adabin", bits: 1, outer: "tanh" },
        expect: [f32([1, 3], [1, 0.41997434161402614, 0.41997434161402614])],
        within: 1e-15,
      },
      {
        what: "a triangle between the levels, each row in its own units",
        operands: [f32([2, 4], [0, 0.5, -0.75, 1.5, 0, 1, -1.5, 3]), f32([2, 1], [2, 4])],
        attrs: { scheme: "adabin", bits: 1, outer: "bireal" },
        expect: [f32([2, 4], [2, 1, 0.5, 0, 2, 1, 0.5, 0])],
      },
    ],
    rejects: [
      { operands: [rowA, step1], attrs: { ...quest, bits: 1 }, says: "with `outer = trust`, which is none: tanh, bireal" },
      { operands: [rowA, step1], attrs: { ...quest, bits: 1, outer: "tanh" }, says: "`quest` has no gradient mask `outer = tanh`" },
    ],
  },
  "quant.center": {
    semantics: [
      {
        what: "a number for each row",
        operands: [f32([2, 2], [1, 2, 3, 4]), f32([2, 1], [0.5, -1])],
        expect: [f32([2, 2], [0.5, 1.5, 4, 5])],
      },
    ],
    gradients: [{ operands: [random(81, [3, 4]), random(82, [3, 1])] }],
    rejects: [{ operands: [rowA, f32([1, 8], Array(8).fill(0))], says: "one number for each row of f32[1, 8], got f32[1, 8]" }],
  },
  "quant.decode": {
    semantics: [
      ...prunedCodes.decode,
      { what: "half grid", operands: [q(2, "half", [1, 4], [-2, -1, 0, 1]), f32([1, 1], [2])], expect: [f32([1, 4], [-3, -1, 1, 3])] },
      { what: "integer grid, grouped", operands: [q(3, "integer", [1, 4], [-4, 3, -1, 2]), f32([1, 2], [0.5, 2])], expect: [f32([1, 4], [-2, 1.5, -2, 4])] },
      { what: "ternary grid", operands: [q(2, "ternary", [1, 3], [-1, 0, 1]), f32([1, 1], [0.25])], expect: [f32([1, 3], [-0.25, 0, 0.25])] },
      {
        what: "E2M1: the bits of a 4-bit float",
        operands: [q(4, "e2m1", [1, 16], [0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1]), f32([1, 1], [2])],
        expect: [f32([1, 16], [0, 1, 2, 3, 4, 6, 8, 12, -0, -1, -2, -3, -4, -6, -8, -12])],
      },
    ],
    rejects: [{ operands: [i32([1, 2], [1, 2]), f32([1, 1], [1])], says: "takes codes, got i32[1, 2]" }],
  },
  "quant.dot": {
    semantics: [
      ...prunedCodes.dot,
      {
        // (-3 -1 1 3) . (1 -1 -3 3) = 4 and (-3 -1 1 3) . (-1 1 1 3) = 12, in units of a half times a half.
        what: "half grid: levels are odd halves of the scale",
        operands: [
          q(2, "half", [1, 4], [-2, -1, 0, 1]),
          f32([1, 1], [2]),
          q(2, "half", [2, 4], [0, -1, -2, 1, -1, 0, 0, 1]),
          f32([2, 1], [0.5, 4]),
        ],
        attrs: product,
        expect: [f32([1, 2], [4 * 0.25 * 2 * 0.5, 12 * 0.25 * 2 * 4])],
      },
      {
        what: "codes of other widths and grids on either side",
        operands: [q(3, "integer", [2, 2], [-4, 3, 1, 0]), f32([2, 1], [1, 10]), q(8, "half", [1, 2], [127, -128]), f32([1, 1], [2])],
        attrs: product,
        expect: [f32([2, 1], [(-4 * 127.5 + 3 * -127.5) * 2, 127.5 * 20])],
      },
    ],
    rejects: [
      {
        operands: [f32([1, 2], [1, 1]), f32([1, 1], [1]), q(2, "half", [1, 2], [0, 0]), f32([1, 1], [1])],
        attrs: product,
        says: "takes codes of a grid of whole multiples as `lhs`, got f32[1, 2]",
      },
      {
        operands: [q(2, "half", [1, 2], [0, 0]), f32([1, 2], [1, 1]), q(2, "half", [1, 2], [0, 0]), f32([1, 1], [1])],
        attrs: product,
        says: "takes one scale for each row of q2[1, 2; grid = half], got f32[1, 2]",
      },
      {
        operands: [q(2, "half", [1, 2], [0, 0]), f32([1, 1], [1]), q(2, "half", [1, 3], [0, 0, 0]), f32([1, 1], [1])],
        attrs: product,
        says: "contracts q2[1, 2; grid = half] with q2[1, 3; grid = half]",
      },
      {
        operands: [q(2, "half", [1, 2], [0, 0]), f32([1, 1], [1]), q(2, "half", [1, 2], [0, 0]), f32([1, 1], [1])],
        attrs: { ...product, arithmetic: "planes" },
        says: "by planes does not take q2[1, 2; grid = half]",
      },
      {
        // 255 * 255 * 33025 is the last multiple below 2^31.
        operands: [q(8, "half", [1, 33026], Array(33026).fill(0)), f32([1, 1], [1]), q(8, "half", [1, 33026], Array(33026).fill(0)), f32([1, 1], [1])],
        attrs: { ...product, arithmetic: "bytes" },
        says: "by bytes: sums over 33026 products of 8 by 8 bits pass an i32",
      },
    ],
  },
  "quant.fake": {
    semantics: [
      {
        what: "row A at 4 bits",
        operands: [rowA, step4],
        attrs: { ...quest, bits: 4 },
        expect: [f32([1, 8], [0.262395, -1.311976, 2.886347, 0.262395, -0.262395, 0.787185, -0.787185, -2.361556])],
        within: 5e-7,
      },
      { what: "a scale that is a power of two is exact", operands: [random(61, [1, 4], 0.01, 0.24), f32([1, 1], [0.25])], attrs: { ...quest, bits: 3 }, expect: [f32([1, 4], [0.125, 0.125, 0.125, 0.125])] },
    ],
    gradientElsewhere: "its gradient is a rule, not a derivative: rounding.test.ts",
  },
  scale_gradient: {
    semantics: [{ what: "nothing changes", operands: [rowA], attrs: { factor: 0.1 }, expect: [rowA] }],
    gradientElsewhere: "its gradient is a rule, not a derivative: learned-scales.test.ts",
  },
};
