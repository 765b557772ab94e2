// Cases of ir/ops/attention.ts, rope.ts, normalize.ts, concat.ts and row-parts.ts: what sequence models are made of.
import { tensor } from "../../../ir/type.ts";
import type { Cases } from "../support/case.ts";
import { f32, i32, random } from "../support/values.ts";

const within = 1e-14;
const ln3 = Math.log(3);
const ln4 = Math.log(4);
const [cos1, sin1] = [0.5403023058681398, 0.8414709848078965];

// One channel and q = 1, so that scores are the keys: e^0 = 1 and e^(ln 3) = 3 make weights of 1/4 and 3/4.
const keys = f32([2, 1, 1], [0, ln3]);
const values = f32([2, 1, 1], [1, 5]);
const oneQuery = f32([1, 1, 1], [1]);
// ct = 2 and out = 4 make delta 8; the scores' cotangents are 1/4 (2 - 8) and 3/4 (10 - 8).
const gradientOperands = [oneQuery, keys, values, f32([1, 1, 1], [2]), f32([1, 1], [ln4]), f32([1, 1], [8])];
const grouped = [random(41, [2, 3, 4, 2]), random(42, [2, 3, 2, 2]), random(43, [2, 3, 2, 2])];

export const sequenceCases: Cases = {
  attention: {
    semantics: [
      {
        what: "weights of 1/4 and 3/4",
        operands: [oneQuery, keys, values],
        expect: [f32([1, 1, 1], [4]), f32([1, 1], [ln4])],
        within,
      },
      {
        what: "causal: the first query sees the first key alone",
        operands: [f32([2, 1, 1], [1, 1]), keys, values],
        attrs: { causal: true },
        expect: [f32([2, 1, 1], [1, 4]), f32([2, 1], [0, ln4])],
        within,
      },
      {
        what: "two query heads share one head of keys; the scale multiplies scores",
        operands: [f32([1, 2, 1], [1, 0]), keys, values],
        attrs: { scale: 2 },
        // e^(2 ln 3) = 9: weights of 1/10 and 9/10, and of 1/2 and 1/2.
        expect: [f32([1, 2, 1], [4.6, 3]), f32([1, 2], [Math.log(10), Math.log(2)])],
        within,
      },
    ],
    gradients: [
      { what: "shared heads", operands: grouped },
      { what: "causal", operands: grouped, attrs: { causal: true, scale: 0.7 } },
    ],
    rejects: [
      { operands: [oneQuery, keys, values], attrs: { causal: true }, says: "takes as many keys as queries" },
      { operands: [random(1, [2, 3, 2]), random(2, [2, 2, 2]), random(3, [2, 2, 2])], says: "in runs that share a group" },
      { operands: [random(1, [2, 2, 2]), random(2, [2, 2, 3]), random(3, [2, 2, 3])], says: "takes q[.., T, heads, n]" },
    ],
  },
  attention_grad_query: {
    semantics: [{ what: "scores' cotangents times keys", operands: gradientOperands, expect: [f32([1, 1, 1], [1.5 * ln3])], within }],
    rejects: [{ operands: [...gradientOperands.slice(0, 5), f32([1, 2], [1, 1])], says: "lse and delta f32[1, 1]" }],
  },
  attention_grad_key: {
    semantics: [
      {
        what: "scores' cotangents times queries, weights times cotangents",
        operands: gradientOperands,
        expect: [f32([2, 1, 1], [-1.5, 1.5]), f32([2, 1, 1], [0.5, 1.5])],
        within,
      },
    ],
  },
  cached_attention: {
    semantics: [
      {
        what: "query i stands at first + i and sees nothing behind it",
        operands: [f32([2, 1, 1], [1, 1]), f32([4, 1, 1], [0, ln3, ln3, 99]), f32([4, 1, 1], [1, 5, 9, 99]), i32([], [1])],
        // 1/4 1 + 3/4 5, then 1/7 1 + 3/7 5 + 3/7 9
        expect: [f32([2, 1, 1], [4, 43 / 7])],
        within,
      },
    ],
    rejects: [{ operands: [oneQuery, keys, values, f32([], [1])], says: "takes i32 as `first`" }],
  },
  rope_table: {
    semantics: [
      {
        what: "cosines of both halves",
        operands: [],
        attrs: { part: "cos", theta: 10000, type: tensor("f32", [2, 2, 1]) },
        expect: [f32([2, 2, 1], [1, 1, cos1, cos1])],
        within,
      },
      {
        what: "sines, negative for the first half; the second pair turns by theta^(-1/2)",
        operands: [],
        attrs: { part: "sin", theta: 100, type: tensor("f32", [2, 2, 2]) },
        expect: [f32([2, 2, 2], [0, 0, 0, 0, -sin1, -Math.sin(0.1), sin1, Math.sin(0.1)])],
        within,
      },
    ],
    gradientElsewhere: "no operands",
    rejects: [{ operands: [], attrs: { part: "cos", theta: 1, type: tensor("f32", [2, 2]) }, says: "makes f32[positions, 2, n/2]" }],
  },
  rope: {
    semantics: [
      {
        what: "nothing at position 0, one radian at position 1",
        operands: [f32([2, 1, 2], [3, 4, 1, 2]), i32([2], [0, 1])],
        attrs: { theta: 10000 },
        expect: [f32([2, 1, 2], [3, 4, cos1 - 2 * sin1, 2 * cos1 + sin1])],
        within,
      },
      {
        what: "channels i and i + n/2 are a pair; inverse turns back",
        operands: [f32([1, 1, 4], [1, 0, 0, 0]), i32([1], [1])],
        attrs: { theta: 10000, context: 4, inverse: true },
        expect: [f32([1, 1, 4], [cos1, 0, -sin1, 0])],
        within,
      },
    ],
    gradients: [{ operands: [random(44, [2, 3, 2, 4]), i32([3], [0, 1, 5])], attrs: { theta: 50, context: 8 } }],
    rejects: [
      { operands: [random(1, [2, 1, 3]), i32([2], [0, 1])], attrs: { theta: 10 }, says: "turns pairs of channels, got 3" },
      { operands: [random(1, [2, 1, 4]), i32([3], [0, 1, 2])], attrs: { theta: 10 }, says: "positions i32[T]" },
    ],
  },
  rms_norm: {
    semantics: [
      {
        what: "root mean square sqrt(12.5)",
        operands: [f32([1, 2], [3, 4]), f32([2], [1, 2])],
        attrs: { epsilon: 0 },
        expect: [f32([1, 2], [3 / Math.sqrt(12.5), 8 / Math.sqrt(12.5)])],
        within,
      },
      { what: "a row of zeros", operands: [f32([2], [0, 0]), f32([2], [1, 2])], expect: [f32([2], [0, 0])] },
    ],
    gradients: [{ operands: [random(45, [2, 3, 4]), random(46, [4])], attrs: { epsilon: 0.01 } }],
    rejects: [{ operands: [random(1, [2, 3]), random(2, [2])], says: "one number a column as `gain`" }],
  },
  layer_norm: {
    semantics: [
      {
        what: "mean 2 and variance 1",
        operands: [f32([1, 2], [1, 3]), f32([2], [2, 3]), f32([2], [10, 20])],
        attrs: { epsilon: 0 },
        expect: [f32([1, 2], [8, 23])],
        within,
      },
    ],
    gradients: [{ operands: [random(47, [2, 3, 4]), random(48, [4]), random(49, [4])], attrs: { epsilon: 0.01 } }],
    rejects: [{ operands: [random(1, [2, 3]), random(2, [3]), random(3, [1, 3])], says: "one number a column as `shift`" }],
  },
  concat: {
    semantics: [
      {
        what: "along the last axis",
        operands: [f32([2, 1], [1, 4]), f32([2, 2], [2, 3, 5, 6])],
        attrs: { axis: 1 },
        expect: [f32([2, 3], [1, 2, 3, 4, 5, 6])],
      },
      {
        what: "three parts along the first axis, of integers",
        operands: [i32([1], [7]), i32([2], [8, 9]), i32([1], [10])],
        attrs: { axis: 0 },
        expect: [i32([4], [7, 8, 9, 10])],
      },
    ],
    gradients: [{ operands: [random(50, [2, 1]), random(51, [2, 3]), random(52, [2, 2])], attrs: { axis: 1 } }],
    rejects: [{ operands: [random(1, [2, 3]), random(2, [3, 3])], attrs: { axis: 1 }, says: "`concat` along axis 1" }],
  },
  row_slice: {
    semantics: [
      {
        what: "two leading axes counted as one",
        operands: [f32([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])],
        attrs: { lead: 2, start: 1, size: 2 },
        expect: [f32([2, 2], [3, 4, 5, 6])],
      },
      { what: "numbers of rows", operands: [i32([4], [5, 6, 7, 8])], attrs: { lead: 1, start: 2, size: 2 }, expect: [i32([2], [7, 8])] },
    ],
    rejects: [
      { operands: [random(1, [2, 3, 4])], attrs: { lead: 2, start: 4, size: 3 }, says: "rows 4..7 over the first 2 axes of f32[2, 3, 4]" },
      { operands: [random(1, [2])], attrs: { lead: 2, start: 0, size: 1 }, says: "over the first 2 axes" },
    ],
  },
  row_concat: {
    semantics: [
      {
        what: "parts of two leading axes",
        operands: [f32([3, 1], [1, 2, 3]), f32([1, 1], [4])],
        attrs: { type: tensor("f32", [2, 2, 1]) },
        expect: [f32([2, 2, 1], [1, 2, 3, 4])],
      },
    ],
    rejects: [
      { operands: [random(1, [3, 2]), random(2, [2, 2])], attrs: { type: tensor("f32", [4, 2]) }, says: "`row_concat` of f32[3, 2], f32[2, 2]" },
      { operands: [random(1, [3, 2])], attrs: { type: tensor("f32", [3, 3]) }, says: "to f32[3, 3]" },
    ],
  },
  cache_write: {
    semantics: [
      {
        what: "two rows from position 1 on",
        operands: [f32([4, 1], [1, 2, 3, 4]), f32([2, 1], [8, 9]), i32([], [1])],
        attrs: { axis: 0 },
        expect: [f32([4, 1], [1, 8, 9, 4])],
      },
      {
        what: "along the second axis; what lies outside is dropped",
        operands: [f32([2, 2], [1, 2, 3, 4]), f32([2, 2], [5, 6, 7, 8]), i32([], [1])],
        attrs: { axis: 1 },
        expect: [f32([2, 2], [1, 5, 3, 7])],
      },
    ],
    rejects: [{ operands: [random(1, [4, 2]), random(2, [1, 3]), i32([], [0])], attrs: { axis: 0 }, says: "along axis 0 of f32[4, 2]" }],
  },
};
