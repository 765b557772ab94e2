// Scales for groups of elements, and every width of code, on every backend: what the golden vectors (rows; 1, 2, 3, 4 and 8 bits) leave out.
import { afterAll, describe, expect, test } from "vitest";
import type { QuantizeChoice } from "../../ir/quant/choice.ts";
import { allBackends, type NumberArrays } from "../support/backends.ts";
import { quantizedLinear, toKernels } from "../support/quantized-linear.ts";
import { quantized, rotated } from "../support/quest-reference.ts";

const shape = { m: 5, n: 6, k: 256 };
const epsilon = 2 ** -23;

/** Deterministic values of some spread, a few of them large. */
const values = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => {
    const u = ((Math.sin((i + 1) * 12.9898 + seed * 78.233) * 43758.5453) % 1) + ((Math.sin((i + 7) * 4.1414 + seed) * 9631.17) % 1);
    return i % 41 === 3 ? 6 * u : u;
  });
const x = values(shape.m * shape.k, 1);
const w = values(shape.n * shape.k, 2);
const dy = values(shape.m * shape.n, 3);

const matrix = (data: ArrayLike<number>, rows: number, columns: number) => (r: number, c: number) =>
  rows > r && columns > c ? (data[r * columns + c] ?? Number.NaN) : Number.NaN;

interface Case {
  readonly bits: number;
  readonly group: number | "row";
  readonly hadamard: number | "none";
  readonly rotation: "half" | "full";
  readonly a?: "none";
}

const cases: readonly Case[] = [
  ...([16, 32, 64, 128] as const).flatMap((hadamard) =>
    (["half", "full"] as const).map((rotation): Case => ({ bits: 4, group: 32, hadamard, rotation })),
  ),
  { bits: 4, group: 32, hadamard: "none", rotation: "half" },
  { bits: 1, group: 32, hadamard: 64, rotation: "half" },
  { bits: 1, group: 64, hadamard: "none", rotation: "half" },
  ...[2, 3, 5, 6, 7, 8].map((bits): Case => ({ bits, group: 32, hadamard: 32, rotation: "half" })),
  ...[5, 6, 7].flatMap((bits): Case[] => [
    { bits, group: "row", hadamard: bits === 6 ? "none" : 128, rotation: "half" },
    { bits, group: "row", hadamard: 64, rotation: "full" },
  ]),
  { bits: 3, group: 16, hadamard: 8, rotation: "full" },
  { bits: 4, group: 256, hadamard: 64, rotation: "half" },
  { bits: 4, group: 4, hadamard: 16, rotation: "half" },
  { bits: 4, group: 32, hadamard: 64, rotation: "full", a: "none" },
  { bits: 7, group: 64, hadamard: "none", rotation: "half", a: "none" },
];

const backends = await allBackends();
afterAll(() => {
  for (const backend of backends) backend.dispose();
});

const worst = (actual: ArrayLike<number> | undefined, expected: readonly number[]): number => {
  expect(actual?.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  return expected.reduce((most, e, i) => Math.max(most, Math.abs((actual?.[i] ?? Number.NaN) - e)), 0) / largest;
};

describe.each(backends)("$name", (backend) => {
  test.each(
    cases.map(
      (c) => [`${c.bits} bits, group ${c.group}, block ${c.hadamard} ${c.rotation}${c.a === "none" ? ", weight alone" : ""}`, c] as const,
    ),
  )("%s", async (_what, { bits, group, hadamard, rotation, a }) => {
    const quantize: QuantizeChoice = { scheme: "quest", settings: { w: bits, a: a ?? bits, group, hadamard, rotation } };
    const out: NumberArrays = await backend.run(toKernels(quantizedLinear(shape, quantize)), "layer", { dy }, { x, w });
    const { m, n, k } = shape;
    const block = hadamard === "none" ? 1 : hadamard;
    const width = group === "row" ? k : group;
    const settings = { bits, group: width, block, ...(bits > 1 ? {} : { outer: block === 1 ? 1.25 : 1.3 }) };
    const sides = {
      x: a === "none" ? undefined : quantized(x, settings),
      w: quantized(w, settings),
    };
    const isNear = (margin: number) => margin < 64 * epsilon * 2 ** bits;
    for (const [name, side] of Object.entries(sides)) {
      if (side === undefined) continue;
      for (const [i, { code, trusted, margin }] of side.entries()) {
        if (isNear(margin)) continue;
        if (out[`${name}_codes`]?.[i] !== code) expect(out[`${name}_codes`]?.[i], `${name}_codes[${i}]`).toBe(code);
        if (out[`${name}_mask`]?.[i] !== trusted) expect(out[`${name}_mask`]?.[i], `${name}_mask[${i}]`).toBe(trusted);
      }
      expect(side.filter((s) => isNear(s.margin)).length).toBeLessThan(side.length / 20);
      // An element of a small group is never far beyond its rms.
      if (bits <= 4 && width >= 16) expect(side.some((s) => s.trusted === 0)).toBe(true);
    }
    // Contractions from the codes and masks that were answered: elements on a boundary may go either way. Half leaves both rotated.
    const half = rotation === "half" && a !== "none";
    const seen = (name: "x" | "w", rows: number) => {
      const side = sides[name];
      if (side === undefined) return { at: matrix(x, rows, k), mask: (): number => 1 };
      const levels = side.map(({ step }, i) => ((out[`${name}_codes`]?.[i] ?? 0) + 0.5) * step);
      return { at: matrix(half ? levels : rotated(levels, block), rows, k), mask: matrix(out[`${name}_mask`] ?? [], rows, k) };
    };
    const [left, right] = [seen("x", m), seen("w", n)];
    const each = (rows: number, columns: number, of: (r: number, c: number) => number) =>
      Array.from({ length: rows * columns }, (_, i) => of(Math.floor(i / columns), i % columns));
    const sum = (count: number, of: (i: number) => number) => Array.from({ length: count }, (_, i) => of(i)).reduce((t, v) => t + v, 0);
    const gradient = matrix(dy, m, n);
    const back = (name: "x" | "w", into: number[], mask: (r: number, c: number) => number) => {
      if (sides[name] === undefined) return into;
      const turned = half ? into : rotated(into, block);
      const masked = turned.map((v, i) => v * mask(Math.floor(i / k), i % k));
      return rotated(masked, block);
    };
    expect(
      worst(
        out["y"],
        each(m, n, (r, c) => sum(k, (q) => left.at(r, q) * right.at(c, q))),
      ),
      "y",
    ).toBeLessThan(1e-5);
    expect(
      worst(
        out["dx"],
        back(
          "x",
          each(m, k, (r, c) => sum(n, (q) => gradient(r, q) * right.at(q, c))),
          left.mask,
        ),
      ),
      "dx",
    ).toBeLessThan(1e-5);
    expect(
      worst(
        out["dw"],
        back(
          "w",
          each(n, k, (r, c) => sum(m, (q) => gradient(q, r) * left.at(q, c))),
          right.mask,
        ),
      ),
      "dw",
    ).toBeLessThan(1e-5);
  });
});
