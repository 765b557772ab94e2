// The golden INT4 inference path on every backend: codes of given steps, packed bytes, row sums, the contraction by each arithmetic, and the
// codes and indices of pruned weights (spec/quest 5).
import { afterAll, describe, expect, test } from "vitest";
import { arithmetics, type CodeArithmetic } from "../../ir/ops/quant-dot.ts";
import { packValues } from "../../ir/packing.ts";
import { packSparseRow, unpackSparseRow } from "../../ir/quant/sparse-packing.ts";
import { codes } from "../../ir/type.ts";
import { moduleOf } from "../passes/run.ts";
import { allBackends, type Backend } from "../support/backends.ts";
import { toKernels } from "../support/quantized-linear.ts";
import { flat, golden, type GoldenKernel, isOwnFile, type Rows, worstShare } from "./vectors.ts";

const kernel = golden.int4_kernel;
const backends = kernel === undefined ? [] : await allBackends();
afterAll(() => {
  for (const backend of backends) backend.dispose();
});

test("the project's own file has the kernel's vectors", () => {
  if (isOwnFile) expect(kernel?.sparse_w).toBeDefined();
});

const numbers = (rows: Rows) => Float32Array.from(flat(rows));
const bytesOf = (buffer: ArrayBuffer) => Array.from(new Uint8Array(buffer));
const rowOf = (values: ArrayLike<number>, row: number, columns: number) => Array.from(values).slice(row * columns, (row + 1) * columns);

/** Codes and sums of levels: with steps of 1 the sum of a row is the sum of its codes and half its length. */
const encodings = ({ m, n, k }: Sizes): string => `loomir 1
form differentiated

entry @main(%a: f32[${m}, ${k}], %as: f32[${m}, 1], %w: f32[${n}, ${k}], %ws: f32[${n}, 1], %ones: f32[${m}, 1], %units: f32[${n}, 1])
    -> (a_codes: q4[${m}, ${k}; grid = half], w_codes: q4[${n}, ${k}; grid = half], a_add: f32[${m}], w_add: f32[${n}], pruned: q5[${n}, ${k}; grid = sparse_half]) {
  %ac: q4[${m}, ${k}; grid = half] = quant.encode %a, %as {scheme = quest, bits = 4}
  %wc: q4[${n}, ${k}; grid = half] = quant.encode %w, %ws {scheme = quest, bits = 4}
  %al: f32[${m}, ${k}] = quant.decode %ac, %ones
  %wl: f32[${n}, ${k}] = quant.decode %wc, %units
  %aa: f32[${m}] = sum %al {axes = [1]}
  %wa: f32[${n}] = sum %wl {axes = [1]}
  %pc: q5[${n}, ${k}; grid = sparse_half] = quant.encode %w, %ws {scheme = sparse_4_8, bits = 5}
  return %ac, %wc, %aa, %wa, %pc
}
`;

/** The layer, with its own steps and with steps of 1. */
const layer = ({ m, n, k }: Sizes, arithmetic: CodeArithmetic): string => {
  const [type, layout] = arithmetic === "planes" ? ["; grid = half, layout = planes", ", layout = planes"] : ["; grid = half", ""];
  return `loomir 1
form differentiated

entry @main(%a: f32[${m}, ${k}], %as: f32[${m}, 1], %w: f32[${n}, ${k}], %ws: f32[${n}, 1], %ones: f32[${m}, 1], %units: f32[${n}, 1])
    -> (y: f32[${m}, ${n}], sums: f32[${m}, ${n}]) {
  %ac: q4[${m}, ${k}${type}] = quant.encode %a, %as {scheme = quest, bits = 4${layout}}
  %wc: q4[${n}, ${k}${type}] = quant.encode %w, %ws {scheme = quest, bits = 4${layout}}
  %y: f32[${m}, ${n}] = quant.dot %ac, %as, %wc, %ws {contract = [[1], [1]], batch = [[], []], arithmetic = ${arithmetic}}
  %s: f32[${m}, ${n}] = quant.dot %ac, %ones, %wc, %units {contract = [[1], [1]], batch = [[], []], arithmetic = ${arithmetic}}
  return %y, %s
}
`;
};

