// Cases of ir/ops/compare.ts and ir/ops/cast.ts.
import type { Cases, OpCases } from "../support/case.ts";
import { b1, bf16, bool, f16, f32, i8, i32, q, random, u8, u32 } from "../support/values.ts";

const compare = (...expected: readonly number[]): OpCases => ({
  semantics: [
    { what: "floats", operands: [f32([3], [1, 2, 3]), f32([3], [2, 2, 2])], expect: [bool([3], expected)] },
    { what: "unsigned", operands: [u32([3], [0, 7, 4294967295]), u32([3], [7, 7, 7])], expect: [bool([3], expected)] },
  ],
});
const logic = (...expected: readonly number[]): OpCases => ({
  semantics: [{ what: "all four", operands: [bool([4], [0, 0, 1, 1]), bool([4], [0, 1, 0, 1])], expect: [bool([4], expected)] }],
  rejects: [{ operands: [f32([1], [1]), f32([1], [1])], says: "takes bool or b1 as `x`" }],
});

export const compareCases: Cases = {
  equal: compare(0, 1, 0),
  not_equal: compare(1, 0, 1),
  less: compare(1, 0, 0),
  less_equal: compare(1, 1, 0),
  greater: compare(0, 0, 1),
  greater_equal: compare(0, 1, 1),
  logical_and: logic(0, 0, 0, 1),
  logical_or: logic(0, 1, 1, 1),
  logical_not: { semantics: [{ what: "of a mask", operands: [b1([2], [0, 1])], expect: [b1([2], [1, 0])] }] },
  is_finite: { semantics: [{ what: "of all kinds", operands: [f32([4], [1, Infinity, -Infinity, NaN])], expect: [bool([4], [1, 0, 0, 0])] }] },
  select: {
    semantics: [
      { what: "floats", operands: [bool([3], [1, 0, 1]), f32([3], [1, 2, 3]), f32([3], [-1, -2, -3])], expect: [f32([3], [1, -2, 3])] },
      // The branch that is not taken may be anything.
      { what: "beside NaN", operands: [b1([1], [0]), f32([1], [NaN]), f32([1], [4])], expect: [f32([1], [4])] },
    ],
    gradients: [{ operands: [bool([4], [1, 0, 0, 1]), random(21, [4]), random(22, [4])] }],
    rejects: [{ operands: [bool([1], [1]), f32([1], [1]), i32([1], [1])], says: "two values of one type, got f32[1] and i32[1]" }],
  },
  cast: {
    semantics: [
      { what: "bool to f32", operands: [bool([2], [1, 0])], attrs: { to: "f32" }, expect: [f32([2], [1, 0])] },
      { what: "mask to f32", operands: [b1([2], [1, 0])], attrs: { to: "f32" }, expect: [f32([2], [1, 0])] },
      { what: "f32 to i32, towards zero", operands: [f32([3], [1.9, -1.9, 0.5])], attrs: { to: "i32" }, expect: [i32([3], [1, -1, 0])] },
      // The largest f32 that the integer holds, as WGSL says.
      { what: "f32 to i32, saturating", operands: [f32([2], [1e10, -1e10])], attrs: { to: "i32" }, expect: [i32([2], [2147483520, -2147483648])] },
      { what: "f32 to u32, saturating", operands: [f32([2], [1e10, -3])], attrs: { to: "u32" }, expect: [u32([2], [4294967040, 0])] },
      { what: "i32 to u32 by bits", operands: [i32([1], [-1])], attrs: { to: "u32" }, expect: [u32([1], [4294967295])] },
      { what: "i32 to f32, rounded", precision: "f32", operands: [i32([1], [16777217])], attrs: { to: "f32" }, expect: [f32([1], [16777216])] },
      { what: "f32 to bool", operands: [f32([4], [0, -0, 0.1, NaN])], attrs: { to: "bool" }, expect: [bool([4], [0, 0, 1, 1])] },
      { what: "i32 to i8, wrapping", operands: [i32([2], [130, -1])], attrs: { to: "i8" }, expect: [i8([2], [-126, -1])] },
      { what: "u32 to u8, wrapping", operands: [u32([1], [257])], attrs: { to: "u8" }, expect: [u8([1], [1])] },
      // 1 + 2^-11 lies half way between 1 and 1 + 2^-10, 1 + 3 * 2^-11 between 1 + 2^-10 and 1 + 2^-9: to even, both.
      {
        what: "f32 to f16, rounded",
        precision: "f32",
        operands: [f32([5], [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -24])],
        attrs: { to: "f16" },
        expect: [f16([5], [1, 1 + 2 ** -9, 65504, Infinity, 2 ** -24])],
      },
      { what: "f32 to bf16, rounded", precision: "f32", operands: [f32([2], [1 + 2 ** -8, 1.01171875])], attrs: { to: "bf16" }, expect: [bf16([2], [1, 1.015625])] },
    ],
    gradients: [{ operands: [random(23, [3])], attrs: { to: "f32" } }, { what: "through f16", operands: [random(23, [3])], attrs: { to: "f16" } }],
    rejects: [{ operands: [q(4, "half", [2], [0, 1])], attrs: { to: "f32" }, says: "takes no codes" }],
  },
};
