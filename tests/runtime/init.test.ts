// Initial values: the normal quantile against reference values, draws by seed and name, moments, every rule.
import { describe, expect, it } from "vitest";
import { f32, tensor } from "../../ir/type.ts";
import { initialValues } from "../../runtime/init.ts";
import { normalQuantile } from "../../runtime/normal.ts";
import { philox } from "../../runtime/philox.ts";

describe("normalQuantile", () => {
  // Python 3: statistics.NormalDist().inv_cdf(p), the same algorithm written independently.
  it.each([
    [1e-300, -37.0470962993612],
    [1e-20, -9.262340089798405],
    [1e-9, -5.9978070150076865],
    [0.001, -3.090232306167813],
    [0.07, -1.4757910281791702],
    [0.0749, -1.4402382675279632],
    [0.0751, -1.4388253927525398],
    [0.3, -0.5244005127080407],
    [0.5, 0],
    [0.6, 0.2533471031357998],
    [0.999, 3.090232306167813],
    [1 - 1e-12, 7.0344869100478356],
  ])("of %d is %d", (p, expected) => {
    expect(Math.abs(normalQuantile(p) - expected)).toBeLessThanOrEqual(4e-16 * Math.abs(expected));
  });
});

describe("initial values", () => {
  const draw = (name: string, seed: number, n = 20_000) => initialValues(name, f32(n), { normal: [1, 2] }, seed) as Float32Array;

  it("have the moments of their distribution", () => {
    const values = draw("w", 0);
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
    // Standard errors 0.014 and 0.04; five of them.
    expect(Math.abs(mean - 1)).toBeLessThan(0.07);
    expect(Math.abs(variance - 4)).toBeLessThan(0.2);
    const uniform = initialValues("w", f32(20_000), { uniform: [-1, 3] }, 0) as Float32Array;
    expect(Math.min(...uniform)).toBeGreaterThan(-1);
    expect(Math.max(...uniform)).toBeLessThan(3);
    expect(Math.abs(uniform.reduce((sum, v) => sum + v, 0) / uniform.length - 1)).toBeLessThan(0.05);
  });

  it("depend on seed and name, not on other tensors or the shape", () => {
    expect(draw("a", 5)).toEqual(draw("a", 5));
    expect(draw("a", 5)).not.toEqual(draw("a", 6));
    expect(draw("a", 5)).not.toEqual(draw("b", 5));
    expect(draw("a", 5, 100)).toEqual(draw("a", 5).subarray(0, 100));
    expect(initialValues("a", f32(10, 10), { normal: [1, 2] }, 5)).toEqual(draw("a", 5, 100));
  });

  it("are mean + deviation * quantile((word + 1/2) / 2^32), rounded once", () => {
    // FNV-1a with 64 bits of "w".
    const hash = BigInt.asUintN(64, (0xcbf29ce484222325n ^ 0x77n) * 0x100000001b3n);
    const words = philox([0, 0, Number(hash & 0xffffffffn), Number(hash >> 32n)], [9, 0]);
    const expected = words.map((word) => Math.fround(1 + 2 * normalQuantile((word + 0.5) / 2 ** 32)));
    expect([...draw("w", 9, 4)]).toEqual(expected);
  });

  it("of the other rules", () => {
    expect([...initialValues("w", f32(2, 2), "zeros", 0)]).toEqual([0, 0, 0, 0]);
    expect([...initialValues("w", f32(2), "ones", 0)]).toEqual([1, 1]);
    expect([...initialValues("w", f32(2), { constant: 0.5 }, 0)]).toEqual([0.5, 0.5]);
    expect(initialValues("n", tensor("i32", [3]), { constant: -1 }, 0)).toEqual(Int32Array.of(-1, -1, -1));
    expect(() => initialValues("n", tensor("i32", [3]), { normal: [0, 1] }, 0)).toThrow("n");
  });
});
