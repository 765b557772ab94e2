// Arrays from files: which file gives which array, conversions that keep every value, the split, and what does not fit.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rejection } from "../../ir/diagnostic.ts";
import { Batches } from "../../runtime/data/batches.ts";
import { convert } from "../../runtime/data/convert.ts";
import type { Argument, Split } from "../../runtime/data/dataset.ts";
import { openData } from "../../runtime/data/source.ts";
import { type Dtype, encodeWeights, type SavedTensor } from "../../runtime/weights.ts";
import { npy } from "../support/npy-file.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const digits = { images: "f32[4, 3]", labels: "i32[4]" };
const entryOf = (types: Readonly<Record<string, string>>) => ({
  inputs: Object.entries(types).map(([name, type]) => ({ name, type, source: "data" as const })),
  outputs: [],
  updates: [],
});
const open = (
  args: readonly Argument[],
  types: Readonly<Record<string, string>> = digits,
  named: Readonly<Record<string, Argument>> = {},
) => openData({ source: "arrays", args, named, arrays: Object.keys(types) }, entryOf(types));

// Example i has the image [i, i, i] and the label i.
const count = 40;
const images = Float32Array.from({ length: 3 * count }, (_, i) => Math.floor(i / 3));
const labels = Int32Array.from({ length: count }, (_, i) => i);
const x = folder.write("x.npy", npy(images, [count, 3]));
const y = folder.write("y.npy", npy(labels, [count]));
const saved = (dtype: Dtype, shape: readonly number[], values: ArrayBufferView): SavedTensor => ({
  dtype,
  shape,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});
const both = folder.write(
  "both.safetensors",
  encodeWeights({
    tensors: new Map([
      ["labels", saved("U8", [count], Uint8Array.from(labels))],
      ["images", saved("F64", [count, 3], Float64Array.from(images))],
      ["other", saved("I8", [1], Int8Array.of(0))],
    ]),
    metadata: {},
  }),
);

describe("files and arrays", () => {
  const examples = async (data: Awaited<ReturnType<typeof open>>, split: Split) => {
    const [image, label] = [new Float32Array(3), new Int32Array(1)];
    return Array.from({ length: data.count(split) }, (_, i) => {
      data.copy(split, i, 0, image, 0);
      data.copy(split, i, 1, label, 0);
      expect([...image]).toEqual([label[0], label[0], label[0]]);
      return label[0]!;
    });
  };

  it.each([
    ["two .npy files", [x, y]],
    ["one safetensors file", [both]],
  ])("%s give the recipe's arrays, split once for all into every example", async (_, args) => {
    const data = await open(args);
    expect(data.fields).toEqual([
      { scalar: "f32", shape: [3], padding: 0 },
      { scalar: "i32", shape: [], padding: -1 },
    ]);
    expect([data.count("training"), data.count("held-out")]).toEqual([38, 2]);
    const [training, heldOut] = [await examples(data, "training"), await examples(data, "held-out")];
    expect([...training, ...heldOut].sort((a, b) => a - b)).toEqual([...labels]);
    // Not the end of the file, which may be sorted by class; a change here would make results incomparable.
    expect(heldOut).toEqual([27, 9]);
  });

  it("names in safetensors files come first, .npy files fill the rest", async () => {
    const partial = folder.write(
      "part.safetensors",
      encodeWeights({ tensors: new Map([["images", saved("F32", [count, 3], images)]]), metadata: {} }),
    );
    await examples(await open([y, partial]), "training");
  });

  it("a share may be held out that the recipe names, at least one example", async () => {
    const counts = async (share: number) => {
      const data = await open([x, y], digits, { held_out: share });
      return [data.count("training"), data.count("held-out")];
    };
    expect(await counts(0.25)).toEqual([30, 10]);
    expect(await counts(0.001)).toEqual([39, 1]);
    expect(await counts(0.999)).toEqual([1, 39]);
  });

  it("fit batches of the recipe's types", async () => {
    const data = await open([x, y]);
    const call = { source: "arrays", args: [], named: {}, arrays: ["images", "labels"] };
    const batch = new Batches(data, call, entryOf(digits)).training(0, 0);
    expect([batch["images"]!.length, batch["labels"]!.length]).toEqual([12, 4]);
    expect(() => new Batches(data, call, entryOf({ images: "f32[4, 2]", labels: "i32[4]" }))).toThrow(
      "`images` is f32[4, 2], `arrays` yields f32[4, 3]",
    );
  });

  it("say what does not fit", async () => {
    const fails = async (message: string, ...call: Parameters<typeof open>) =>
      expect(await refusal(() => open(...call))).toContain(message);
    await fails("error[bad-source]: `arrays` takes the paths of its files", []);
    await fails("`arrays` takes paths, not 3", [3]);
    await fails("`arrays` has no argument `split`; it has `held_out`", [x, y], digits, { split: 0.1 });
    await fails("`held_out` is a share between 0 and 1, not 1", [x, y], digits, { held_out: 1 });
    await fails("`x.csv` ends neither in .npy nor in .safetensors", ["x.csv"]);
    await fails("error[no-file]: cannot read `no/such.npy` (ENOENT", ["no/such.npy"]);
    await fails("error[data-shape]: no file of `arrays` has the recipe's `labels`", [x]);
    await fails("no file of `arrays` has the recipe's `labels`; the safetensors files have `images`", [
      folder.write("only.safetensors", encodeWeights({ tensors: new Map([["images", saved("F32", [count, 3], images)]]), metadata: {} })),
    ]);
    await fails("y.npy is no array of the recipe, which has 1", [x, y], { images: "f32[4, 3]" });
    await fails("`labels` is in two files: ", [both, both]);
    const short = folder.write("short.npy", npy(labels.slice(0, 39), [39]));
    await fails("the first axes are the examples and must agree: ", [x, short]);
    await fails("short.npy has 39", [x, short]);
    await fails("is a single number, no array of examples", [folder.write("one.npy", npy(Int32Array.of(1), []))], { n: "i32[4]" });
    await fails("has 1 examples: one is needed to train on and one to hold out", [folder.write("one.npy", npy(Int32Array.of(1), [1]))], {
      n: "i32[4]",
    });
    await fails("error[bad-safetensors]", [folder.write("bad.safetensors", "hello")]);
    await fails("error[data-value]: ", [x, folder.write("float.npy", npy(Float32Array.from(labels), [count]))]);
  });
});

