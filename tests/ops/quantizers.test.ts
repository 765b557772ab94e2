// What holds for every quantizer of the table, at every width and under every mask rule that it has.
import { describe, expect, test } from "vitest";
import type { Builder } from "../../ir/builder.ts";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import type { Value } from "../../ir/module.ts";
import { dot } from "../../ir/ops/dot.ts";
import { quantDecode, quantEncode, quantFake, quantMask, quantScale, quantSurrogate } from "../../ir/ops/quant.ts";
import { quantDot } from "../../ir/ops/quant-dot.ts";
import { packValues, unpackValues } from "../../ir/packing.ts";
import { decodeCode, integerLevels, isMade } from "../../ir/quant/grid.ts";
import { hasMask, type Outer, type Quantizer } from "../../ir/quant/quantizer.ts";
import { isSurrogate } from "../../ir/quant/surrogate.ts";
import { quantizers } from "../../ir/quant/table.ts";
import { float, input } from "../../ir/scalar.ts";
import { codeLayouts, codes as codesType } from "../../ir/type.ts";
import { normalQuantile } from "../../runtime/normal.ts";
import { emitGradients, runEntry } from "./support/run-op.ts";
import { elements, f32, random } from "./support/values.ts";

const columns = 64;
// Rows with a few large elements and one very large one, so that every rule masks something, and a row of zeros.
const x = f32(
  [3, columns],
  elements(random(71, [3, columns])).map((v, i) =>
    i >= 2 * columns ? 0 : i === 3 ? 60 : v * v * v + (i % 17 === 0 ? 2.5 * Math.sign(v) : 0),
  ),
);
const w = f32([5, columns], elements(random(75, [5, columns])));
const cotangent = random(72, [3, columns]);
const matrix = { contract: [[1], [1]], batch: [[], []] } as const;

const outersOf = ({ outers }: Quantizer): readonly Outer[] => outers.flatMap((o): readonly Outer[] => (o === "clip" ? [0.8, 1, 1.3] : [o]));
/** What gradients are multiplied by, where that is not 1 everywhere. */
const masksOf = (b: Builder, at: Value, scale: Value, attrs: { readonly scheme: string; readonly bits: number; readonly outer: Outer }) =>
  hasMask(attrs.outer)
    ? [b.emit(quantMask, [at, scale], attrs)]
    : isSurrogate(attrs.outer)
      ? [b.emit(quantSurrogate, [at, scale], attrs)]
      : [];
const figureCount = quantizers.reduce((n, { gaussian }) => n + gaussian.length, 0);

