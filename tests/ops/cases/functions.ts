// Cases of ir/ops/exponential.ts and ir/ops/activation.ts.
import type { Cases } from "../support/case.ts";
import { apart, f32, random } from "../support/values.ts";

const x = random(11, [2, 3], -2, 2);
const positive = random(12, [2, 3], 0.5, 2);
const within = 1e-15;

export const functionCases: Cases = {
  exp: {
    semantics: [
      { what: "powers of e", operands: [f32([3], [0, 1, -1])], expect: [f32([3], [1, 2.718281828459045, 0.36787944117144233])], within },
      { what: "overflow in f32", precision: "f32", operands: [f32([2], [100, -200])], expect: [f32([2], [Infinity, 0])] },
    ],
    gradients: [{ operands: [x] }],
  },
  log: {
    semantics: [{ what: "natural", operands: [f32([3], [1, 2.718281828459045, 8])], expect: [f32([3], [0, 1, 2.0794415416798357])], within }],
    gradients: [{ operands: [positive] }],
  },
  sqrt: {
    semantics: [{ what: "roots", operands: [f32([3], [0, 4, 2.25])], expect: [f32([3], [0, 2, 1.5])] }],
    gradients: [{ operands: [positive] }],
  },
  rsqrt: {
    semantics: [{ what: "inverse roots", operands: [f32([3], [1, 4, 0.25])], expect: [f32([3], [1, 0.5, 2])] }],
    gradients: [{ operands: [positive] }],
  },
  relu: {
    semantics: [{ what: "cut at 0", operands: [f32([3], [-1.5, 0, 2])], expect: [f32([3], [0, 0, 2])] }],
    gradients: [{ operands: [apart(13, [2, 4])] }],
  },
  sigmoid: {
    semantics: [
      {
        what: "near and far from 0, without overflow",
        operands: [f32([5], [0, 1, -1, 1000, -1000])],
        // 1 / (1 + e^-1) = e / (e + 1)
        expect: [f32([5], [0.5, 0.7310585786300049, 0.2689414213699951, 1, 0])],
        within,
      },
      { what: "far from 0 in f32", precision: "f32", operands: [f32([2], [200, -200])], expect: [f32([2], [1, 0])] },
    ],
    gradients: [{ operands: [x] }],
  },
  silu: {
    semantics: [{ what: "x sigmoid(x)", operands: [f32([4], [0, 1, -1, -1000])], expect: [f32([4], [0, 0.7310585786300049, -0.2689414213699951, 0])], within }],
    gradients: [{ operands: [x] }],
  },
  tanh: {
    semantics: [{ what: "odd, bounded", operands: [f32([4], [0, 1, -1, 50])], expect: [f32([4], [0, 0.7615941559557649, -0.7615941559557649, 1])], within }],
    gradients: [{ operands: [x] }],
  },
  gelu: {
    semantics: [
      {
        what: "the form with tanh",
        operands: [f32([4], [0, 1, -1, 100])],
        // (1 + tanh(sqrt(2 / pi) 1.044715)) / 2
        expect: [f32([4], [0, 0.8411919906082768, -0.15880800939172324, 100])],
        within,
      },
    ],
    gradients: [{ operands: [x] }],
  },
  gelu_slope: {
    semantics: [{ what: "a half at 0", operands: [f32([3], [0, 1, 100])], expect: [f32([3], [0.5, 1.0829640838457826, 1])], within }],
  },
};
