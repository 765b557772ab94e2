// Cases of ir/ops/broadcast.ts (sum), reductions.ts, dot.ts, softmax.ts, loss.ts and hadamard.ts.
import type { Cases } from "../support/case.ts";
import { apart, f32, i32, random, u32 } from "../support/values.ts";

const sixes = f32([2, 3], [1, 2, 3, 4, 5, 6]);
const within = 1e-14;
// Along [0, log 2, log 3]: exponentials 1, 2, 3, their sum 6.
const logs = f32([1, 3], [0, Math.log(2), Math.log(3)]);
const matrix = { contract: [[1], [1]], batch: [[], []] };

export const reductionCases: Cases = {
  sum: {
    semantics: [
      { what: "rows", operands: [sixes], attrs: { axes: [1] }, expect: [f32([2], [6, 15])] },
      { what: "columns", operands: [sixes], attrs: { axes: [0] }, expect: [f32([3], [5, 7, 9])] },
      { what: "everything", operands: [sixes], attrs: { axes: [0, 1] }, expect: [f32([], [21])] },
      { what: "nothing", operands: [sixes], attrs: { axes: [] }, expect: [sixes] },
      { what: "outer and inner axes", operands: [f32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])], attrs: { axes: [0, 2] }, expect: [f32([2], [14, 22])] },
      { what: "wrapping u32", operands: [u32([3], [4294967295, 1, 5])], attrs: { axes: [0] }, expect: [u32([], [5])] },
      // Rounded once: 2^24 + 1 + 1 in f32 after every addition would stay 2^24.
      { what: "f32, rounded once", precision: "f32", operands: [f32([3], [16777216, 1, 1])], attrs: { axes: [0] }, expect: [f32([], [16777218])] },
    ],
    gradients: [{ operands: [random(41, [2, 3, 4])], attrs: { axes: [1] } }, { operands: [random(41, [2, 3, 4])], attrs: { axes: [0, 2] } }],
    rejects: [
      { operands: [sixes], attrs: { axes: [2] }, says: "`sum` along axis 2 of f32[2, 3]" },
      { operands: [sixes], attrs: { axes: [1, 0] }, says: "the axes of `sum` ascend" },
    ],
  },
  mean: {
    semantics: [
      { what: "rows", operands: [sixes], attrs: { axes: [1] }, expect: [f32([2], [2, 5])] },
      { what: "everything", operands: [sixes], attrs: { axes: [0, 1] }, expect: [f32([], [3.5])] },
    ],
    gradients: [{ operands: [random(42, [2, 3, 4])], attrs: { axes: [1] } }, { operands: [random(42, [2, 3])], attrs: { axes: [0, 1] } }],
  },
  max: {
    semantics: [
      { what: "rows", operands: [f32([2, 3], [1, 9, -3, -4, -5, -6])], attrs: { axes: [1] }, expect: [f32([2], [9, -4])] },
      { what: "integers", operands: [i32([2, 2], [-5, 3, 2, 1])], attrs: { axes: [0] }, expect: [i32([2], [2, 3])] },
    ],
    gradients: [{ operands: [apart(43, [3, 4])], attrs: { axes: [1] } }, { operands: [apart(44, [2, 3, 2])], attrs: { axes: [0, 2] } }],
  },
  min: {
    semantics: [{ what: "columns", operands: [f32([2, 3], [1, 9, -3, -4, -5, -6])], attrs: { axes: [0] }, expect: [f32([3], [-4, -5, -6])] }],
    gradients: [{ operands: [apart(45, [3, 4])], attrs: { axes: [0] } }],
  },
  argmax: {
    semantics: [
      { what: "the first of equals", operands: [f32([2, 3], [1, 7, 7, -1, -1, -2])], attrs: { axis: 1 }, expect: [i32([2], [1, 0])] },
      { what: "along the first axis", operands: [f32([2, 3], [1, 7, 7, 2, -1, 8])], attrs: { axis: 0 }, expect: [i32([3], [1, 0, 1])] },
    ],
  },
  dot: {
    semantics: [
      {
        what: "x times the transpose of w",
        operands: [sixes, f32([2, 3], [1, 0, -1, 2, 1, 0])],
        attrs: matrix,
        expect: [f32([2, 2], [-2, 4, -2, 13])],
      },
      {
        what: "batches, with their axes anywhere",
        // lhs[k, z, m], rhs[z, k, n]: out[z, m, n]
        operands: [f32([2, 2, 1], [1, 2, 3, 4]), f32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])],
        attrs: { contract: [[0], [1]], batch: [[1], [0]] },
        // z = 0: [1, 3] x [[1, 2], [3, 4]] = [10, 14]; z = 1: [2, 4] x [[5, 6], [7, 8]] = [38, 44]
        expect: [f32([2, 1, 2], [10, 14, 38, 44])],
      },
      { what: "outer product", operands: [f32([2], [1, 2]), f32([2], [3, 4])], attrs: { contract: [[], []], batch: [[], []] }, expect: [f32([2, 2], [3, 4, 6, 8])] },
      { what: "inner product over two axes", operands: [sixes, sixes], attrs: { contract: [[0, 1], [0, 1]], batch: [[], []] }, expect: [f32([], [91])] },
    ],
    gradients: [
      { what: "x wᵀ", operands: [random(46, [3, 4]), random(47, [5, 4])], attrs: matrix },
      { what: "x w", operands: [random(46, [3, 4]), random(47, [4, 5])], attrs: { contract: [[1], [0]], batch: [[], []] } },
      { what: "xᵀ w", operands: [random(46, [4, 3]), random(47, [4, 5])], attrs: { contract: [[0], [0]], batch: [[], []] } },
      {
        what: "two contracted axes in crossed order, a batch axis",
        operands: [random(48, [2, 3, 4, 5]), random(49, [5, 6, 3, 2])],
        attrs: { contract: [[1, 3], [2, 0]], batch: [[0], [3]] },
      },
      {
        what: "left axes in descending order",
        operands: [random(48, [2, 3, 4, 5]), random(49, [5, 6, 3, 2])],
        attrs: { contract: [[3, 1], [0, 2]], batch: [[0], [3]] },
      },
    ],
    rejects: [
      { operands: [sixes, f32([2], [1, 2])], attrs: { contract: [[1], [0]], batch: [[], []] }, says: "pairs axis 1 of f32[2, 3] with axis 0 of f32[2]" },
      { operands: [sixes, sixes], attrs: { contract: [[1], [1]], batch: [[1], [1]] }, says: "names axis 1 of its left operand twice" },
      { operands: [sixes, sixes], attrs: { contract: [[1], []], batch: [[], []] }, says: "pairs 1 axes with 0" },
    ],
  },
  softmax: {
    semantics: [
      { what: "shares", operands: [logs], attrs: { axis: 1 }, expect: [f32([1, 3], [1 / 6, 2 / 6, 3 / 6])], within },
      { what: "large numbers, without overflow", operands: [f32([2], [1000, 1000])], attrs: { axis: 0 }, expect: [f32([2], [0.5, 0.5])] },
    ],
    gradients: [{ operands: [random(50, [3, 4])], attrs: { axis: 1 } }, { operands: [random(50, [3, 4])], attrs: { axis: 0 } }],
    rejects: [{ operands: [sixes], attrs: { axis: 2 }, says: "`softmax` along axis 2" }],
  },
  log_softmax: {
    semantics: [
      { what: "logarithms of shares", operands: [logs], attrs: { axis: 1 }, expect: [f32([1, 3], [-Math.log(6), -Math.log(3), -Math.log(2)])], within },
      { what: "large numbers, without overflow", operands: [f32([2], [1000, -1000])], attrs: { axis: 0 }, expect: [f32([2], [0, -2000])] },
    ],
    gradients: [{ operands: [random(51, [3, 4])], attrs: { axis: 1 } }],
  },
  cross_entropy: {
    semantics: [
      {
        what: "mean over rows with a label",
        // Shares 1/6, 2/6, 3/6; labels 2 and 0 and none: (log 2 + log 6) / 2
        operands: [f32([3, 3], [0, Math.log(2), Math.log(3), 0, Math.log(2), Math.log(3), 5, 5, 5]), i32([3], [2, 0, -1])],
        expect: [f32([], [Math.log(12) / 2])],
        within,
      },
      {
        what: "a label behind the last class does not count either",
        operands: [f32([2, 2], [0, 0, 1, 5]), i32([2], [1, 2])],
        expect: [f32([], [Math.log(2)])],
        within,
      },
      { what: "0 where no row has a label", operands: [f32([2, 2], [1, 2, 3, 4]), i32([2], [-1, -7])], expect: [f32([], [0])] },
      { what: "rows of rank 1", operands: [logs, i32([1], [1])], expect: [f32([], [Math.log(3)])], within },
    ],
    gradients: [
      { operands: [random(52, [5, 4], -2, 2), i32([5], [0, 3, -1, 2, 2])] },
      { what: "labels that are no class", operands: [random(56, [4, 3], -2, 2), i32([4], [0, 3, 12, 2])] },
      { what: "tokens", operands: [random(53, [2, 3, 4], -2, 2), i32([2, 3], [0, 3, -1, 2, 2, 1])] },
    ],
    rejects: [{ operands: [sixes, i32([3], [0, 1, 2])], says: "one label per row of its logits, got f32[2, 3] and i32[3]" }],
  },
  mse: {
    semantics: [{ what: "mean of squares", operands: [sixes, f32([2, 3], [1, 2, 3, 4, 5, 9])], expect: [f32([], [1.5])] }],
    gradients: [{ operands: [random(54, [2, 3]), random(55, [2, 3])] }],
  },
  hadamard: {
    semantics: [
      { what: "blocks of 2", operands: [f32([1, 4], [1, 2, 3, 5])], attrs: { axis: 1, block: 2 }, expect: [f32([1, 4], [3, -1, 8, -2].map((v) => v / Math.SQRT2))], within },
      // Natural order: rows of the matrix are ++++, +-+-, ++--, +--+.
      { what: "a block of 4", operands: [f32([4], [1, 2, 3, 5])], attrs: { axis: 0, block: 4 }, expect: [f32([4], [5.5, -1.5, -2.5, 0.5])] },
      { what: "along the first axis", operands: [f32([2, 2], [1, 2, 3, 5])], attrs: { axis: 0, block: 2 }, expect: [f32([2, 2], [4, 7, -2, -3].map((v) => v / Math.SQRT2))], within },
      { what: "blocks of 1: nothing", operands: [sixes], attrs: { axis: 1, block: 1 }, expect: [sixes] },
    ],
    gradients: [{ operands: [random(56, [3, 16])], attrs: { axis: 1, block: 8 } }, { operands: [random(57, [4, 3])], attrs: { axis: 0, block: 4 } }],
    rejects: [
      { operands: [f32([6], [1, 2, 3, 4, 5, 6])], attrs: { axis: 0, block: 4 }, says: "has size 6, not a multiple of 4" },
      { operands: [f32([6], [1, 2, 3, 4, 5, 6])], attrs: { axis: 0, block: 3 }, says: "block 3 is not a power of two" },
    ],
  },
};
