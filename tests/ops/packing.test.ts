// The packing rule of ir/packing.ts: bit for bit, and back again.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bufferBytes, byteLength, packValues, readPacked, rowPitch, storageOf, unpackValues } from "../../ir/packing.ts";
import { codeLayouts, codes, elementCount, type Scalar, type Type, tensor } from "../../ir/type.ts";

const words = (type: Type, values: readonly number[]) => [...new Uint32Array(packValues(type, values))];

describe("bits where the rule puts them", () => {
  test("4 bits: element k at bits 4k, low end first, two's complement", () => {
    expect(words(codes(4, "half", [9]), [0, -1, 7, -8, 1, 2, 3, 4, -3])).toEqual([0x432187f0, 0xd, 0, 0]);
  });
  test("2 bits", () => {
    expect(words(codes(2, "half", [4]), [-2, -1, 0, 1])).toEqual([0b01001110, 0, 0, 0]);
  });
  test("1 bit: a code of -1 is a set bit", () => {
    expect(
      words(
        codes(1, "half", [34]),
        Array.from({ length: 34 }, (_, i) => (i === 0 || i === 33 ? -1 : 0)),
      ),
    ).toEqual([1, 2, 0, 0]);
  });
  test("8 bits, and i8 alike", () => {
    expect(words(codes(8, "half", [5]), [-128, 127, -1, 0, 3])).toEqual([0x00ff7f80, 3, 0, 0]);
    expect(words(tensor("i8", [5]), [-128, 127, -1, 0, 3])).toEqual([0x00ff7f80, 3, 0, 0]);
    expect(words(tensor("u8", [2]), [255, 1])).toEqual([0x1ff, 0, 0, 0]);
  });
  test("3 bits: plane i holds bit i of q + 4, each plane padded to 16 bytes", () => {
    // -4, 3, 0, -1 -> 0, 7, 4, 3: bits 0: 0101 from the right at elements 1 and 3, and so on.
    expect(words(codes(3, "half", [4]), [-4, 3, 0, -1])).toEqual([0b1010, 0, 0, 0, 0b1010, 0, 0, 0, 0b0110, 0, 0, 0]);
  });
  test("2 bits in planes, where a plan asks for it", () => {
    expect(words(codes(2, "half", [4], "planes"), [-2, -1, 0, 1])).toEqual([0b1010, 0, 0, 0, 0b1100, 0, 0, 0]);
  });
  test("bool and b1: one bit an element, rows padded", () => {
    for (const scalar of ["bool", "b1"] as const) {
      expect(words(tensor(scalar, [2, 3]), [1, 0, 1, 0, 1, 1])).toEqual([0b101, 0, 0, 0, 0b110, 0, 0, 0]);
    }
  });
  test("dense scalars", () => {
    expect([...new Float32Array(packValues(tensor("f32", [3]), [1, -2.5, 4]))]).toEqual([1, -2.5, 4, 0]);
    expect(words(tensor("u32", []), [7])).toEqual([7, 0, 0, 0]);
  });
});

test("sizes", () => {
  const sizes: readonly (readonly [Type, number, number])[] = [
    [tensor("f32", []), 4, 16],
    [tensor("f32", [3, 5]), 60, 64],
    [tensor("bool", []), 16, 16],
    [tensor("b1", [10, 129]), 10 * 32, 320],
    [codes(4, "half", [6, 784]), 6 * 400, 2400],
    [codes(3, "half", [2, 128]), 2 * 3 * 16, 96],
    [codes(5, "half", [2, 129]), 2 * 5 * 32, 320],
  ];
  for (const [type, bytes, padded] of sizes) expect([byteLength(type), bufferBytes(type)]).toEqual([bytes, padded]);
  expect(rowPitch(4, 33)).toBe(8);
  expect(() => storageOf(tensor("bf16", [2]))).toThrow("bf16 has no storage yet, in bf16[2]");
});

test("what is packed comes back", () => {
  const layouts = [undefined, ...codeLayouts];
  const shapes = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 0, maxLength: 2 });
  fc.assert(
    fc.property(
      shapes,
      fc.integer({ min: 1, max: 8 }),
      fc.nat(),
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      (shape, bits, choice, stream) => {
        const type = codes(bits, "half", shape, layouts[choice % 4]);
        const values = [...stream.take(elementCount(shape))].map((v) => (v % 2 ** bits) - 2 ** (bits - 1));
        if (bits > 4 && type.layout === "nibbles") return void expect(() => packValues(type, values)).toThrow("do not fit nibbles");
        const packed = packValues(type, values);
        expect([...unpackValues(type, packed, 0)]).toEqual(values);
        const storage = storageOf(type);
        if (storage.kind !== "packed") throw new Error("codes are packed");
        const last = shape.at(-1) ?? 1;
        expect(readPacked(new Uint32Array(packed), storage, values.length / last - 1, last - 1)).toBe(values.at(-1));
      },
    ),
  );
});

test("every scalar with storage comes back", () => {
  const samples: Partial<Record<Scalar, readonly number[]>> = {
    f32: [1.5, -2],
    i32: [-5, 7],
    u32: [0, 4294967295],
    i8: [-128, 127],
    u8: [0, 255],
    bool: [0, 1],
    b1: [1, 1],
  };
  for (const [scalar, values] of Object.entries(samples)) {
    const type = tensor(scalar as Scalar, [2]);
    expect([...unpackValues(type, packValues(type, values))]).toEqual(values);
  }
});
