// Safetensors: bytes as the format says, round trips, and an error that names the fault for every kind of corrupt file.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { decodeWeights, encodeWeights, readWeights, type SavedTensor, type Weights } from "../../runtime/weights.ts";

const f32 = (shape: number[], ...values: number[]): SavedTensor => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(Float32Array.of(...values).buffer),
});
const example: Weights = {
  tensors: new Map([
    ["a", f32([2, 2], 1, 2, 3, 4)],
    ["b.c", { dtype: "U8", shape: [3], bytes: Uint8Array.of(7, 8, 9) }],
    ["scalar", f32([], 5)],
    ["empty", f32([0, 4])],
  ]),
  metadata: { format: "bitloom" },
};

function file(header: unknown, data = new Uint8Array()): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

describe("safetensors", () => {
  it("are laid out as the format says", () => {
    const bytes = encodeWeights({ tensors: new Map([["w", f32([1], 1)]]), metadata: {} });
    const header = '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ';
    expect(header.length % 8).toBe(0);
    expect(bytes).toEqual(file(header, Uint8Array.of(0, 0, 0x80, 0x3f)));
  });

  it("come back as they were", () => {
    const back = decodeWeights(encodeWeights(example), "x");
    expect(back.metadata).toEqual(example.metadata);
    expect([...back.tensors.keys()]).toEqual([...example.tensors.keys()]);
    for (const [name, { dtype, shape, bytes }] of example.tensors) {
      expect(back.tensors.get(name)).toMatchObject({ dtype, shape });
      expect([...back.tensors.get(name)!.bytes]).toEqual([...bytes]);
    }
    expect(encodeWeights(back)).toEqual(encodeWeights(example));
  });

  it("may name their tensors in another order than they lie", () => {
    const header = { b: { dtype: "U8", shape: [1], data_offsets: [1, 2] }, a: { dtype: "U8", shape: [1], data_offsets: [0, 1] } };
    expect([...decodeWeights(file(header, Uint8Array.of(1, 2)), "x").tensors.get("b")!.bytes]).toEqual([2]);
  });

  const entry = (shape: unknown, offsets: unknown, dtype: unknown = "F32") => ({ w: { dtype, shape, data_offsets: offsets } });
  it.each<[string, Uint8Array, string]>([
    ["an empty file", new Uint8Array(), "too short"],
    ["a header beyond the end", encodeWeights(example).slice(0, 20), "cut off"],
    ["an absurd header length", new Uint8Array(16).fill(0xff), "cut off"],
    ["data cut off", encodeWeights(example).slice(0, -4), "cut off"],
    ["no JSON", file("{not json"), "not JSON"],
    ["text that is no UTF-8", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff), "not JSON"],
    ["a list", file("[]"), "not an object"],
    ["an unknown dtype", file(entry([1], [0, 4], "F7"), new Uint8Array(4)), 'unknown dtype "F7"'],
    ["a name of Object.prototype as dtype", file(entry([1], [0, 4], "constructor"), new Uint8Array(4)), "unknown dtype"],
    ["a negative size", file(entry([-1], [0, 4]), new Uint8Array(4)), "no valid shape"],
    ["offsets that are no pair", file(entry([1], [0]), new Uint8Array(4)), "no valid data_offsets"],
    ["a size that is not the shape's", file(entry([2], [0, 4]), new Uint8Array(4)), "8 bytes"],
    ["metadata that is no text", file({ __metadata__: { n: 1 } }), "metadata `n`"],
    ["a hole", file({ a: { dtype: "U8", shape: [1], data_offsets: [1, 2] } }, new Uint8Array(2)), "hole"],
    [
      "an overlap",
      file(
        { a: { dtype: "U8", shape: [2], data_offsets: [0, 2] }, b: { dtype: "U8", shape: [2], data_offsets: [1, 3] } },
        new Uint8Array(3),
      ),
      "overlaps",
    ],
    ["bytes behind the last tensor", file(entry([1], [0, 4]), new Uint8Array(5)), "belong to no tensor"],
  ])("refuse %s", (_, bytes, message) => {
    const read = () => decodeWeights(bytes, "model.safetensors");
    expect(read).toThrow(DiagnosticError);
    expect(read).toThrow(message);
    expect(read).toThrow("error[bad-safetensors]: model.safetensors: ");
  });

  it("never fail but by a diagnostic, however they are damaged", () => {
    const whole = encodeWeights(example);
    const damage = fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255), length: fc.nat(whole.length) });
    fc.assert(
      fc.property(damage, ({ at, value, length }) => {
        const bytes = whole.slice(0, length);
        if (at < length) bytes[at] = value;
        try {
          decodeWeights(bytes, "x");
        } catch (problem) {
          expect(problem).toBeInstanceOf(DiagnosticError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("are read from disk, and a missing file is a diagnostic", async () => {
    const folder = await mkdtemp(join(tmpdir(), "bitloom-weights-"));
    try {
      await writeFile(join(folder, "m.safetensors"), encodeWeights(example));
      expect((await readWeights(join(folder, "m.safetensors"))).tensors.size).toBe(4);
      await expect(readWeights(join(folder, "none.safetensors"))).rejects.toThrow("error[no-file]");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
