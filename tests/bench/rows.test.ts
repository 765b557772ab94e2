// What a row of a benchmark means: spread, and the one definition of a ratio.
import { expect, test } from "vitest";
import { ratioOf, spreadOf } from "../../bench/rows.ts";

test("a spread is the least, the middle and the largest of the runs, in whatever order they came", () => {
  expect(spreadOf([30, 10, 20])).toEqual({ min: 10, median: 20, max: 30 });
  expect(spreadOf([4, 1, 3, 2])).toEqual({ min: 1, median: 3, max: 4 });
  expect(spreadOf([0.123456])).toEqual({ min: 0.1235, median: 0.1235, max: 0.1235 });
  expect(() => spreadOf([])).toThrow("nothing");
});

test("a ratio is the row's median over the base's: a peer that takes three times as long has 3", () => {
  const base = spreadOf([8, 10, 50]);
  expect(ratioOf(spreadOf([29, 30, 90]), base)).toBe(3);
  expect(ratioOf(base, base)).toBe(1);
  expect(ratioOf(base, undefined)).toBeNull();
});