describe.each(quantizers)("$name", (quantizer) => {
  const { name: scheme, grid } = quantizer;
  describe.each(quantizer.widths)("%i bits", (bits) => {
    for (const outer of outersOf(quantizer)) {
      test.each(["wide", "f32"] as const)(`the gradient passes as ${outer} says, in %s`, (precision) => {
        let scaleHasGradient = true;
        const [dx, ct, mask = elements(x).map(() => 1)] = runEntry([x, cotangent], precision, (b, [at, upstream]) => {
          const scale = b.emit(quantScale, [at!], { scheme, bits });
          const from = b.instructions.length;
          const fake = b.emit(quantFake, [at!, scale], { scheme, bits, outer });
          const [gradient, ofScale] = emitGradients(b, from, [at!, scale], [[fake, upstream!]]);
          scaleHasGradient = ofScale !== undefined;
          return [gradient!, upstream!, ...masksOf(b, at!, scale, { scheme, bits, outer })];
        }).map(elements);
        const rounded = precision === "wide" ? (v: number) => v : Math.fround;
        expect(dx!.map((g) => g + 0)).toEqual(ct!.map((g, i) => rounded(g * mask[i]!) + 0));
        expect(dx!.some((g) => g !== 0)).toBe(true);
        expect(mask.every((m) => m === 1)).toBe(outer === "all");
        expect(scaleHasGradient).toBe(quantizer.scaleGradient !== "none");
      });
    }

    const learned = quantizer.scaleGradient;
    test.runIf(learned !== "none").each([1, 4])("the gradient of a learned step is that of its formula, %i groups a row", (groups) => {
      if (learned === "none") return;
      const outer = outersOf(quantizer)[0]!;
      const steps = f32([3, groups], elements(random(77, [3, groups], 0.2, 0.6)));
      const [ds, fake, mask] = runEntry([x, cotangent, steps], "wide", (b, [at, upstream, scale]) => {
        const rounded = b.emit(quantFake, [at!, scale!], { scheme, bits, outer });
        const [, gradient] = emitGradients(b, b.instructions.length - 1, [at!, scale!], [[rounded, upstream!]]);
        return [gradient!, rounded, ...masksOf(b, at!, scale!, { scheme, bits, outer })];
      }).map(elements);
      const expected = elements(steps).map(() => 0);
      for (const [i, v] of elements(x).entries()) {
        const [q, passes, s] = [fake![i]!, mask?.[i] ?? 1, Math.floor(i / (columns / groups))];
        const derivative = learned.derivative === "rounding" ? q - passes * v : (1 - passes) * q;
        expected[s]! += (elements(cotangent)[i]! * derivative) / elements(steps)[s]!;
      }
      for (const [i, g] of ds!.entries()) expect(g).toBeCloseTo(expected[i]!, 11);
      expect(ds!.some((g) => g !== 0)).toBe(true);
    });

    const [codes, decoded, fake] = runEntry([x], "wide", (b, [at]) => {
      const scale = b.emit(quantScale, [at!], { scheme, bits });
      const outer = outersOf(quantizer)[0]!;
      const made = b.emit(quantEncode, [at!, scale], { scheme, bits, outer });
      return [made, b.emit(quantDecode, [made, scale]), b.emit(quantFake, [at!, scale], { scheme, bits, outer })];
    }).map(elements);

    test("codes fit the bits, are the fake quantization, and come back from every layout", () => {
      expect(Math.min(...codes!)).toBeGreaterThanOrEqual(-(2 ** (bits - 1)));
      expect(Math.max(...codes!)).toBeLessThan(2 ** (bits - 1));
      expect(new Set(codes).size).toBeGreaterThan(1);
      expect(decoded).toEqual(fake);
      for (const layout of [undefined, ...codeLayouts]) {
        if ((layout === "nibbles" && bits > 4) || (layout === "bytes" && bits > 8)) continue;
        const type = codesType(bits, grid, [3, columns], layout);
        expect([...unpackValues(type, packValues(type, codes!))]).toEqual(codes);
      }
    });

    test("a code is that of the nearest level", () => {
      const all = Float64Array.from({ length: 2 ** bits }, (_, i) => i - 2 ** (bits - 1));
      const [levels] = evaluateScalars([decodeCode({ grid, bits }, input(0, "i32"), float(1))], all.length, "wide", { inputs: [all] });
      // Of what stays: zero is for what is pruned.
      const made = [...all].filter((q) => isMade(grid, q) && (quantizer.sparsity === undefined || q !== 0));
      const reached = new Set<number>();
      const points = Float64Array.from({ length: 2001 }, (_, i) => ((i - 1000.25) / 1000) * 1.2 * Math.max(...levels!));
      const [code] = evaluateScalars([quantizer.code(input(0, "f32"), float(1), bits)], points.length, "wide", { inputs: [points] });
      for (const [i, point] of points.entries()) {
        const at = code![i]! + 2 ** (bits - 1);
        reached.add(levels![at]!);
        // Half a unit in the last place for ties, which rules may break either way.
        const nearest = Math.min(...made.map((q) => Math.abs(levels![q + 2 ** (bits - 1)]! - point)));
        expect(Math.abs(levels![at]! - point), `code of ${point}`).toBeLessThanOrEqual(nearest * (1 + 1e-12));
      }
      const levelCount = new Set(made.map((q) => levels![q + 2 ** (bits - 1)]! + 0)).size;
      expect(reached.size).toBe(levelCount);
    });

    test.runIf(integerLevels(grid) !== undefined)("the contraction of integers is that of the rounded tensors", () => {
      const [y, rounded, magnitude] = runEntry([x, w], "wide", (b, operands) => {
        const outer = outersOf(quantizer)[0]!;
        const sides = operands.map((at) => {
          const scale = b.emit(quantScale, [at], { scheme, bits });
          const made = b.emit(quantEncode, [at, scale], { scheme, bits, outer });
          return { scale, made, fake: b.emit(quantFake, [at, scale], { scheme, bits, outer }) };
        });
        const [left, right] = [sides[0]!, sides[1]!];
        const integers = b.emit(quantDot, [left.made, left.scale, right.made, right.scale], matrix);
        return [integers, b.emit(dot, [left.fake, right.fake], matrix), b.emit(dot, [left.fake, left.fake], matrix)];
      }).map(elements);
      const largest = Math.max(...magnitude!);
      for (const [i, v] of y!.entries()) expect(Math.abs(v - rounded![i]!)).toBeLessThanOrEqual(1e-13 * largest);
    });
  });
});

describe("a normally distributed row", () => {
  // The midpoint quantiles of N(0, 1).
  const count = 1e6;
  const row = f32(
    [1, count],
    Array.from({ length: count }, (_, i) => normalQuantile((i + 0.5) / count)),
  );
  const data = elements(row);
  for (const { name: scheme, gaussian } of quantizers)
    for (const { bits, outer, error, masked } of gaussian)
      test(`${scheme}, ${bits} bits, ${outer}: error ${error}, masked ${masked}`, () => {
        const [fake, mask = data.map(() => 1)] = runEntry([row], "wide", (b, [at]) => {
          const scale = b.emit(quantScale, [at!], { scheme, bits });
          const attrs = { scheme, bits, outer };
          return [b.emit(quantFake, [at!, scale], attrs), ...(hasMask(outer) ? masksOf(b, at!, scale, attrs) : [])];
        }).map(elements);
        const measured = data.reduce((sum, v, i) => sum + (v - fake![i]!) ** 2, 0) / count;
        expect(Math.abs(measured / error - 1)).toBeLessThan(0.005);
        const share = mask.reduce((n, m) => n + 1 - m, 0) / count;
        expect(Math.abs(share - masked)).toBeLessThan(2e-6);
      });
  test("there are figures", () => void expect(figureCount).toBeGreaterThan(0));
});
