// Rounding is flat, so its gradient is a rule. Three checks stand in for a difference quotient: the rule equals the written mask
// formula; with quantization off a rotated layer has the plain layer's gradient; all trusted is straight-through, none trusted is zero.
import { describe, expect, test } from "vitest";
import type { Builder } from "../../ir/builder.ts";
import type { TypedTensor } from "../../ir/evaluate-op.ts";
import type { Value } from "../../ir/module.ts";
import { dot } from "../../ir/ops/dot.ts";
import { hadamard } from "../../ir/ops/hadamard.ts";
import { quantFake, quantScale } from "../../ir/ops/quant.ts";
import type { Outer } from "../../ir/quant/quantizer.ts";
import type { Precision } from "../../ir/tensor.ts";
import { emitGradients, runEntry } from "./support/run-op.ts";
import { elements, f32, random } from "./support/values.ts";

const columns = 64;
// Gaussian-like rows with a few large elements, so that every rule masks something.
const x = f32(
  [3, columns],
  elements(random(71, [3, columns])).map((v, i) => v * v * v + (i % 17 === 0 ? 2.5 * Math.sign(v) : 0)),
);
const cotangent = random(72, [3, columns]);
const one = (t: TypedTensor | undefined): readonly number[] => elements(t!);

/** Gradient of `quant.fake` with respect to x, and what it needs to be judged: scales and the gradient of the scale. */
function gradientOfFake(scheme: string, bits: number, outer: Outer, at: TypedTensor, precision: Precision) {
  let scaleHasGradient = true;
  const [dx, s] = runEntry([at, cotangent], precision, (b, [input, ct]) => {
    const scale = b.emit(quantScale, [input!], { scheme, bits });
    const from = b.instructions.length;
    const fake = b.emit(quantFake, [input!, scale], { scheme, bits, outer });
    const [gradient, ofScale] = emitGradients(b, from, [input!, scale], [[fake, ct!]]);
    scaleHasGradient = ofScale !== undefined;
    return [gradient!, scale];
  });
  return { dx: one(dx), scales: one(s), scaleHasGradient };
}

/** The mask of the spec, section 0, written out for one element; epsilon as in P3 and P5. */
function writtenMask(v: number, step: number, bits: number, outer: Outer): boolean {
  const n = 2 ** bits;
  if (typeof outer === "number") return Math.abs(v) <= (outer * step * (n - 1)) / 2;
  const code = Math.min(Math.max(Math.floor(v / step), -n / 2), n / 2 - 1);
  const scale = (step * (n - 1)) / 2;
  const trust = (scale - 1e-8) / (n - 1);
  return Math.abs((code + 0.5) * step - v) <= trust;
}

describe("the rule is the written formula", () => {
  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8]) {
    for (const outer of ["trust", 1.25, 1.3] as const) {
      test(`quest, ${bits} bits, outer ${outer}`, () => {
        const { dx, scales, scaleHasGradient } = gradientOfFake("quest", bits, outer, x, "wide");
        const ct = elements(cotangent);
        const expected = elements(x).map((v, i) => (writtenMask(v, scales[Math.floor(i / columns)]!, bits, outer) ? ct[i]! : 0));
        expect(dx.map((g) => g + 0)).toEqual(expected);
        expect(scaleHasGradient).toBe(false);
        // The formula is only tested where it masks some elements and not others.
        if (bits <= 3) expect(expected.filter((g) => g === 0).length).toBeGreaterThan(0);
        expect(expected.filter((g) => g !== 0).length).toBeGreaterThan(0);
      });
    }
  }
});

describe("all trusted and none trusted", () => {
  for (const precision of ["wide", "f32"] as const) {
    test(`quest in ${precision}`, () => {
      // A row of one magnitude: nothing lies beyond its levels. A row of zeros: no element is trusted (spec P3).
      const level = elements(x).map((v) => (v < 0 ? -0.75 : 0.75));
      const trusted = gradientOfFake("quest", 4, "trust", f32([3, columns], level), precision);
      const rounded = precision === "f32" ? elements(cotangent).map(Math.fround) : elements(cotangent);
      expect(trusted.dx).toEqual(rounded);
      const zeros = f32([3, columns], new Array<number>(3 * columns).fill(0));
      expect(gradientOfFake("quest", 4, "trust", zeros, precision).dx.every((g) => g === 0)).toBe(true);
    });
  }
});

describe("with quantization off a rotated layer has the plain layer's gradient", () => {
  const weight = random(73, [5, columns]);
  const upstream = random(74, [3, 5]);
  const matrix = { contract: [[1], [1]], batch: [[], []] } as const;
  const layer = (b: Builder, input: Value, w: Value, block: number): Value => {
    const rotated = (v: Value) => (block === 1 ? v : b.emit(hadamard, [v], { axis: 1, block }));
    return b.emit(dot, [rotated(input), rotated(w)], matrix);
  };
  const gradients = (block: number) =>
    runEntry([x, weight, upstream], "wide", (b, [input, w, ct]) => {
      const y = layer(b, input!, w!, block);
      const [dx, dw] = emitGradients(b, 0, [input!, w!], [[y, ct!]]);
      return [y, dx!, dw!];
    });
  const plain = gradients(1).map(elements);
  for (const block of [8, 32, 64]) {
    test(`blocks of ${block}`, () => {
      for (const [i, rotated] of gradients(block).map(elements).entries()) {
        const largest = Math.max(...plain[i]!.map(Math.abs));
        for (const [k, v] of rotated.entries()) expect(Math.abs(v - plain[i]![k]!) / largest).toBeLessThan(1e-14);
      }
    });
  }
});
