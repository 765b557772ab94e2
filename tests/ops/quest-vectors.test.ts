// QuEST's hand-checkable vectors (spec 8.1, V1 to V9), through the ops and the interpreter.
import { describe, expect, test } from "vitest";
import type { TypedTensor } from "../../ir/evaluate-op.ts";
import { dot } from "../../ir/ops/dot.ts";
import { hadamard } from "../../ir/ops/hadamard.ts";
import { quantDecode, quantEncode, quantFake, quantMask, quantScale } from "../../ir/ops/quant.ts";
import { emitGradients, runEntry } from "./support/run-op.ts";
import { elements, f32, uniform } from "./support/values.ts";

const scheme = "quest";
const rowA = [0.5, -1.5, 3.0, 0.1, -0.2, 0.9, -0.7, -2.6];
const matrix = { contract: [[1], [1]], batch: [[], []] } as const;

/** Everything that one quantized tensor is, along rows of axis 1. */
function quantized(x: TypedTensor, bits: number, block = 1, outer: "trust" | number = "trust") {
  const [rotated, step, codes, mask, decoded] = runEntry([x], "wide", (b, [input]) => {
    const r = block === 1 ? input! : b.emit(hadamard, [input!], { axis: 1, block });
    const s = b.emit(quantScale, [r], { scheme, bits });
    const c = b.emit(quantEncode, [r, s], { scheme, bits });
    return [r, s, c, b.emit(quantMask, [r, s], { scheme, bits, outer }), b.emit(quantDecode, [c, s])];
  }).map(elements);
  return { rotated: rotated!, step: step!, codes: codes!, mask: mask!, decoded: decoded! };
}

function near(got: readonly number[], want: readonly number[], within: number): void {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) expect(Math.abs(got[i]! - w), `element ${i}: ${got[i]} against ${w}`).toBeLessThanOrEqual(within);
}

test("V1: 4 bits, no rotation", () => {
  const { step, codes, decoded, mask } = quantized(f32([1, 8], rowA), 4);
  near(step, [0.52479033], 5e-9);
  expect(codes).toEqual([0, -3, 5, 0, -1, 1, -2, -5]);
  near(decoded, [0.262395, -1.311976, 2.886347, 0.262395, -0.262395, 0.787185, -0.787185, -2.361556], 5e-7);
  expect(mask).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
});

test("V2: 2 bits, no rotation", () => {
  const { step, codes, mask } = quantized(f32([1, 8], rowA), 2);
  near(step, [1.5588985], 5e-9);
  expect(codes).toEqual([0, -1, 1, 0, -1, 0, -1, -2]);
  expect(mask).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
});

describe("V3: 1 bit, no rotation", () => {
  for (const outer of ["trust", 1.25, 1.3] as const) {
    test(`outer ${outer}`, () => {
      const { step, codes, decoded, mask } = quantized(f32([1, 8], rowA), 1, 1, outer);
      near(step, [2.49841088], 5e-9);
      expect(codes).toEqual(rowA.map((v) => (v < 0 ? -1 : 0)));
      near(
        decoded.map(Math.abs),
        rowA.map(() => 1.249205),
        5e-7,
      );
      expect(mask).toEqual([1, 1, 0, 1, 1, 1, 1, 0]);
    });
  }
});

test("V4: 4 bits, a block of 8", () => {
  const { rotated, codes } = quantized(f32([1, 8], rowA), 4, 8);
  near(rotated, [-0.176777, 2.015254, -0.035355, -1.378858, 1.661701, 1.449569, -2.863782, 0.742462], 5e-7);
  expect(codes).toEqual([-1, 3, -1, -3, 3, 2, -6, 1]);
});

test("V5: a linear layer, forward and backward", () => {
  const w = f32([2, 8], [0.3, -0.1, 0.2, 0.05, -0.4, 0.25, 0.15, -0.35, -0.2, 0.6, 0.1, -0.3, 0.05, 0, 0.45, -0.15]);
  const weight = quantized(w, 4, 8);
  near(weight.step, [0.08463152, 0.1010796], 5e-9);
  expect(weight.codes).toEqual([0, 1, -1, -4, 3, 2, -1, 5, 1, 0, 1, -7, -1, -4, 2, -3]);
  expect([...weight.mask, ...quantized(f32([1, 8], rowA), 4, 8).mask]).toEqual(new Array(24).fill(1));

  const [y, dx, dw] = runEntry([f32([1, 8], rowA), w, f32([1, 2], [1, -2])], "wide", (b, [x, wt, g]) => {
    const sides = [x!, wt!].map((side) => {
      const rotated = b.emit(hadamard, [side], { axis: 1, block: 8 });
      return b.emit(quantFake, [rotated, b.emit(quantScale, [rotated], { scheme, bits: 4 })], { scheme, bits: 4 });
    });
    const out = b.emit(dot, [sides[0]!, sides[1]!], matrix);
    const [ofX, ofW] = emitGradients(b, 0, [x!, wt!], [[out, g!]]);
    return [out, ofX!, ofW!];
  }).map(elements);
  // By hand: the half-integer products of the codes add up to 43.5 and -11.5. The printed values come from rounded factors.
  const stepX = quantized(f32([1, 8], rowA), 4, 8).step[0]!;
  near(y!, [43.5 * stepX * weight.step[0]!, -11.5 * stepX * weight.step[1]!], 1e-14);
  near(y!, [1.931999, -0.610025], 2e-6);
  const levels = weight.decoded;
  near(dx!, timesSylvester(Array.from({ length: 8 }, (_, k) => levels[k]! - 2 * levels[8 + k]!)), 1e-14);
  near(dx!, [0.769615, -1.304824, -0.004969, 0.733032, -0.460457, 0.13798, -0.636606, 0.028232], 2e-6);
  const row0 = [0.371083, -1.484331, 2.968663, 0.371083, -0.371083, 0.742166, -0.742166, -2.597579];
  near(dw!, [...row0, ...row0.map((v) => -2 * v)], 2e-6);
});

