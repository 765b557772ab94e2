// Windows: every token is a target once an epoch, whatever the corpus's length; order by seed and epoch alone; nothing held out is trained on.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batches } from "../../runtime/data/batches.ts";
import { bytes } from "../../runtime/data/tokenizer.ts";
import { windows } from "../../runtime/data/windows.ts";

/** Tokens that are their own places, so that a window shows where it was taken. */
function numbered(trainingLength: number, heldOutLength: number, length: number) {
  const all = Uint32Array.from({ length: trainingLength + heldOutLength }, (_, i) => i);
  const [training, heldOut] = [all.subarray(0, trainingLength), all.subarray(trainingLength)];
  return windows({ tokenizer: bytes, training, heldOut, heldOutBytes: heldOutLength }, length, "numbers");
}

const starts = (data: ReturnType<typeof numbered>, seed: number, epoch: number) => {
  const window = new Int32Array(data.fields[0]!.shape[0]!);
  return [...data.order!(seed, epoch)].map((example) => {
    data.copy("training", example, 0, window, 0);
    expect([...window]).toEqual(Array.from(window, (_, i) => window[0]! + i));
    return window[0]!;
  });
};

const sizes = fc
  .tuple(fc.integer({ min: 2, max: 12 }), fc.nat(200), fc.nat(40))
  .map(([length, more, held]) => ({ length, training: length + more, heldOut: length + held }));

describe("training windows", () => {
  it("make every token a target exactly once an epoch, but for fewer than two windows at the ends", () => {
    fc.assert(
      fc.property(sizes, fc.nat(5), fc.nat(3), ({ length, training, heldOut }, seed, epoch) => {
        const data = numbered(training, heldOut, length);
        const targets = starts(data, seed, epoch).flatMap((start) => Array.from({ length: length - 1 }, (_, i) => start + 1 + i));
        expect(targets.length).toBe(data.count("training") * (length - 1));
        expect(new Set(targets).size).toBe(targets.length);
        expect(Math.max(...targets)).toBeLessThan(training);
        expect(training - targets.length).toBeLessThan(2 * length);
        const sorted = targets.toSorted((a, b) => a - b);
        expect(sorted.at(-1)! - sorted[0]!).toBe(sorted.length - 1);
      }),
    );
  });

  it("begin anywhere, another place in each epoch, and come in another order", () => {
    const data = numbered(2000, 100, 11);
    const phases = new Set(Array.from({ length: 200 }, (_, epoch) => Math.min(...starts(data, 1, epoch))));
    expect([...phases].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(starts(data, 1, 0)).toEqual(starts(data, 1, 0));
    expect(starts(data, 1, 0)).not.toEqual(starts(data, 2, 0));
    const steps = starts(data, 1, 0).map((start, i, all) => start - (all[i - 1] ?? 0));
    expect(new Set(steps).size).toBeGreaterThan(100);
  });

  it("of a corpus of one window are that window", () => {
    const data = numbered(9, 9, 9);
    expect([data.count("training"), starts(data, 3, 0), starts(data, 3, 1)]).toEqual([1, [0], [0]]);
  });
});

describe("held-out windows", () => {
  it("are consecutive, share nothing, begin at the cut, and share nothing with training", () => {
    fc.assert(
      fc.property(sizes, ({ length, training, heldOut }) => {
        const data = numbered(training, heldOut, length);
        const window = new Int32Array(length);
        const seen: number[] = [];
        for (let i = 0; i < data.count("held-out"); i++) {
          data.copy("held-out", i, 0, window, 0);
          seen.push(...window);
        }
        expect(seen).toEqual(Array.from({ length: Math.floor(heldOut / length) * length }, (_, i) => training + i));
        const trained = starts(data, 0, 0).flatMap((start) => Array.from({ length }, (_, i) => start + i));
        expect(trained.every((place) => place < training)).toBe(true);
      }),
    );
  });
});

describe("batches of windows", () => {
  const entry = { inputs: [{ name: "tokens", type: "i32[4, 9]", source: "data" as const }], outputs: [], updates: [] };
  const call = { source: "corpus", args: ["numbers"], named: {}, arrays: ["tokens"] };
  const batches = () => new Batches(numbered(500, 60, 9), call, entry);
  const at = (from: Batches, seed: number, step: number) => [...from.training(seed, step)["tokens"]!];

  it("of a step are the same whatever was asked before, also across epochs", () => {
    const whole = batches();
    // 61 windows an epoch: 15 steps and a bit.
    const all = Array.from({ length: 60 }, (_, step) => at(whole, 5, step));
    for (const step of [59, 15, 0, 31, 30]) expect(at(batches(), 5, step)).toEqual(all[step]);
    const again = batches();
    for (const step of [40, 3, 40]) expect(at(again, 5, step)).toEqual(all[step]);
    expect(all[15]!.filter((_, i) => i % 9 === 0).length).toBe(4);
  });

  it("pad the held-out end with targets that do not count", () => {
    const held = batches();
    expect(held.heldOutCount).toBe(2);
    const last = [...held.heldOut(1)["tokens"]!];
    expect(last.slice(0, 18)).toEqual(Array.from({ length: 18 }, (_, i) => 536 + i));
    expect(last.slice(18)).toEqual(new Array(18).fill(-1));
  });
});