describe("conversions", () => {
  const rejection = (tensor: SavedTensor, to: "f32" | "i32") => {
    try {
      convert(tensor, to);
    } catch (problem) {
      if (problem instanceof Rejection) return problem.message;
      throw problem;
    }
    return "taken";
  };

  it("keep floats, and round f64 to the nearest f32", () => {
    fc.assert(
      fc.property(fc.array(fc.float()), (values) => {
        expect([...convert(saved("F32", [values.length], Float32Array.from(values)), "f32")]).toEqual(values);
        expect([...convert(saved("F64", [values.length], Float64Array.from(values)), "f32")]).toEqual(values);
      }),
    );
    expect([...convert(saved("F64", [3], Float64Array.of(0.1, 1 + 2 ** -25, Number.POSITIVE_INFINITY)), "f32")]).toEqual([
      Math.fround(0.1),
      1,
      Number.POSITIVE_INFINITY,
    ]);
    expect(rejection(saved("F64", [2], Float64Array.of(0, 1e39)), "f32")).toBe("element 1 is 1e+39, which f32 does not hold");
  });

  it("know halves and bfloats", () => {
    const half = [0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x7c00, 0xfc00, 0x7e00];
    const values = [
      0,
      -0,
      1,
      -2,
      65504,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
    ];
    expect([...convert(saved("F16", [half.length], Uint16Array.from(half)), "f32")]).toEqual(values);
    expect([...convert(saved("BF16", [4], Uint16Array.of(0x3f80, 0xc040, 0x0001, 0x7f80)), "f32")]).toEqual([
      1,
      -3,
      2 ** -133,
      Number.POSITIVE_INFINITY,
    ]);
  });

  it("take whole numbers exactly or not at all", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom<"f32" | "i32">("f32", "i32"), (value, to) => {
        const holds =
          to === "i32"
            ? BigInt.asIntN(32, value) === value
            : BigInt(Math.fround(Number(value))) === value && Number.isSafeInteger(Number(value));
        const tensor = saved("I64", [1], BigInt64Array.of(value));
        if (holds) expect([...convert(tensor, to)].map(BigInt)).toEqual([value]);
        else expect(rejection(tensor, to)).toMatch(/^element 0 is -?\d.*, which [fi]32 does not hold$/);
      }),
      {
        numRuns: 1000,
        examples: [
          [2n ** 31n, "i32"],
          [-(2n ** 31n), "i32"],
          [2n ** 24n + 1n, "f32"],
          [2n ** 53n + 1n, "f32"],
          [16_777_218n, "f32"],
          [7n, "i32"],
          [-7n, "f32"],
        ],
      },
    );
    expect(rejection(saved("U32", [1], Uint32Array.of(2 ** 31)), "i32")).toContain("2147483648");
    for (const [dtype, values] of [
      ["U8", Uint8Array.of(0, 255)],
      ["I8", Int8Array.of(-128, 127)],
      ["U16", Uint16Array.of(0, 65535)],
      ["I16", Int16Array.of(-32768, 1)],
    ] as const) {
      expect([...convert(saved(dtype, [2], values), "f32")]).toEqual([...values]);
      expect([...convert(saved(dtype, [2], values), "i32")]).toEqual([...values]);
    }
    expect([...convert(saved("BOOL", [3], Uint8Array.of(0, 1, 255)), "i32")]).toEqual([0, 1, 1]);
  });

  it("never turn floats into whole numbers, not even whole ones", () => {
    for (const dtype of ["F64", "F32", "F16", "BF16"] as const)
      expect(rejection(saved(dtype, [0], new Uint8Array()), "i32")).toBe(`${dtype} is not turned into i32`);
  });

  it("read elements at any offset of a file", () => {
    const file = new Uint8Array(9);
    file.set(new Uint8Array(Float32Array.of(1.5, -3).buffer), 1);
    expect([...convert({ dtype: "F32", shape: [2], bytes: file.subarray(1) }, "f32")]).toEqual([1.5, -3]);
  });
});
