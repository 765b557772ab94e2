// The scaling law: published losses give the published efficiencies, a known law is found again, and what cannot be fitted is refused.
import { describe, expect, test } from "vitest";
import { analyse } from "../../experiments/analyse.ts";
import { questResults } from "../../experiments/published.ts";
import { intervalOf } from "../../experiments/resample.ts";
import { predictLoss, type ResultRow, type ScalingLaw } from "../../experiments/scaling-law.ts";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { wordStream } from "../../runtime/philox.ts";

describe("the published losses", () => {
  const { fit, optima, reference } = analyse(questResults.rows, { resamples: 0 });
  const { eff } = fit.law;

  test("give the efficiencies of QuEST's Table 2", () => {
    expect(reference).toBe("16");
    expect(eff["16"]).toBe(1);
    expect(Math.abs((eff["8"] ?? 0) - 1)).toBeLessThanOrEqual(0.02);
    expect(Math.abs((eff["4"] ?? 0) - 0.69)).toBeLessThanOrEqual(0.02);
    expect(Math.abs((eff["3"] ?? 0) - 0.43)).toBeLessThanOrEqual(0.01);
    expect(Math.abs((eff["2"] ?? 0) - 0.15)).toBeLessThanOrEqual(0.01);
    expect(Math.abs((eff["1"] ?? 0) - 0.02)).toBeLessThanOrEqual(0.002);
  });

  test("are worth most per bit at 4 bits, at 3 bits where weights alone are quantized", () => {
    const bestOf = Object.fromEntries(optima.map(({ series, p }) => [series, p]));
    expect(bestOf).toMatchObject({ quest: "4", unrotated: "4-unrotated", weights: "w3a16" });
  });

  test("have one best law, from wherever the fit starts", () => {
    expect(fit.agreeing).toBe(fit.starts);
    expect(fit.starts).toBeGreaterThanOrEqual(18);
  });

  /** The authors' own fit is one of least squares, whatever its name: their residuals are scaled to a thousandth of where Huber's loss turns. */
  test("give the authors' constants with their objective", () => {
    const { law } = analyse(questResults.rows, { resamples: 0, delta: 1 }).fit;
    const theirs = { A: 8.13403, alpha: 0.0627265, B: 86.4119, beta: 0.241288 };
    for (const [name, value] of Object.entries(theirs)) expect((law[name as keyof typeof theirs] ?? 0) / value).toBeCloseTo(1, 2.5);
    const theirEfficiencies = { 1: 0.0205, 2: 0.15187, 3: 0.43313, 4: 0.69183, 8: 1.01619, fp4: 0.62964, "int4-4:8": 0.38122 };
    const unrotated = { 1: 0.01558, 2: 0.07841, 3: 0.32211, 4: 0.60327, 8: 0.93763 };
    const weights = { 1: 0.13842, 2: 0.41372, 3: 0.65306, 4: 0.84043 };
    for (const [p, value] of Object.entries(theirEfficiencies)) expect(Math.abs((law.eff[p] ?? 0) - value)).toBeLessThan(2e-4);
    for (const [p, value] of Object.entries(unrotated)) expect(Math.abs((law.eff[`${p}-unrotated`] ?? 0) - value)).toBeLessThan(2e-4);
    for (const [p, value] of Object.entries(weights)) expect(Math.abs((law.eff[`w${p}a16`] ?? 0) - value)).toBeLessThan(2e-4);
  });
});

const known: ScalingLaw = { A: 400, alpha: 0.34, B: 420, beta: 0.28, E: 1.7, eff: { a: 1, b: 0.6, c: 0.2 } };
const bitsOf = { a: 16, b: 4, c: 2 };

/** Runs of a known law in 4 sizes and 3 numbers of tokens. */
const runs = (loss: (row: Omit<ResultRow, "loss">, i: number) => number): readonly ResultRow[] =>
  (["a", "b", "c"] as const)
    .flatMap((p) => [1e7, 4e7, 2e8, 1e9].flatMap((n) => [2e9, 1e10, 8e10].map((d) => ({ p, n, d, bits: bitsOf[p] }))))
    .map((row, i) => ({ ...row, loss: loss(row, i) }));

