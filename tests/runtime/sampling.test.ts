// Choosing tokens: distributions worked out by hand, draws that follow them, and equal draws for equal seeds.
import { describe, expect, test } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { distribution, draw, mostLikely, Sampler, type SamplingOptions } from "../../runtime/sampling.ts";

/** Logits of these probabilities. */
const logits = (...probabilities: readonly number[]): Float64Array => Float64Array.from(probabilities, Math.log);

function expectShares(actual: Float64Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, share] of expected.entries()) expect(actual[i]).toBeCloseTo(share, 14);
}

describe("distribution", () => {
  const given = logits(0.1, 0.4, 0.2, 0.3);

  test.each<[string, SamplingOptions, readonly number[]]>([
    ["as it is", {}, [0.1, 0.4, 0.2, 0.3]],
    // Squares of the probabilities, over their sum 0.01 + 0.16 + 0.04 + 0.09.
    ["a temperature of a half", { temperature: 0.5 }, [0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3]],
    ["the two most likely", { topK: 2 }, [0, 4 / 7, 0, 3 / 7]],
    ["one", { topK: 1 }, [0, 1, 0, 0]],
    ["more than there are", { topK: 9 }, [0.1, 0.4, 0.2, 0.3]],
    ["a share that the first reaches", { topP: 0.35 }, [0, 1, 0, 0]],
    ["a share that the second reaches", { topP: 0.45 }, [0, 4 / 7, 0, 3 / 7]],
    ["a share that three are needed for", { topP: 0.75 }, [0, 4 / 9, 2 / 9, 3 / 9]],
    // Of the three most likely: 4/9, 3/9, 2/9; the first two make 7/9.
    ["both: the share is one of those that are left", { topK: 3, topP: 0.7 }, [0, 4 / 7, 0, 3 / 7]],
    ["all three", { temperature: 0.5, topK: 3, topP: 0.6 }, [0, 0.16 / 0.25, 0, 0.09 / 0.25]],
  ])("%s", (_what, options, expected) => expectShares(distribution(given, options), expected));

  test("of equally likely tokens the first stay", () => {
    expectShares(distribution(logits(0.2, 0.2, 0.2, 0.2, 0.2), { topK: 2 }), [0.5, 0.5, 0, 0, 0]);
    expectShares(distribution(logits(0.2, 0.2, 0.2, 0.2, 0.2), { topP: 0.5 }), [1 / 3, 1 / 3, 1 / 3, 0, 0]);
  });

  test("logits that overflow as they stand, and tokens that are never taken", () => {
    expectShares(distribution([1000, 1000, -1e30, Number.NEGATIVE_INFINITY], {}), [1 / 2, 1 / 2, 0, 0]);
    expectShares(distribution([3, 4], { temperature: 1e-300 }), [0, 1]);
  });
});

test("the first of the largest logits", () => {
  expect(mostLikely([-5, -1, -3, -1])).toBe(1);
  expect(mostLikely([0])).toBe(0);
});

test("a draw is where the probabilities pass the number", () => {
  const probabilities = Float64Array.of(0, 0.25, 0, 0.5, 0.25, 0);
  for (const [u, id] of [
    [0, 1],
    [0.2499, 1],
    [0.25, 3],
    [0.7499, 3],
    [0.75, 4],
    [1 - 2 ** -53, 4],
  ] as const)
    expect(draw(probabilities, u)).toBe(id);
  expect(draw(Float64Array.of(0.1, 0.2, 0), 0.9)).toBe(1);
});

describe("Sampler", () => {
  const given = logits(0.5, 0.2, 0.3);
  const drawn = (options: SamplingOptions, count: number) => {
    const sampler = new Sampler(options);
    return Array.from({ length: count }, () => sampler.next(given));
  };

  test("draws follow the distribution", () => {
    const counts = [0, 0, 0];
    for (const id of drawn({ temperature: 1, seed: 3 }, 30_000)) counts[id]!++;
    // Three standard deviations of a count are less than 260.
    for (const [id, expected] of [15_000, 6_000, 9_000].entries()) expect(Math.abs(counts[id]! - expected)).toBeLessThan(260);
  });

  test("equal seeds draw equal tokens, others do not", () => {
    expect(drawn({ temperature: 1, seed: 7 }, 50)).toEqual(drawn({ temperature: 1, seed: 7 }, 50));
    expect(drawn({ temperature: 1, seed: 7 }, 50)).not.toEqual(drawn({ temperature: 1, seed: 8 }, 50));
  });

  test("the draws of seed 0 stay what they are", () => expect(drawn({ temperature: 1 }, 12)).toEqual([0, 0, 2, 0, 0, 0, 2, 1, 0, 2, 0, 2]));

  test("without a temperature the most likely token, whatever else is set", () =>
    expect(drawn({ topK: 2, topP: 0.5, seed: 1 }, 20)).toEqual(Array(20).fill(0)));

  test.each<[SamplingOptions, string]>([
    [{ temperature: -1 }, "a temperature is a number from 0 up, got -1"],
    [{ temperature: Number.NaN }, "a temperature is a number from 0 up, got NaN"],
    [{ topK: 0 }, "top-k is a whole number from 1 up, got 0"],
    [{ topP: 0 }, "top-p is a share above 0 and at most 1, got 0"],
    [{ topP: 1.5 }, "top-p is a share above 0 and at most 1, got 1.5"],
  ])("%o is refused", (options, message) => {
    expect(() => new Sampler(options)).toThrow(DiagnosticError);
    expect(() => new Sampler(options)).toThrow(message);
  });

  test.each([[[1, Number.NaN, 2]], [[Number.POSITIVE_INFINITY, 0]], [[Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]]])(
    "logits %o are refused",
    (bad) => {
      expect(() => new Sampler({ temperature: 1 }).next(bad)).toThrow(DiagnosticError);
      if (bad.some(Number.isNaN)) expect(() => new Sampler().next(bad)).toThrow("the model's logit of token 1 is NaN");
    },
  );
});
