// Philox against its published vectors, and what is built on it: streams, bounded draws, permutations.
import { describe, expect, it } from "vitest";
import { below, type Counter, type Key, permutation, philox, wordStream } from "../../runtime/philox.ts";

describe("philox 4x32-10", () => {
  // Known-answer vectors of Random123 (tests/kat_vectors).
  const f = 0xffffffff;
  const vectors: readonly (readonly [Counter, Key, Counter])[] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [f, f, f, f],
      [f, f],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  it.each(vectors)("counter %j, key %j", (counter, key, expected) => {
    expect(philox(counter, key)).toEqual(expected);
  });
});

describe("streams", () => {
  const take = (next: () => number, n: number) => Array.from({ length: n }, next);

  it("depend on seed and name alone, and on both halves of the seed", () => {
    const first = take(wordStream(1, "w"), 8);
    expect(take(wordStream(1, "w"), 8)).toEqual(first);
    expect(take(wordStream(2, "w"), 8)).not.toEqual(first);
    expect(take(wordStream(1 + 2 ** 32, "w"), 8)).not.toEqual(first);
    expect(take(wordStream(1, "v"), 8)).not.toEqual(first);
  });

  it("give the blocks of consecutive counters", () => {
    const words = take(wordStream(0, ""), 8);
    // FNV-1a of the empty text is its offset basis.
    expect(words).toEqual([...philox([0, 0, 0x84222325, 0xcbf29ce4], [0, 0]), ...philox([1, 0, 0x84222325, 0xcbf29ce4], [0, 0])]);
  });

  it("refuse seeds that are no whole numbers", () => {
    expect(() => wordStream(-1, "w")).toThrow("seed");
    expect(() => wordStream(0.5, "w")).toThrow("seed");
    expect(() => wordStream(2 ** 53, "w")).toThrow("seed");
  });
});

describe("bounded draws", () => {
  it("draw again where the last span is incomplete", () => {
    const words = [0xffffffff, 0xfffffffe, 5];
    expect(below(() => words.shift() ?? 0, 3)).toBe(0xfffffffe % 3);
    const biased = [0xffffffff, 7];
    expect(below(() => biased.shift() ?? 0, 6)).toBe(1);
  });
});

describe("permutations", () => {
  it("hold every number once and differ by seed and name", () => {
    const order = permutation(1000, 3, "epoch 0");
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(permutation(1000, 3, "epoch 0")).toEqual(order);
    expect(permutation(1000, 3, "epoch 1")).not.toEqual(order);
    expect(permutation(1000, 4, "epoch 0")).not.toEqual(order);
  });

  it("put every number at every place about equally often", () => {
    const counts = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    const runs = 5000;
    for (let run = 0; run < runs; run++) for (const [place, value] of permutation(5, run, "uniform").entries()) counts[place]![value]!++;
    // Binomial with p = 1/5: deviation about 28; six of them.
    for (const row of counts) for (const count of row) expect(Math.abs(count - runs / 5)).toBeLessThan(170);
  });
});