describe("runs of a known law", () => {
  test("give it back exactly, E included", () => {
    const { fit, rms } = analyse(
      runs((row) => predictLoss(known, row)),
      { resamples: 0 },
    );
    expect(rms).toBeLessThan(1e-7);
    for (const name of ["A", "alpha", "B", "beta", "E"] as const) expect(fit.law[name] / known[name]).toBeCloseTo(1, 4);
    for (const [p, eff] of Object.entries(known.eff)) expect(fit.law.eff[p]).toBeCloseTo(eff, 5);
  });

  test("give it back although two runs went wrong: their size does not matter", () => {
    const broken = (factor: number) => runs((row, i) => predictLoss(known, row) * (i === 5 || i === 17 ? factor : 1));
    const [small, large] = [1.2, 2].map((factor) => analyse(broken(factor), { resamples: 0 }).fit.law);
    for (const [p, eff] of Object.entries(known.eff)) {
      expect(Math.abs((small?.eff[p] ?? 0) / eff - 1)).toBeLessThan(0.01);
      expect(Math.abs((large?.eff[p] ?? 0) / eff - 1)).toBeLessThan(0.01);
    }
    // Least squares follow them.
    const squares = analyse(broken(2), { resamples: 0, delta: 100 }).fit.law;
    expect(Math.abs((squares.eff["b"] ?? 0) / 0.6 - 1)).toBeGreaterThan(0.05);
  });

  test("with noise give intervals that hold it, the same for the same seed", () => {
    const next = wordStream(1, "noise");
    const noisy = runs((row) => predictLoss(known, row) * Math.exp(0.004 * (next() / 2 ** 31 - 1)));
    const one = analyse(noisy, { resamples: 40, seed: 3 });
    for (const { p, interval: [low = 1, high = 0] = [], eff } of one.precisions) {
      expect(low).toBeLessThanOrEqual(known.eff[p] ?? 0);
      expect(high).toBeGreaterThanOrEqual(known.eff[p] ?? 0);
      expect(low <= eff && eff <= high).toBe(true);
      expect(high - low).toBeLessThan(0.2);
    }
    const again = analyse(noisy, { resamples: 40, seed: 3 });
    expect(again.precisions).toEqual(one.precisions);
    expect(analyse(noisy, { resamples: 40, seed: 4 }).precisions).not.toEqual(one.precisions);
  });
});

test("an interval holds the middle 95 % of values", () => {
  expect(intervalOf([])).toBeUndefined();
  expect(intervalOf([3])).toEqual([3, 3]);
  const [low, high] = intervalOf(Array.from({ length: 41 }, (_, i) => 40 - i)) ?? [];
  expect(low).toBeCloseTo(1, 12);
  expect(high).toBeCloseTo(39, 12);
  expect(intervalOf([1, ...Array.from({ length: 40 }, () => Number.POSITIVE_INFINITY)])?.[1]).toBe(Number.POSITIVE_INFINITY);
});

describe("what cannot be fitted", () => {
  const row = (p: string, bits: number, n: number, d: number): ResultRow => ({ p, bits, n, d, loss: 3 });
  const refusal = (rows: readonly ResultRow[], reference?: string): string => {
    try {
      analyse(rows, reference === undefined ? {} : { reference });
    } catch (problem) {
      if (problem instanceof DiagnosticError) return problem.message;
      throw problem;
    }
    return "";
  };

  test("fewer runs than parameters", () => {
    expect(refusal([row("16", 16, 1e6, 1e8), row("4", 4, 2e6, 2e8)])).toContain(
      "error[too-few-runs]: the law cannot be fitted: it has 6 parameters",
    );
    expect(refusal([])).toContain("error[too-few-runs]: there are no runs");
  });

  test("one size, one number of tokens", () => {
    const message = refusal(Array.from({ length: 9 }, () => row("16", 16, 1e6, 1e8)));
    expect(message).toContain("all runs have one size `n`; all runs have one number of tokens `d`");
  });

  test("as many runs as parameters, at too few sizes and numbers of tokens to tell them apart", () => {
    const grid = (sizes: readonly number[], tokens: readonly number[], p: readonly (readonly [string, number])[]) =>
      p.flatMap(([name, bits]) =>
        sizes.flatMap((n) => tokens.flatMap((d) => [0, 1, 2].map((seed) => ({ ...row(name, bits, n, d), seed })))),
      );
    expect(refusal(grid([1e6, 2e6], [1e8, 2e8], [["16", 16]]))).toContain(
      "it has 5 parameters with 1 precision, and 2 sizes with 2 numbers of tokens determine 3, however many seeds there are",
    );
    expect(
      refusal(
        grid(
          [1e6, 2e6],
          [1e8, 2e8],
          [
            ["16", 16],
            ["4", 4],
          ],
        ),
      ),
    ).toContain("determine 5,");
    const three = grid(
      [1e6, 2e6],
      [1e8, 2e8],
      [
        ["16", 16],
        ["4", 4],
        ["2", 2],
      ],
    ).map((one) => ({ ...one, loss: one.n ** -0.1 + one.d ** -0.1 + 1 / one.bits }));
    expect(() => analyse(three, { resamples: 0 })).not.toThrow();
    // Tokens that follow from the size say nothing of their own.
    const tied = [1e6, 2e6, 4e6, 8e6].flatMap((n) => [0, 1].map((seed) => ({ ...row("16", 16, n, 100 * n), seed })));
    expect(refusal(tied)).toContain("determine 4,");
  });

  test("a reference that is unknown, or not clear", () => {
    const rows = runs((r) => predictLoss(known, r));
    expect(refusal(rows, "x")).toContain("error[unknown-precision]: no run has the precision `x`\nhelp: there are `a`, `b`, `c`");
    expect(refusal([...rows, row("z", 16, 1e6, 1e8)])).toContain("`a` and `z` both have 16 bits, the most");
  });
});
