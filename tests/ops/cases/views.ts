// Cases of ir/ops/source.ts, views.ts, broadcast.ts and indexing.ts.
import { tensor } from "../../../ir/type.ts";
import type { Cases } from "../support/case.ts";
import { f32, i32, q, random } from "../support/values.ts";

const sixes = f32([2, 3], [1, 2, 3, 4, 5, 6]);
const type = (...dims: readonly number[]) => ({ type: tensor("f32", dims) });

export const viewCases: Cases = {
  "state.read": {
    semantics: [
      { what: "the value at entry", operands: [], attrs: { name: "w", ...type(2, 3) }, state: { w: sixes.tensor }, expect: [sixes] },
    ],
    gradientElsewhere: "no operands",
  },
  constant: {
    semantics: [
      { what: "one value everywhere", operands: [], attrs: { values: [2.5], ...type(2, 2) }, expect: [f32([2, 2], [2.5, 2.5, 2.5, 2.5])] },
      { what: "row-major", operands: [], attrs: { values: [1, 2, 3, 4, 5, 6], ...type(2, 3) }, expect: [sixes] },
      { what: "integers", operands: [], attrs: { values: [-1, 7], type: tensor("i32", [2]) }, expect: [i32([2], [-1, 7])] },
    ],
    gradientElsewhere: "no operands",
    rejects: [
      { operands: [], attrs: { values: [1, 2], ...type(3) }, says: "2 values for a constant of type f32[3]" },
      { operands: [], attrs: { values: [1.5], type: tensor("i32", []) }, says: "takes whole numbers" },
    ],
  },
  iota: {
    semantics: [
      { what: "along rows", operands: [], attrs: { axis: 1, type: tensor("i32", [2, 3]) }, expect: [i32([2, 3], [0, 1, 2, 0, 1, 2])] },
      { what: "along columns", operands: [], attrs: { axis: 0, ...type(2, 3) }, expect: [f32([2, 3], [0, 0, 0, 1, 1, 1])] },
    ],
    gradientElsewhere: "no operands",
    rejects: [{ operands: [], attrs: { axis: 2, ...type(2, 3) }, says: "which has 2 axes" }],
  },
  reshape: {
    semantics: [
      { what: "row-major order", operands: [sixes], attrs: type(3, 2), expect: [f32([3, 2], [1, 2, 3, 4, 5, 6])] },
      { what: "to a scalar", operands: [f32([1, 1], [7])], attrs: type(), expect: [f32([], [7])] },
    ],
    gradients: [{ operands: [random(31, [2, 6])], attrs: type(3, 4) }],
    rejects: [
      { operands: [sixes], attrs: type(4), says: "cannot reshape f32[2, 3] to f32[4]" },
      { operands: [sixes], attrs: { type: tensor("i32", [6]) }, says: "cannot reshape" },
    ],
  },
  transpose: {
    semantics: [
      { what: "a matrix", operands: [sixes], attrs: { permutation: [1, 0] }, expect: [f32([3, 2], [1, 4, 2, 5, 3, 6])] },
      {
        what: "three axes: axis i of the result is axis permutation[i]",
        operands: [f32([1, 2, 3], [1, 2, 3, 4, 5, 6])],
        attrs: { permutation: [2, 0, 1] },
        expect: [f32([3, 1, 2], [1, 4, 2, 5, 3, 6])],
      },
    ],
    gradients: [{ operands: [random(32, [2, 3, 4])], attrs: { permutation: [2, 0, 1] } }],
    rejects: [{ operands: [sixes], attrs: { permutation: [0, 0] }, says: "[0, 0] is no permutation" }],
  },
  reverse: {
    semantics: [
      { what: "along rows", operands: [sixes], attrs: { axis: 1 }, expect: [f32([2, 3], [3, 2, 1, 6, 5, 4])] },
      { what: "along columns", operands: [sixes], attrs: { axis: 0 }, expect: [f32([2, 3], [4, 5, 6, 1, 2, 3])] },
    ],
    gradients: [{ operands: [random(53, [2, 3])], attrs: { axis: 1 } }],
    rejects: [{ operands: [sixes], attrs: { axis: 2 }, says: "which has 2 axes" }],
  },
  broadcast: {
    semantics: [
      { what: "a new leading axis", operands: [f32([3], [1, 2, 3])], attrs: type(2, 3), expect: [f32([2, 3], [1, 2, 3, 1, 2, 3])] },
      { what: "an axis of size 1", operands: [f32([2, 1], [1, 2])], attrs: type(2, 3), expect: [f32([2, 3], [1, 1, 1, 2, 2, 2])] },
      { what: "a scalar", operands: [f32([], [4])], attrs: type(2), expect: [f32([2], [4, 4])] },
    ],
    gradients: [
      { what: "both kinds of axes", operands: [random(33, [2, 1, 3])], attrs: type(4, 2, 5, 3) },
      { what: "an axis of size 1 that stays", operands: [random(34, [1, 3])], attrs: type(2, 1, 3) },
    ],
    rejects: [{ operands: [f32([2], [1, 2])], attrs: type(2, 3), says: "cannot broadcast f32[2] to f32[2, 3]" }],
  },
  slice: {
    semantics: [
      { what: "columns", operands: [sixes], attrs: { axis: 1, start: 1, size: 2 }, expect: [f32([2, 2], [2, 3, 5, 6])] },
      { what: "rows", operands: [sixes], attrs: { axis: 0, start: 1, size: 1 }, expect: [f32([1, 3], [4, 5, 6])] },
    ],
    gradients: [{ operands: [random(35, [3, 5])], attrs: { axis: 1, start: 1, size: 2 } }],
    rejects: [{ operands: [sixes], attrs: { axis: 1, start: 2, size: 2 }, says: "`slice` of 2..4 from axis 1 of f32[2, 3]" }],
  },
  pad: {
    semantics: [
      { what: "columns", operands: [sixes], attrs: { axis: 1, before: 1, after: 2 }, expect: [f32([2, 6], [0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0, 0])] },
      { what: "rows", operands: [sixes], attrs: { axis: 0, before: 0, after: 1 }, expect: [f32([3, 3], [1, 2, 3, 4, 5, 6, 0, 0, 0])] },
    ],
    gradients: [{ operands: [random(36, [2, 3])], attrs: { axis: 1, before: 2, after: 1 } }],
    rejects: [
      { operands: [sixes], attrs: { axis: 0, before: -1, after: 0 }, says: "neither may be negative" },
      { operands: [q(4, "half", [2], [0, 1])], attrs: { axis: 0, before: 1, after: 0 }, says: "takes no codes" },
    ],
  },
  gather: {
    semantics: [
      {
        what: "rows, zeros for ids outside",
        operands: [f32([3, 2], [1, 2, 3, 4, 5, 6]), i32([4], [2, 0, -1, 3])],
        expect: [f32([4, 2], [5, 6, 1, 2, 0, 0, 0, 0])],
      },
      { what: "ids of rank 2, rows of rank 0", operands: [f32([3], [1, 2, 3]), i32([1, 2], [1, 1])], expect: [f32([1, 2], [2, 2])] },
    ],
    gradients: [{ operands: [random(37, [4, 3]), i32([2, 2], [3, 1, 3, -1])] }],
    rejects: [{ operands: [f32([], [1]), i32([1], [0])], says: "a table of rows" }],
  },
  scatter_add: {
    semantics: [
      {
        what: "rows added, ids outside dropped",
        operands: [f32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8]), i32([4], [2, 0, 2, 3])],
        attrs: { size: 3 },
        expect: [f32([3, 2], [3, 4, 0, 0, 6, 8])],
      },
    ],
    gradients: [{ operands: [random(38, [2, 2, 3]), i32([2, 2], [3, 1, 3, 9])], attrs: { size: 4 } }],
    rejects: [{ operands: [f32([3], [1, 2, 3]), i32([2], [0, 1])], attrs: { size: 2 }, says: "one id per row" }],
  },
};
