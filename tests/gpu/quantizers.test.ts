// A layer under every quantizer of the table, forward and backward, on every adapter: the interpreter's codes and masks, and its numbers.
import { afterAll, describe, expect, test } from "vitest";
import type { QuantizeChoice, Settings } from "../../ir/quant/choice.ts";
import type { Quantizer } from "../../ir/quant/quantizer.ts";
import { pruners, quantizers } from "../../ir/quant/table.ts";
import { allBackends } from "../support/backends.ts";
import { gradientName, guessedScales, quantizedLinear, toKernels } from "../support/quantized-linear.ts";

const backends = await allBackends();
const [reference, ...others] = backends;
afterAll(() => {
  for (const backend of backends) backend.dispose();
});

const shape = { m: 9, n: 7, k: 96 };

/** Normal by the sum of twelve, from a seed. */
function normal(count: number, seed: number): Float32Array {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => Array.from({ length: 12 }, uniform).reduce((a, b) => a + b, -6));
}

/** Its own settings at a few widths, then a full rotation, groups, and one side alone. */
function choicesOf({ name: scheme, settings }: Quantizer): readonly QuantizeChoice[] {
  const choices = (more: Settings): readonly QuantizeChoice[] =>
    settings["w"] !== undefined
      ? [1, 3, 4, 8].filter((bits) => settings["w"]?.accepts(bits)).map((bits) => ({ scheme, settings: { w: bits, a: bits, ...more } }))
      : [{ scheme, settings: more }];
  const alone: Settings = "w" in settings ? { a: "none" } : { on: "weight" };
  const variants = [
    { rotation: "full", hadamard: 32 },
    { group: 32, hadamard: "none" },
    { ...alone, hadamard: 16 },
  ] as const;
  const has = (given: Settings) => Object.keys(given).every((name) => name in settings);
  return [...choices({}), ...variants.filter(has).flatMap((v) => choices(v).slice(0, 1))];
}

const state = { x: normal(shape.m * shape.k, 3), w: normal(shape.n * shape.k, 4) };
const inputs = { dy: normal(shape.m * shape.n, 5) };

/** Each of two drivers gets every second choice, whose kernels are of the same forms; the plan on the CPU gets all. */
async function compare(choice: QuantizeChoice, outputs: readonly string[], leftOut?: string): Promise<void> {
  const module = toKernels(quantizedLinear(shape, choice));
  // Half of what suits these values, so that some are clipped.
  const scales = Object.entries(guessedScales(module)).map(([name, values]) => [name, values.map((v) => v / 2)] as const);
  const given = { ...state, ...Object.fromEntries(scales) };
  const expected = (await reference?.run(module, "layer", inputs, given)) ?? {};
  expect(Object.keys(expected)).toEqual(expect.arrayContaining(scales.map(([name]) => gradientName(name))));
  expect(Object.keys(expected)).toEqual(expect.arrayContaining(["y", "dx", "dw", ...outputs]));
  for (const backend of others.filter(({ name }) => name !== leftOut)) {
    const out = await backend.run(module, "layer", inputs, given);
    for (const [name, values] of Object.entries(expected)) {
      const actual = Array.from(out[name] ?? []);
      if (/_(codes|mask)$/.test(name)) expect(actual, `${name} on ${backend.name}`).toEqual(Array.from(values, Number));
      else {
        const largest = Math.max(...Array.from(values, Math.abs));
        const worst = actual.reduce((most, v, i) => Math.max(most, Math.abs(v - (values[i] ?? Number.NaN))), 0);
        expect(actual.length).toBe(values.length);
        // Both are 0 where a learned clip clips nothing.
        expect(worst, `${name} on ${backend.name}`).toBeLessThanOrEqual(1e-5 * largest);
      }
    }
  }
}

describe.each(quantizers)("$name", (quantizer) => {
  const hasBoth = ["SwiftShader", "lavapipe"].every((name) => others.some((backend) => backend.name === name));
  test.each(choicesOf(quantizer).map((choice, i) => ({ ...choice, i })))("$settings", ({ i, ...choice }) =>
    compare(choice, ["w_codes"], hasBoth ? (i % 2 === 1 ? "SwiftShader" : "lavapipe") : undefined),
  );
});

describe.each(pruners)("$name", ({ name: scheme }) => {
  const settings: readonly Settings[] = [{}, { hadamard: 32 }, { hadamard: 16, rotation: "absorbed" }];
  test.each(settings)("%o", (own) => compare({ scheme, settings: own }, ["w_mask"]));
});
