// The levels of the Lloyd quantizers are what 20 steps of Lloyd's algorithm give, with integrals of the normal density computed here.
import { describe, expect, test } from "vitest";
import { lloydLevels, lloydWidths } from "../../ir/quant/lloyd-levels.ts";

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Of the density between two bounds, by Simpson's rule. */
function mass(from: number, to: number): number {
  const parts = 2000;
  const h = (to - from) / parts;
  let sum = density(from) + density(to);
  for (let i = 1; i < parts; i++) sum += (i % 2 === 1 ? 4 : 2) * density(from + i * h);
  return (sum * h) / 3;
}

/** Where the density is below 1e-30. */
const far = 12;

describe.each(lloydWidths)("%i bits", (bits) => {
  test("20 steps from equidistant levels on [-3, 3]", () => {
    const count = 2 ** bits;
    let levels = Array.from({ length: count }, (_, i) => -3 + (6 * i) / (count - 1));
    for (let step = 0; step < 20; step++) {
      const bounds = [-far, ...levels.slice(1).map((level, i) => (level + (levels[i] ?? 0)) / 2), far];
      levels = levels.map((_, i) => {
        const [from, to] = [bounds[i] ?? 0, bounds[i + 1] ?? 0];
        return (density(from) - density(to)) / mass(from, to);
      });
    }
    const positive = levels.slice(count / 2);
    expect(lloydLevels(bits).length).toBe(positive.length);
    for (const [i, level] of positive.entries()) expect(Math.abs(level - (lloydLevels(bits)[i] ?? 0))).toBeLessThan(1e-9);
  });
});
