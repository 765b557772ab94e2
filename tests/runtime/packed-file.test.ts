// Packed files: codes as streams of bits, what the metadata declare, and what is refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { fromBits, type PackedModel, packedWeights, readPackedModel, toBits } from "../../runtime/packed-file.ts";
import { decodeWeights, encodeWeights, type Weights } from "../../runtime/weights.ts";

const range = (bits: number) => ({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });

test("codes of any width come back from their bits, which are as few as can be", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 8 }).chain((bits) => fc.tuple(fc.constant(bits), fc.array(fc.integer(range(bits)), { maxLength: 70 }))),
      ([bits, codes]) => {
        const bytes = toBits(codes, bits);
        expect(bytes.length).toBe(Math.ceil((codes.length * bits) / 8));
        expect([...fromBits(bytes, bits, codes.length)]).toEqual(codes);
      },
    ),
  );
});

test("bits lie low end first", () => {
  expect([...toBits([-1, 1, 0, -2, 3], 3)]).toEqual([0b00_001_111, 0b0_011_110_0]);
});

const model: PackedModel = {
  about: { model: "Two()", policy: "quest_w4a4", recipe: "small" },
  weights: new Map([
    [
      "a",
      {
        declaration: { bits: 4, grid: "half", rotation: "hadamard(8)", columns: 8 },
        codes: Int32Array.from({ length: 24 }, (_, i) => (i % 16) - 8),
        scales: Float32Array.of(1, 2, 3),
        scaleShape: [3, 1],
      },
    ],
    [
      "b",
      {
        declaration: { bits: 2, grid: "ternary", rotation: "none", columns: 6 },
        codes: Int32Array.of(-1, 0, 1, 1, 0, -1),
        scales: Float32Array.of(0.5, 0.25),
        scaleShape: [1, 2],
      },
    ],
  ]),
  parameters: new Map([["gain", { dtype: "F32", shape: [2], bytes: new Uint8Array(Float32Array.of(1, -1).buffer) }]]),
};

const written = (): Weights => packedWeights(model);
const changed = (change: (declarations: Record<string, unknown>[]) => void): Weights => {
  const { tensors, metadata } = written();
  const declarations = JSON.parse(metadata["codes"] ?? "");
  change(declarations);
  return { tensors, metadata: { ...metadata, codes: JSON.stringify(declarations) } };
};

test("a file holds the model, all of it", () => {
  const path = "two.safetensors";
  const read = readPackedModel(decodeWeights(encodeWeights(written()), path), path);
  expect(read.about).toEqual(model.about);
  expect(read.weights).toEqual(model.weights);
  expect([...read.parameters.values()].map(({ bytes }) => [...bytes])).toEqual(
    [...model.parameters.values()].map(({ bytes }) => [...bytes]),
  );
});

describe("refused", () => {
  const refusal = (weights: Weights): string => {
    try {
      readPackedModel(weights, "x.safetensors");
    } catch (problem) {
      if (problem instanceof DiagnosticError) return problem.diagnostics.map(({ code, message }) => `${code}: ${message}`).join();
      throw problem;
    }
    return "nothing";
  };
  const { tensors, metadata } = written();
  const without = (name: string) => new Map([...tensors].filter(([key]) => key !== name));
  const cases: Readonly<Record<string, readonly [Weights, string]>> = {
    "another format": [{ tensors, metadata: { ...metadata, format: "pt" } }, "its format is `pt`, not `bitloom-packed`"],
    "another version": [{ tensors, metadata: { ...metadata, version: "9" } }, "it has version 9, this Bitloom reads version 1"],
    "no declarations": [{ tensors, metadata: { format: "bitloom-packed", version: "1" } }, "its metadata have no `codes`"],
    "no rotation": [
      changed(([first]) => delete first?.["rotation"]),
      "its metadata `codes`: `codes[0].rotation` of `a` must be a text, not missing",
    ],
    "an unknown grid": [
      changed(([first]) => Object.assign(first ?? {}, { grid: "quarter" })),
      "its metadata `codes`: `codes[0].grid` of `a` must be",
    ],
    "other bits than there are": [
      changed(([first]) => Object.assign(first ?? {}, { bits: 3 })),
      "`a#codes` has 12 bytes: 3 rows of 8 codes of 3 bits are 9",
    ],
    "codes that are missing": [{ tensors: without("a#codes"), metadata }, "it has no tensor `a#codes`"],
    "scales that are missing": [{ tensors: without("b#scale"), metadata }, "it has no tensor `b#scale`"],
    "metadata that are no JSON": [{ tensors, metadata: { ...metadata, codes: "[" } }, "its metadata `codes`: "],
  };
  test.each(Object.entries(cases))("%s", (_, [weights, message]) => {
    expect(refusal(weights)).toContain(`bad-packed: x.safetensors: ${message}`);
  });
});

test("pruned rows keep half of their levels, and two bits for each unit that stays", () => {
  // Of each group of four pairs the second and the fourth.
  const codes = Int32Array.from({ length: 48 }, (_, i) => ([1, 3].includes((i >> 1) % 4) ? 2 * ((i % 16) - 8) + 1 : 0));
  const declaration = { bits: 4, grid: "sparse_half", rotation: "none", columns: 16, unit: 2 } as const;
  const pruned: PackedModel = {
    ...model,
    weights: new Map([["p", { declaration, codes, scales: Float32Array.of(1, 1, 1), scaleShape: [3, 1] }]]),
  };
  const { tensors, metadata } = packedWeights(pruned);
  expect([tensors.get("p#codes")?.bytes.length, tensors.get("p#kept")?.bytes.length]).toEqual([12, 3]);
  expect(readPackedModel({ tensors, metadata }, "x").weights.get("p")?.codes).toEqual(codes);
  const cut = new Map(tensors).set("p#kept", { dtype: "U8", shape: [2], bytes: new Uint8Array(2) });
  expect(() => readPackedModel({ tensors: cut, metadata }, "x")).toThrow(
    "12 bytes of codes and 2 of which stay: for 48 elements they are 12 and 3",
  );
});
