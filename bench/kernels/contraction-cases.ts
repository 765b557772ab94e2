// Contractions that are measured: f32 in the three layouts of training, and weights as codes.
import type { KernelCase, KernelGroup } from "./kernel-case.ts";
import type { KernelText } from "./kernel-text.ts";
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

const contractionGroup = (shape: MatmulShape): KernelGroup => ({
  name: `dot ${sized(shape)}`,
  unit: "gflops",
  cases: [
    ...matmulLayouts.map(
      (layout): KernelCase => ({ name: `f32 ${layout}`, text: matmulKernel(shape, layout), flops: flopsOfMatmul(shape), isBase: true }),
    ),
    ...[8, 4, 2, 1].map((bits): KernelCase => ({ name: `W${bits}`, text: weightOnly(shape, bits), flops: flopsOfMatmul(shape) })),
  ],
});

export const contractions: readonly KernelGroup[] = shapes.map(contractionGroup);
