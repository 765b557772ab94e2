// QuEST's golden vectors through compiled graphs, on the interpreter and on every adapter (spec/quest 8.2).
import { afterAll, describe, expect, test } from "vitest";
import type { QuantizeChoice } from "../../ir/quant/choice.ts";
import { allBackends, type Backend } from "../support/backends.ts";
import { quantizedLinear, quantizedSum, sgdTraining, toKernels, trainingKernels } from "../support/quantized-linear.ts";
import { choiceFor, choiceForSides, flat, golden, type GoldenCase, goldenPath, isOwnFile, type Rows, worstShare } from "./vectors.ts";

/** Of the project's own file: all of them. */
const ownCaseCount = 98;
const ownSkippedCount = 0;
/** Of the layers with other quantizers or widths on either side. */
const ownExtraCount = 8;

const backends = await allBackends();
const choiceOf = (c: GoldenCase, block: number) => choiceFor(c.quantizer, c.bits, block, c.kwargs.clip_scale);
const built = golden.cases.filter((c) => choiceOf(c, 1) !== undefined);
const skipped = golden.cases.length - built.length;

afterAll(async () => {
  for (const backend of backends) backend.dispose();
  const extra = golden.extra ?? [];
  const missing = [
    ...golden.cases.filter((c) => choiceOf(c, 1) === undefined).map((c) => c.quantizer),
    ...extra.filter((c) => choiceForSides(c, 128) === undefined).map((c) => c.label),
    ...(golden.edge?.runs ?? []).filter((r) => choiceFor(r.quantizer, r.bits, 128) === undefined).map((r) => `edge: ${r.quantizer}`),
    ...(golden.sgd?.runs ?? []).filter((r) => choiceFor(r.quantizer, r.kwargs.bits, 128) === undefined).map((r) => `sgd: ${r.quantizer}`),
  ];
  const on = backends.map((b) => b.name).join(", ");
  process.stderr.write(`golden vectors ${goldenPath}: ${built.length} cases, ${extra.length} further layers on ${on}; skipped, because not built: ${[...new Set(missing)].join(", ") || "none"}\n`);
});

test("the number of cases that are run", () => {
  expect(built.length).toBeGreaterThan(0);
  if (isOwnFile) expect([built.length, skipped]).toEqual([ownCaseCount, ownSkippedCount]);
  const extra = (golden.extra ?? []).filter((c) => choiceForSides(c, 128) !== undefined);
  if (isOwnFile) expect(extra.length).toBe(ownExtraCount);
});

/** Where the codes and masks of a case stand: with it, or (spec P6: only their scale differs) with its twin of exact h. */
const twin = (c: GoldenCase): GoldenCase | undefined =>
  c.x_codes !== undefined ? c : golden.cases.find((o) => o.h === "exact" && o.input === c.input && o.quantizer === c.quantizer && JSON.stringify(o.kwargs) === JSON.stringify(c.kwargs));

const maskText = (mask: ArrayLike<number>, columns: number): string[] =>
  Array.from({ length: mask.length / columns }, (_, r) => Array.from({ length: columns }, (_, c) => mask[r * columns + c]).join(""));

describe.each(backends)("$name", (backend: Backend) => {
  for (const [at, c] of built.entries()) {
    const input = golden.inputs[c.input];
    if (input === undefined) throw new Error(`${goldenPath}: case ${at} names an input that is not there`);
    test(`${at}: ${c.quantizer} ${JSON.stringify(c.kwargs)} ${c.h} on ${c.input}`, async () => {
      const quantize = choiceOf(c, input.hadamard_block);
      if (quantize === undefined) throw new Error("not built");
      const module = toKernels(quantizedLinear(input, quantize));
      const state = { x: Float32Array.from(flat(input.x)), w: Float32Array.from(flat(input.w)) };
      const out = await backend.run(module, "layer", { dy: Float32Array.from(flat(input.dy)) }, state);
      const codes = twin(c);
      expect(codes, "codes of the case or of its exact twin").toBeDefined();
      for (const side of ["x", "w"] as const) {
        expect(Array.from(out[`${side}_codes`] ?? []), side).toEqual(flat(codes?.[`${side}_codes`] ?? []));
        const all = new Array<number>(codes?.[`${side}_codes`]?.flat().length ?? 0).fill(1);
        expect(maskText(quantize.scheme === "ste" ? all : (out[`${side}_mask`] ?? []), input.k), side).toEqual(codes?.[`${side}_mask`]);
      }
      // The reference's bf16 matrix is not orthonormal (spec P6): ours is exact.
      const bound = c.h === "exact" ? 1e-5 : 1e-3;
      for (const name of ["y", "dx", "dw"] as const) expect(worstShare(out[name] ?? [], flat(c[name])), name).toBeLessThan(bound);
    });
  }

  for (const c of golden.extra ?? []) {
    const input = golden.inputs[c.input];
    const quantize = input === undefined ? undefined : choiceForSides(c, input.hadamard_block);
    test.runIf(quantize !== undefined)(`extra: ${c.label}`, async () => {
      if (input === undefined || quantize === undefined) return;
      const state = { x: Float32Array.from(flat(input.x)), w: Float32Array.from(flat(input.w)) };
      const given = {
        ...state,
        ...(quantize.scheme === "lsq"
          ? { "w#step": firstStep(state.w, quantize.settings["w"]), "layer#a.step": firstStep(state.x, quantize.settings["a"]) }
          : {}),
      };
      const inputs = { dy: Float32Array.from(flat(input.dy)) };
      const out = await backend.run(toKernels(quantizedLinear(input, quantize)), "layer", inputs, given);
      for (const name of ["y", "dx", "dw"] as const) expect(worstShare(out[name] ?? [], flat(c[name])), name).toBeLessThan(1e-5);
      // These cases have no codes: what is multiplied says which they are.
      const rounded = await backend.run(toKernels(quantizedLinear(input, quantize, { operands: true })), "layer", inputs, given);
      for (const name of ["x_q", "w_q"] as const) {
        const expected = c[name];
        if (expected !== undefined) expect(worstShare(rounded[name] ?? [], flat(expected)), name).toBeLessThan(1e-5);
      }
    });
  }

  const edge = golden.edge;
  if (edge !== undefined)
    for (const run of edge.runs) {
      const quantize = choiceFor(run.quantizer, run.bits, 128);
      test.runIf(quantize !== undefined)(`edge rows: ${run.quantizer} at ${run.bits} bits`, async () => {
        if (quantize === undefined) return;
        await checkEdgeRows(backend, edge.x, run, quantize);
      });
    }

  const sgd = golden.sgd;
  if (sgd !== undefined)
    for (const run of sgd.runs) {
      const quantize = choiceFor(run.quantizer, run.kwargs.bits, 128, run.kwargs.clip_scale);
      test.runIf(quantize !== undefined)(`ten steps of SGD: ${run.quantizer} ${JSON.stringify(run.kwargs)}`, async () => {
        if (quantize === undefined) return;
        const { x, w0, target } = sgd.inputs;
        const shape = { m: x.length, n: w0.length, k: x[0]?.length ?? 0 };
        const module = trainingKernels(sgdTraining(shape, quantize, run.lr));
        const inputs = { x: Float32Array.from(flat(x)), target: Float32Array.from(flat(target)) };
        const losses = await backend.train(module, inputs, { w: Float32Array.from(flat(w0)) }, run.losses.length);
        for (const [step, expected] of run.losses.entries()) {
          expect(Math.abs((losses[step] ?? Number.NaN) - expected) / expected, `loss of step ${step}`).toBeLessThan(1e-5);
        }
      });
    }
});