/** A row times the orthonormal matrix of its length: entry (i, j) is negative where i and j share an odd number of bits. */
function timesSylvester(row: readonly number[]): readonly number[] {
  const parity = (bits: number): number => (bits === 0 ? 0 : (bits & 1) ^ parity(bits >> 1));
  return row.map((_, j) => row.reduce((total, v, i) => total + (parity(i & j) === 1 ? -v : v), 0) / Math.sqrt(row.length));
}

test("V6: the integer product gives the half grid's dot product", () => {
  const next = uniform(81);
  for (const [bitsA, bitsB] of [
    [1, 1],
    [2, 4],
    [4, 4],
    [3, 8],
  ] as const) {
    const columns = 40;
    const codesOf = (bits: number) => Array.from({ length: columns }, () => Math.floor(next() * 2 ** bits) - 2 ** (bits - 1));
    const [a, b] = [codesOf(bitsA), codesOf(bitsB)];
    const sum = (values: readonly number[]) => values.reduce((t, v) => t + v, 0);
    const product = sum(a.map((v, i) => v * b[i]!));
    const half = sum(a.map((v, i) => (v + 0.5) * (b[i]! + 0.5)));
    expect(half).toBe(0.5 * (2 * product + sum(a) + sum(b) + columns / 2));
  }
});

test("V7: a one-hot row spreads over its block and is trusted whole", () => {
  const row = f32(
    [1, 128],
    Array.from({ length: 128 }, (_, i) => (i === 5 ? 3 : 0)),
  );
  for (const [bits, level] of [
    [4, 0.222202],
    [1, 0.211571],
  ] as const) {
    const { decoded, mask } = quantized(row, bits, 128);
    near(decoded.map(Math.abs), new Array(128).fill(level), 5e-7);
    expect(mask.every((m) => m === 1)).toBe(true);
  }
});

test("V8: the scale follows the whole row, not a block", () => {
  const next = uniform(82);
  const first = Array.from({ length: 128 }, () => 2 * next() - 1);
  const second = Array.from({ length: 128 }, () => 2 * next() - 1);
  const spread = (codes: readonly number[]) => Math.max(...codes.slice(0, 128).map((c) => Math.abs(c + 0.5)));
  const even = quantized(f32([1, 256], [...first, ...second]), 4, 128);
  const uneven = quantized(f32([1, 256], [...first, ...second.map((v) => 10 * v)]), 4, 128);
  expect(spread(even.codes)).toBeGreaterThan(4);
  expect(spread(uneven.codes)).toBeLessThan(2);
});

describe("V9: masked shares of N(0, 1)", () => {
  // Spec 1.2, P(masked); and of section 1.2's notes for the clips at 1 bit.
  const shares = [0.11054, 0.046439, 0.019074, 7.3287e-3, 2.6111e-3, 8.7282e-4, 2.8408e-4, 9.6124e-5];
  const count = 1 << 18;
  const next = uniform(83);
  const gaussian = f32(
    [1, count],
    Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next())),
  );
  const check = (bits: number, outer: "trust" | number, share: number) => {
    const { mask, step, codes } = quantized(gaussian, bits, 1, outer);
    const masked = mask.reduce((n, m) => n + 1 - m, 0);
    // Five standard deviations of a binomial count.
    expect(Math.abs(masked - share * count)).toBeLessThan(5 * Math.sqrt(share * count));
    return { mask, step: step[0]!, codes };
  };
  for (const [i, share] of shares.entries()) {
    test(`${i + 1} bits: trusted exactly where no code was clamped`, () => {
      const { mask, step, codes } = check(i + 1, "trust", share);
      expect(elements(gaussian).every((v, k) => (Math.floor(v / step) === codes[k]) === (mask[k] === 1))).toBe(true);
    });
  }
  test("1 bit, clip 1.3", () => void check(1, 1.3, 0.29962));
  test("1 bit, clip 1.25", () => void check(1, 1.25, 0.31859));
});
