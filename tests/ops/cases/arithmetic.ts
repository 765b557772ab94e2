// Cases of ir/ops/arithmetic.ts.
import type { Cases } from "../support/case.ts";
import { apart, f32, i32, random, u8, u32 } from "../support/values.ts";

const [x, y] = [random(1, [2, 3]), random(2, [2, 3])];

export const arithmeticCases: Cases = {
  add: {
    semantics: [
      { what: "floats", operands: [f32([2, 2], [1, 2, 3, 4]), f32([2, 2], [0.5, -2, 0.25, 1e9])], expect: [f32([2, 2], [1.5, 0, 3.25, 1e9 + 4])] },
      { what: "wrapping i32", operands: [i32([2], [2147483647, -1]), i32([2], [1, 1])], expect: [i32([2], [-2147483648, 0])] },
      { what: "wrapping u8", operands: [u8([1], [250]), u8([1], [10])], expect: [u8([1], [4])] },
      // 2^24 + 1 does not fit the significand of an f32.
      { what: "rounded to f32", precision: "f32", operands: [f32([], [16777216]), f32([], [1])], expect: [f32([], [16777216])] },
    ],
    gradients: [{ operands: [x, y] }],
    rejects: [
      { operands: [f32([2], [1, 2]), f32([3], [1, 2, 3])], says: "operands of one shape, got f32[2] and f32[3]" },
      { operands: [f32([1], [1]), i32([1], [1])], says: "takes f32 as `y`, got i32[1]" },
    ],
  },
  sub: {
    semantics: [
      { what: "floats", operands: [f32([3], [1, 2, 3]), f32([3], [0.5, 4, -1])], expect: [f32([3], [0.5, -2, 4])] },
      { what: "wrapping u32", operands: [u32([1], [1]), u32([1], [2])], expect: [u32([1], [4294967295])] },
    ],
    gradients: [{ operands: [x, y] }],
  },
  mul: {
    semantics: [
      { what: "floats", operands: [f32([3], [1, -2, 3]), f32([3], [0.5, 4, 0])], expect: [f32([3], [0.5, -8, 0])] },
      { what: "wrapping i32", operands: [i32([1], [65537]), i32([1], [65537])], expect: [i32([1], [131073])] },
    ],
    gradients: [{ operands: [x, y] }],
  },
  div: {
    semantics: [
      { what: "floats", operands: [f32([3], [1, -2, 3]), f32([3], [4, 0.5, -1])], expect: [f32([3], [0.25, -4, -3])] },
      { what: "integers, towards zero", operands: [i32([3], [7, -7, 5]), i32([3], [2, 2, 0])], expect: [i32([3], [3, -3, 5])] },
    ],
    gradients: [{ operands: [x, random(3, [2, 3], 0.5, 2)] }],
  },
  rem: {
    semantics: [
      {
        what: "with the sign of y",
        operands: [i32([7], [7, -7, 7, -7, 6, -1, 5]), i32([7], [3, 3, -3, -3, 3, 7, 0])],
        expect: [i32([7], [1, 2, -2, -1, 0, 6, 0])],
      },
      { what: "unsigned", operands: [u32([2], [4294967295, 4]), u32([2], [10, 4294967295])], expect: [u32([2], [5, 4])] },
    ],
    rejects: [{ operands: [f32([1], [1]), f32([1], [2])], says: "takes i32 or u32 as `x`" }],
  },
  neg: {
    semantics: [{ what: "floats", operands: [f32([2], [1.5, -2])], expect: [f32([2], [-1.5, 2])] }],
    gradients: [{ operands: [x] }],
    rejects: [{ operands: [u32([1], [1])], says: "`neg` takes" }],
  },
  abs: {
    semantics: [{ what: "floats", operands: [f32([3], [1.5, -2, 0])], expect: [f32([3], [1.5, 2, 0])] }],
    gradients: [{ operands: [apart(4, [2, 3])] }],
  },
  minimum: {
    semantics: [
      { what: "floats", operands: [f32([3], [1, -2, 3]), f32([3], [0.5, 4, 3])], expect: [f32([3], [0.5, -2, 3])] },
      { what: "unsigned", operands: [u32([1], [4294967295]), u32([1], [1])], expect: [u32([1], [1])] },
    ],
    gradients: [{ operands: [f32([4], [0.3, -0.7, 1.2, 0.1]), f32([4], [0.5, -0.9, 1.0, 0.4])] }],
  },
  maximum: {
    semantics: [{ what: "floats", operands: [f32([3], [1, -2, 3]), f32([3], [0.5, 4, 3])], expect: [f32([3], [1, 4, 3])] }],
    gradients: [{ operands: [f32([4], [0.3, -0.7, 1.2, 0.1]), f32([4], [0.5, -0.9, 1.0, 0.4])] }],
  },
  clamp: {
    semantics: [{ what: "both bounds", operands: [f32([4], [-3, -1, 0.5, 7])], attrs: { low: -1, high: 2 }, expect: [f32([4], [-1, -1, 0.5, 2])] }],
    gradients: [{ operands: [f32([5], [-3, -0.9, 0.5, 1.9, 7])], attrs: { low: -1, high: 2 } }],
    rejects: [{ operands: [f32([1], [0])], attrs: { low: 2, high: 1 }, says: "the lower bound is the larger one" }],
  },
  round: {
    semantics: [
      {
        what: "half to even",
        operands: [f32([8], [0.5, 1.5, 2.5, -0.5, -1.5, 0.49, -2.7, 3.2])],
        expect: [f32([8], [0, 2, 2, -0, -2, 0, -3, 3])],
      },
    ],
    flatAt: [{ operands: [f32([3], [0.2, 1.7, -0.3])] }],
  },
  floor: {
    semantics: [{ what: "towards -inf", operands: [f32([4], [0.5, -0.5, 2, -2.1])], expect: [f32([4], [0, -1, 2, -3])] }],
    flatAt: [{ operands: [f32([3], [0.2, 1.7, -0.3])] }],
  },
};
