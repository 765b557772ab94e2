// Line diffs: what is kept and what is added make the new text, what is kept and what is removed the old one.
import fc from "fast-check";
import { expect, test } from "vitest";
import { diffLines } from "../../ir/text/line-diff.ts";

const side = (before: readonly string[], after: readonly string[], other: "added" | "removed") =>
  diffLines(before, after).flatMap((line) => (line.kind === other ? [] : [line.text]));

test("both texts come back, whatever they are", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", "d", "e", "}", ""), { maxLength: 30 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      expect(side(before, after, "added")).toEqual(before);
      expect(side(before, after, "removed")).toEqual(after);
    }),
    { numRuns: 500, seed: 3 },
  );
});

test("lines that stand once are kept, as many as can be", () => {
  const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`);
  fc.assert(
    fc.property(fc.subarray(lines), fc.subarray(lines), (before, after) => {
      const kept = diffLines(before, after).filter((line) => line.kind === "same").length;
      expect(kept).toBe(before.filter((line) => after.includes(line)).length);
    }),
    { numRuns: 200, seed: 4 },
  );
});

test("a moved line is removed at one place and added at the other", () => {
  expect(diffLines(["x", "a", "b", "c"], ["a", "b", "c", "x"]).map(({ kind, text }) => `${kind} ${text}`)).toEqual([
    "removed x",
    "same a",
    "same b",
    "same c",
    "added x",
  ]);
});

test("time does not explode where everything differs", () => {
  const lines = (prefix: string) => Array.from({ length: 50_000 }, (_, i) => `${prefix}${i}`);
  const started = performance.now();
  expect(diffLines(lines("a"), lines("b"))).toHaveLength(100_000);
  expect(diffLines(lines("a"), lines("a").toReversed())).toHaveLength(99_999);
  expect(performance.now() - started).toBeLessThan(5_000);
});