/** Pruned weights against dense activations, with steps of 1. */
const prunedLayer = ({ m, n, k }: Sizes, arithmetic: CodeArithmetic): string => {
  // No field of a word holds 5 bits.
  const [type, layout] = arithmetic === "bytes" ? ["; grid = sparse_half, layout = bytes", ", layout = bytes"] : ["; grid = sparse_half", ""];
  return `loomir 1
form differentiated

entry @main(%a: f32[${m}, ${k}], %as: f32[${m}, 1], %w: f32[${n}, ${k}], %ws: f32[${n}, 1], %ones: f32[${m}, 1], %units: f32[${n}, 1]) -> (sums: f32[${m}, ${n}]) {
  %ac: q4[${m}, ${k}; grid = half] = quant.encode %a, %as {scheme = quest, bits = 4}
  %wc: q5[${n}, ${k}${type}] = quant.encode %w, %ws {scheme = sparse_4_8, bits = 5${layout}}
  %s: f32[${m}, ${n}] = quant.dot %ac, %ones, %wc, %units {contract = [[1], [1]], batch = [[], []], arithmetic = ${arithmetic}}
  return %s
}
`;
};

interface Sizes {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const sizesOf = ({ a, w }: GoldenKernel): Sizes => ({ m: a.length, n: w.length, k: a[0]?.length ?? 0 });
const inputsOf = (data: GoldenKernel) => ({
  a: numbers(data.a),
  as: numbers(data.a_step_bf16),
  w: numbers(data.w),
  ws: numbers(data.w_step_bf16),
  ones: new Float32Array(data.a.length).fill(1),
  units: new Float32Array(data.w.length).fill(1),
});

const run = (backend: Backend, text: string, data: GoldenKernel) => backend.run(toKernels(moduleOf(text)), "main", inputsOf(data), {});

describe.each(backends)("$name", (backend: Backend) => {
  if (kernel === undefined) return;
  const sizes = sizesOf(kernel);
  const { m, n, k } = sizes;

  test("codes, packed bytes and row sums; pruned codes and their indices", async () => {
    const out = await run(backend, encodings(sizes), kernel);
    for (const [side, rows] of [["a", m], ["w", n]] as const) {
      const made = Array.from(out[`${side}_codes`] ?? []);
      expect(made, side).toEqual(flat(kernel[`${side}_codes`]));
      // Rows of whole 16 bytes: nothing stands between them.
      expect((k * 4) % 128).toBe(0);
      expect(bytesOf(packValues(codes(4, "half", [rows, k]), made)), side).toEqual(flat(kernel[`${side}_packed`]));
      const sums = Array.from(out[`${side}_add`] ?? []);
      expect(sums.map((sum) => sum - k / 2), side).toEqual(flat(kernel[`${side}_row_sum`]));
      if (side === "w") expect(sums).toEqual(flat(kernel.w_add));
    }
    if (kernel.sparse_w !== undefined) checkPruned(kernel, kernel.sparse_w, out["pruned"] ?? [], k);
  });

  test.each(arithmetics)("the contraction by %s", async (arithmetic) => {
    const out = await run(backend, layer(sizes, arithmetic), kernel);
    const [ofA, ofW] = [flat(kernel.a_row_sum), flat(kernel.w_row_sum)];
    // Sums of products of levels are whole quarters, small enough to be exact in f32.
    const products = Array.from(out["sums"] ?? [], (sum, i) => sum - ((ofA[Math.floor(i / n)] ?? 0) + (ofW[i % n] ?? 0) + k / 2) / 2);
    expect(products).toEqual(flat(kernel.C_int32));
    expect(worstShare(out["y"] ?? [], flat(kernel.y_float64))).toBeLessThan(1e-6);
    for (const [i, rounded] of flat(kernel.y_bf16).entries()) expect(Math.abs((out["y"]?.[i] ?? Number.NaN) - rounded)).toBeLessThanOrEqual(Math.abs(rounded) * 2 ** -8);
  });

  test.each(["floats", "bytes"] as const)("the contraction of pruned weights by %s", async (arithmetic) => {
    const out = await run(backend, prunedLayer(sizes, arithmetic), kernel);
    const expected = kernel.a_codes.flatMap((a) =>
      kernel.w_codes.map((w, row) => {
        let sum = 0;
        for (let first = 0; first < k; first += 8)
          for (const { pair } of keptPairs(kernel.w[row] ?? [], first).slice(0, 2))
            for (const at of [first + 2 * pair, first + 2 * pair + 1]) sum += ((a[at] ?? Number.NaN) + 0.5) * ((w[at] ?? Number.NaN) + 0.5);
        return sum;
      }),
    );
    expect(Array.from(out["sums"] ?? [])).toEqual(expected);
  });
});

/** The two pairs of a group with the largest norms, of equal ones the later. */
function keptPairs(w: readonly number[], first: number): { readonly norm: number; readonly pair: number }[] {
  const norms = [0, 1, 2, 3].map((pair) => Math.hypot(w[first + 2 * pair] ?? 0, w[first + 2 * pair + 1] ?? 0));
  return norms.map((norm, pair) => ({ norm, pair })).sort((x, y) => y.norm - x.norm || y.pair - x.pair);
}

/**
 * The reference compares norms in bf16, where two may be equal that are not: there ours are those of the larger norms, and the reference's are
 * among the equal ones. Everywhere else both keep the same pairs.
 */
function checkPruned(data: GoldenKernel, expected: NonNullable<GoldenKernel["sparse_w"]>, made: ArrayLike<number>, k: number): void {
  const form = { unit: 2, levelBits: 4 } as const;
  let wholeRows = 0;
  for (const [row, w] of data.w.entries()) {
    const own = rowOf(made, row, k);
    const kept = expected.kept_pair_idx[row] ?? [];
    const reference = new Array<number>(k).fill(0);
    let isWhole = true;
    for (let first = 0; first < k; first += 8) {
      const pairs = kept.slice(first / 4, first / 4 + 2);
      for (const [i, pair] of pairs.entries())
        for (const at of [0, 1]) reference[first + 2 * pair + at] = 2 * (expected.compressed_codes[row]?.[first / 2 + 2 * i + at] ?? Number.NaN) + 1;
      const largest = keptPairs(w, first);
      const ours = [0, 1, 2, 3].filter((pair) => own[first + 2 * pair] !== 0);
      expect(ours, `row ${row}, group at ${first}`).toEqual(largest.slice(0, 2).map((x) => x.pair).sort());
      for (const pair of ours)
        for (const at of [0, 1]) expect(own[first + 2 * pair + at]).toBe(2 * (data.w_codes[row]?.[first + 2 * pair + at] ?? Number.NaN) + 1);
      const rounded = largest.map((x) => bf16(x.norm));
      if (rounded[1] !== rounded[2]) expect(ours, `row ${row}, group at ${first}`).toEqual(pairs);
      else isWhole &&= JSON.stringify(ours) === JSON.stringify(pairs);
    }
    for (const codesOfRow of isWhole ? [reference, own] : [reference]) {
      const packed = packSparseRow(codesOfRow, form);
      expect(bytesOf(packed.levels.buffer as ArrayBuffer)).toEqual(expected.compressed_packed[row]);
      expect(Array.from(packed.units)).toEqual(expected.meta_u32[row]);
      expect(Array.from(unpackSparseRow(packed, k, form))).toEqual(codesOfRow);
    }
    if (isWhole) wholeRows++;
  }
  expect(wholeRows).toBeGreaterThan(0);
}

/** The nearest number with 8 bits of mantissa, ties to even. */
function bf16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer);
  bits[0] = ((bits[0] ?? 0) + 0x7fff + (((bits[0] ?? 0) >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0] ?? Number.NaN;
}
