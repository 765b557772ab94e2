// Data: the digits and their split, sources by name, batches by seed and step, padding of the held-out split.
import { describe, expect, it } from "vitest";
import type { EntryRecord } from "../../ir/artifact.ts";
import { Batches } from "../../runtime/data/batches.ts";
import { dataSources, openData } from "../../runtime/data/source.ts";

const call = { source: "mnist", args: [], named: {}, arrays: ["images", "labels"] };
const entry = (batch: number): EntryRecord => ({
  inputs: [
    { name: "images", type: `f32[${batch}, 784]`, source: "data" },
    { name: "labels", type: `i32[${batch}]`, source: "data" },
    { name: "lr", type: "f32[]", source: "host" },
  ],
  outputs: [],
  updates: [],
});
const digits = await openData(call, entry(64));

describe("mnist", () => {
  const labelsOf = (split: "training" | "held-out") => {
    const out = new Int32Array(digits.count(split));
    for (let i = 0; i < out.length; i++) digits.copy(split, i, 1, out, i);
    return out;
  };

  it("has 8,000 digits to train and 2,000 held out, every class in both, each digit once", () => {
    const training = labelsOf("training");
    const heldOut = labelsOf("held-out");
    expect([training.length, heldOut.length]).toEqual([8000, 2000]);
    const count = (labels: Int32Array) => Array.from({ length: 10 }, (_, digit) => labels.filter((label) => label === digit).length);
    // The counts of the first 10,000 images of MNIST's training set.
    expect(count(training).map((n, digit) => n + count(heldOut)[digit]!)).toEqual([1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]);
    for (const n of count(heldOut)) expect(n).toBeGreaterThan(140);
    // Equal images in both splits would be a split gone wrong.
    const images = new Set<string>();
    const image = new Float32Array(784);
    for (const split of ["training", "held-out"] as const) {
      for (let i = 0; i < digits.count(split); i++) {
        digits.copy(split, i, 0, image, 0);
        images.add(Buffer.from(image.buffer).toString("latin1"));
      }
    }
    expect(images.size).toBe(10_000);
  });

  it("has pixels from 0 to 1 and always the same split", () => {
    const image = new Float32Array(784);
    digits.copy("held-out", 0, 0, image, 0);
    expect(Math.min(...image)).toBe(0);
    expect(Math.max(...image)).toBeGreaterThan(0.9);
    expect(Math.max(...image)).toBeLessThanOrEqual(1);
    expect([...labelsOf("held-out").slice(0, 10)]).toEqual(heldOutLabels);
  });

  // A change here would make results incomparable with those of earlier runs.
  const heldOutLabels = [8, 6, 2, 2, 6, 1, 3, 4, 6, 7];
});

describe("sources", () => {
  it("unknown ones are refused with a list of those known", async () => {
    const open = () => openData({ ...call, source: "imagenet" }, entry(64));
    await expect(open()).rejects.toThrow("error[unknown-source]: no data source is called `imagenet`");
    for (const { name } of dataSources) await expect(open()).rejects.toThrow(`\`${name}\``);
  });

  it("refuse arguments that they do not take", async () => {
    await expect(openData({ ...call, args: [3] }, entry(64))).rejects.toThrow("error[bad-source]");
  });
});

describe("batches", () => {
  const labels = (batch: Readonly<Record<string, ArrayLike<number>>>) => Array.from(batch["labels"]!);
  const pixels = (batch: Readonly<Record<string, ArrayLike<number>>>) => Float32Array.from(batch["images"]!);

  it("cover the training split once an epoch, in an order that depends on seed and epoch", () => {
    const batches = new Batches(digits, call, entry(64));
    expect(batches.size).toBe(64);
    const seen = new Map<string, number>();
    const first: number[] = [];
    for (let step = 0; step < 125; step++) {
      const batch = batches.training(7, step);
      if (step === 0) first.push(...labels(batch));
      const images = pixels(batch);
      for (let row = 0; row < 64; row++) {
        const key = Buffer.from(images.buffer, row * 784 * 4, 784 * 4).toString("latin1");
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    }
    expect(seen.size).toBe(8000);
    expect([...seen.values()].every((n) => n === 1)).toBe(true);
    expect(labels(batches.training(7, 125))).not.toEqual(first);
    expect(labels(batches.training(8, 0))).not.toEqual(first);
    expect(labels(new Batches(digits, call, entry(64)).training(7, 0))).toEqual(first);
  });

  it("run on across epochs where the batch does not divide the split, whichever step is asked first", () => {
    const a = new Batches(digits, call, entry(48));
    const step = 166; // Examples 7968 to 8015: the end of epoch 0 and the beginning of epoch 1.
    const straddling = labels(a.training(3, step));
    const b = new Batches(digits, call, entry(1));
    expect(straddling).toEqual(Array.from({ length: 48 }, (_, row) => labels(b.training(3, step * 48 + row))[0]));
  });

  it("hold the held-out split in fixed order and pad the last one with label -1", () => {
    const batches = new Batches(digits, call, entry(64));
    expect(batches.heldOutCount).toBe(32);
    const last = batches.heldOut(31);
    const lastLabels = labels(last);
    expect(lastLabels.slice(0, 16).every((label) => label >= 0)).toBe(true);
    expect(lastLabels.slice(16)).toEqual(new Array(48).fill(-1));
    expect(
      pixels(last)
        .subarray(16 * 784)
        .every((v) => v === 0),
    ).toBe(true);
    let count = 0;
    for (let i = 0; i < 32; i++) count += labels(batches.heldOut(i)).filter((label) => label >= 0).length;
    expect(count).toBe(2000);
  });

  it("refuse inputs that do not fit the source", () => {
    const make = (images: string, arrays = call.arrays) =>
      new Batches(
        digits,
        { ...call, arrays },
        { ...entry(64), inputs: [{ name: "images", type: images, source: "data" }, ...entry(64).inputs.slice(1)] },
      );
    expect(() => make("f32[64, 28, 28]")).toThrow("error[data-shape]: `images` is f32[64, 28, 28], `mnist` yields f32[64, 784]");
    expect(() => make("f32[32, 784]")).toThrow("must agree in their first dimension");
    expect(() => make("f32[64, 784]", ["images"])).toThrow("yields 2 arrays");
    expect(() => make("f32[64, 784]", ["pictures", "labels"])).toThrow("`images` is no array of `mnist`");
  });
});
