// Contractions that are measured: f32 in the three layouts of training, and weights as codes.

import type { CodeArithmetic } from "../../ir/ops/quant-dot.ts";
import type { CodeLayout } from "../../ir/type.ts";
import type { KernelCase, KernelGroup } from "./kernel-case.ts";
import type { CodedMatrix, KernelText } from "./kernel-text.ts";
import { flopsOfMatmul, type MatmulShape, matmulKernel, matmulLayouts } from "./matmul.ts";

const shapes: readonly MatmulShape[] = [
  { m: 256, k: 256, n: 256 },
  { m: 512, k: 512, n: 512 },
  { m: 1024, k: 1024, n: 1024 },
  { m: 1024, k: 256, n: 768 },
];

const sized = ({ m, k, n }: MatmulShape): string => (m === k && k === n ? `${m}^3` : `${m}x${k}x${n}`);

/** y = x wᵀ with weights as codes, decoded as they are loaded. */
function weightOnly({ m, k, n }: MatmulShape, bits: number): KernelText {
  return {
    reads: { x: `f32[${m}, ${k}]` },
    codes: { w: { rows: n, columns: k, bits } },
    writes: { y: [`f32[${m}, ${n}]`, "y"] },
    body: [
      `%w: f32[${n}, ${k}] = quant.decode %w_codes, %w_scale`,
      `%y: f32[${m}, ${n}] = dot %x, %w {contract = [[1], [1]], batch = [[], []]}`,
    ],
  };
}

/** Bits of weight and activation, and the ways to multiply them that are worth a look. */
const codedPairs: readonly (readonly [w: number, a: number, ways: readonly CodeArithmetic[]])[] = [
  [1, 1, ["planes"]],
  [2, 2, ["planes"]],
  [1, 4, ["planes"]],
  [2, 4, ["planes", "bytes"]],
  [3, 3, ["planes", "bytes"]],
  [4, 4, ["planes", "bytes"]],
  [2, 8, ["bytes"]],
  [4, 8, ["bytes"]],
  [8, 8, ["bytes"]],
];

/** How codes lie for a way: bytes are read four at a time from fields of 4 or 8 bits. */
function layoutFor(way: CodeArithmetic, bits: number): CodeLayout | undefined {
  if (way === "planes") return "planes";
  return bits === 4 || bits === 8 ? undefined : bits < 4 ? "nibbles" : "bytes";
}

/** y = x wᵀ with both sides as codes. Codes are made before the clock runs: only the contraction is timed. */
function coded({ m, k, n }: MatmulShape, w: number, a: number, way: CodeArithmetic): KernelText {
  const matrix = (rows: number, bits: number): CodedMatrix => {
    const layout = layoutFor(way, bits);
    return { rows, columns: k, bits, ...(layout === undefined ? {} : { layout }) };
  };
  return {
    reads: {},
    codes: { x: matrix(m, a), w: matrix(n, w) },
    writes: { y: [`f32[${m}, ${n}]`, "y"] },
    body: [
      `%y: f32[${m}, ${n}] = quant.dot %x_codes, %x_scale, %w_codes, %w_scale {contract = [[1], [1]], batch = [[], []], arithmetic = ${way}}`,
    ],
  };
}

const contractionGroup = (shape: MatmulShape): KernelGroup => ({
  name: `dot ${sized(shape)}`,
  cases: [
    ...matmulLayouts.map(
      (layout): KernelCase => ({
        name: `f32 ${layout}`,
        kind: "f32",
        text: matmulKernel(shape, layout),
        flops: flopsOfMatmul(shape),
        isBase: true,
      }),
    ),
    ...[8, 4, 2, 1].map(
      (bits): KernelCase => ({ name: `W${bits}`, kind: `W${bits}`, text: weightOnly(shape, bits), flops: flopsOfMatmul(shape) }),
    ),
    ...codedPairs.flatMap(([w, a, ways]) =>
      ways.map(
        (way): KernelCase => ({
          name: `W${w}A${a} by ${way}`,
          kind: `W${w}A${a} by ${way}`,
          text: coded(shape, w, a, way),
          flops: flopsOfMatmul(shape),
        }),
      ),
    ),
  ],
});

export const contractions: readonly KernelGroup[] = shapes.map(contractionGroup);