/** LSQ's (spec 1.3), from all of the tensor: 2 mean|x| / sqrt(n/2 - 1). */
const firstStep = (values: Float32Array, bits: unknown): Float32Array =>
  Float32Array.of((2 * values.reduce((sum, v) => sum + Math.abs(v), 0)) / values.length / Math.sqrt(2 ** (Number(bits) - 1) - 1));

/**
 * Rows at the edges of the rule. Where an element lies on a rounding boundary the reference rounds half to even and we floor
 * (spec P3), so there the output may be one step off and the gradient of that element either way; everywhere else both agree.
 */
async function checkEdgeRows(backend: Backend, x: Rows, run: { readonly out: Rows; readonly grad_of_sum: Rows }, quantize: QuantizeChoice): Promise<void> {
  const [m, k] = [x.length, x[0]?.length ?? 0];
  const out = await backend.run(toKernels(quantizedSum({ m, n: 1, k }, quantize)), "layer", {}, { x: Float32Array.from(flat(x)) });
  const [values, codes, mask, scales, rotated] = ["out", "x_codes", "x_mask", "x_scale", "x_rotated"].map((name) => Array.from(out[name] ?? []));
  if (values === undefined || codes === undefined || mask === undefined || scales === undefined || rotated === undefined) throw new Error("outputs");
  for (let row = 0; row < m; row++) {
    const step = scales[row] ?? Number.NaN;
    const at = (list: readonly number[]) => list.slice(row * k, (row + 1) * k);
    const onBoundary = at(rotated).map((v) => Math.abs(v / step - Math.round(v / step)) < 1e-4);
    if (row === 0) {
      // Spec P3: codes of an all-zero row are 0 (we floor), its values half a step of the smallest scale, and nothing is trusted.
      expect(at(codes).every((q) => q === 0)).toBe(true);
      expect(at(mask).every((trusted) => trusted === 0)).toBe(true);
    }
    const expected = run.out[row] ?? [];
    const expectedGradient = run.grad_of_sum[row] ?? [];
    if (onBoundary.some((b) => b)) {
      // Tie-sensitive rows: each code is the floor of its own value, and the trusted elements that are off every boundary agree.
      for (const [i, q] of at(codes).entries()) {
        const v = (at(rotated)[i] ?? 0) / step;
        const half = 2 ** (Number(quantize.settings["w"]) - 1);
        const floored = Math.max(-half, Math.min(half - 1, Math.floor(v)));
        if (onBoundary[i] !== true) expect(q, `row ${row}, element ${i}`).toBe(floored);
        else expect(Math.abs(q - floored), `row ${row}, element ${i}`).toBeLessThanOrEqual(1);
      }
      if (quantize.settings["rotation"] === "half") {
        for (const [i, v] of at(values).entries()) {
          expect(Math.abs(v - (expected[i] ?? 0)), `row ${row}, element ${i}`).toBeLessThanOrEqual(onBoundary[i] === true ? step * 1.001 : Math.abs(step) * 1e-3);
        }
      }
      continue;
    }
    expect(worstShare(at(values), expected), `out of row ${row}`).toBeLessThan(1e-5);
    // Gradients of a sum are of order 1 wherever anything is trusted.
    expect(worstShare(at(Array.from(out["dx"] ?? [])), expectedGradient, 1), `gradient of row ${row}`).toBeLessThan(1e-5);
  }
}
