// Power laws through points that follow one.
import fc from "fast-check";
import { expect, test } from "vitest";
import { powerLaw } from "../../bench/scaling/fit.ts";

test("finds exponent and factor of points on a power law", () => {
  const points = [1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5] as const);
  const { exponent, factor, rSquared } = powerLaw(points);
  expect(exponent).toBeCloseTo(1.5, 12);
  expect(factor).toBeCloseTo(3, 12);
  expect(rSquared).toBeCloseTo(1, 12);
});

test("fits by least squares of the logarithms where points lie beside it", () => {
  // log2 of the points: (0, 0), (1, 2), (2, 1): slope 1/2, intercept 1/2.
  const { exponent, factor, rSquared } = powerLaw([
    [1, 1],
    [2, 4],
    [4, 2],
  ]);
  expect(exponent).toBeCloseTo(0.5, 12);
  expect(factor).toBeCloseTo(Math.SQRT2, 12);
  expect(rSquared).toBeCloseTo(0.25, 12);
});

test("any law is found again", () => {
  const law = fc.record({ exponent: fc.double({ min: -3, max: 3, noNaN: true }), factor: fc.double({ min: 0.01, max: 100, noNaN: true }) });
  fc.assert(
    fc.property(law, (given) => {
      const found = powerLaw([1, 3, 10].map((x) => [x, given.factor * x ** given.exponent]));
      expect(found.exponent).toBeCloseTo(given.exponent, 8);
      expect(found.factor / given.factor).toBeCloseTo(1, 8);
    }),
  );
});

test("refuses what no law goes through", () => {
  expect(() =>
    powerLaw([
      [2, 1],
      [2, 3],
    ]),
  ).toThrow("two different x");
  expect(() =>
    powerLaw([
      [1, 0],
      [2, 3],
    ]),
  ).toThrow("positive");
});
