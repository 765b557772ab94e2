// Host arrays and how tensors lie on the adapter: rows of bytes are padded there.
import { expect, test } from "vitest";
import { parseType } from "../../ir/parse-type.ts";
import { copyStored, fromStored, newArray, toStored } from "../../runtime/values.ts";

test.each(["i8[3, 5]", "u8[2, 16]", "f16[3, 5]", "f32[2, 3]", "i32[7]"])(
  "%s comes back, as a new array and into a part of one that is there",
  (text) => {
    const type = parseType(text);
    const count = type.dims.reduce<number>((product, size) => product * Number(size), 1);
    const values = newArray(type, count).map((_, i) => i + 1);
    const stored = toStored(type, values);
    expect(stored.byteLength % (type.kind === "tensor" && /8$/.test(type.scalar) ? 16 : 1)).toBe(0);
    expect(fromStored(type, stored.slice().buffer)).toEqual(values);
    const whole = newArray(type, count + 8).fill(99);
    const into = whole.subarray(4, 4 + count);
    copyStored(type, stored, into);
    expect(into).toEqual(values);
    expect([...whole.subarray(0, 4), ...whole.subarray(4 + count)]).toEqual(Array(8).fill(99));
  },
);
