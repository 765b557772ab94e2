// Type text: what printType writes is read back, and everything else is refused with a reason.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Rejection } from "../../ir/diagnostic.ts";
import { addDims, type Dim, multiplyDims, symbol } from "../../ir/dim.ts";
import { parseType, readType } from "../../ir/parse-type.ts";
import { codes, f32, grids, printType, scalars, type Type, tensor } from "../../ir/type.ts";

const B = symbol("B");
const T = symbol("T");

describe("parseType", () => {
  it.each<[string, Type]>([
    ["f32[]", f32()],
    ["f32[8, 128]", f32(8, 128)],
    ["i32[8, 129]", tensor("i32", [8, 129])],
    ["b1[B, 784]", tensor("b1", [B, 784])],
    ["f32[2*B*T + 1]", f32(addDims(multiplyDims(multiplyDims(2, B), T), 1))],
    ["f32[T - 1, B]", f32(addDims(T, -1), B)],
    ["f32[-T + B]", f32(addDims(B, multiplyDims(T, -1)))],
    ["q4[256, 512; grid = half]", codes(4, "half", [256, 512])],
    ["  q1[ B ,8;grid=integer ] ", codes(1, "integer", [B, 8])],
  ])("reads %s", (text, type) => {
    expect(parseType(text)).toEqual(type);
  });

  it.each([
    ["", "expected a type"],
    ["f33[1]", "unknown type `f33`"],
    ["q10[1; grid = half]", "unknown type `q10`"],
    ["q4[1]", "expected `;`"],
    ["q4[1; grid = moon]", "unknown grid `moon`"],
    ["f32", "expected `[`"],
    ["f32[1", "expected `]`"],
    ["f32[1,]", "expected a dimension"],
    ["f32[1 +]", "expected a dimension"],
    ["f32[1.5]", "expected `]`"],
    ["f32[1] x", "unexpected `x`"],
  ])("refuses `%s`", (text, message) => {
    expect(() => parseType(text)).toThrow(Rejection);
    expect(() => parseType(text)).toThrow(message);
  });

  it("tells where a type in a longer text ends", () => {
    const text = "%x: f32[8, 128] = neg %y";
    expect(readType(text, 3)).toEqual({ type: f32(8, 128), end: text.indexOf("=") });
  });

  it("reads every printed type back", () => {
    const name = fc.constantFrom("B", "T", "dim", "head_2");
    const dim: fc.Arbitrary<Dim> = fc
      .array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.array(name, { maxLength: 3 })), { minLength: 1, maxLength: 3 })
      .map((terms) => terms.map(([factor, names]) => names.map(symbol).reduce(multiplyDims, factor as Dim)).reduce(addDims, 0 as Dim));
    const dims = fc.array(dim, { maxLength: 4 });
    const type: fc.Arbitrary<Type> = fc.oneof(
      fc.tuple(fc.constantFrom(...scalars), dims).map(([scalar, d]) => tensor(scalar, d)),
      fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom(...grids), dims).map(([bits, grid, d]) => codes(bits, grid, d)),
    );
    fc.assert(
      fc.property(type, (t) => {
        expect(printType(parseType(printType(t)))).toBe(printType(t));
        expect(parseType(printType(t))).toEqual(t);
      }),
      { numRuns: 500 },
    );
  });
});
