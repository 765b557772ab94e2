// Rows pruned to half: which elements stay, in both precisions, and the packed form of their codes.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import { packSparseRow, unpackSparseRow } from "../../ir/quant/sparse-packing.ts";
import { staysOf } from "../../ir/quant/sparsity.ts";
import { input, type SparseUnit } from "../../ir/scalar.ts";

const stays = (unit: SparseUnit, values: readonly number[], precision: "wide" | "f32"): string =>
  Array.from(
    evaluateScalars([staysOf(input(0, "f32"), unit)], values.length, precision, { inputs: [Float64Array.from(values)] })[0] ?? [],
  ).join("");

describe.each(["wide", "f32"] as const)("what stays, in %s", (precision) => {
  test("pairs by their norms", () => {
    // Squares: 25, 1, 26, 0.5; then 2, 32, 18, 25, where single elements would be chosen otherwise.
    expect(stays(2, [3, -4, 1, 0, 1, -5, 0.5, 0.5, 1, -1, 4, 4, 3, -3, 0, 5], precision)).toBe("1100110000110011");
  });
  test("single elements by their magnitudes", () => {
    expect(stays(1, [0.5, -3, 2, 1, -1, 0.25, -2, 0.5], precision)).toBe("01101010");
  });
  test("of equal norms the later stays", () => {
    expect(stays(2, [1, 0, 0, 1, 0, -1, -1, 0], precision)).toBe("00001111");
    expect(stays(2, [9, 9, 3, 4, 5, 0, 1, 1], precision)).toBe("11001100");
    expect(stays(1, [0, 0, 0, 0], precision)).toBe("0011");
  });
  test("two stay also where nothing is a number", () => {
    expect(stays(1, [Number.NaN, Number.NaN, Number.NaN, Number.NaN], precision).replaceAll("0", "")).toBe("11");
  });
});

test("norms are compared as they are rounded", () => {
  const values = [1, 2 ** -13, 1, 0, 0, 0, 0, 0];
  expect(stays(1, [1 + 2 ** -40, 1, 1, 0], "wide")).toBe("1010");
  expect(stays(2, [...values.slice(0, 4), 1, 0, 0, 0], "wide")).toBe("11001100");
  expect(stays(2, [...values.slice(0, 4), 1, 0, 0, 0], "f32")).toBe("00111100");
});

test("no group lies across the end of what is evaluated", () => {
  expect(() => stays(2, [1, 2, 3, 4], "wide")).toThrow("4 elements are not groups of 8");
});

const rows = fc
  .tuple(fc.constantFrom<SparseUnit>(1, 2), fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 }))
  .chain(([unit, levelBits, groups]) =>
    fc
      .array(
        fc.tuple(
          fc.constantFrom([0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]),
          fc.array(fc.integer({ min: -(2 ** (levelBits - 1)), max: 2 ** (levelBits - 1) - 1 }), {
            minLength: 2 * unit,
            maxLength: 2 * unit,
          }),
        ),
        { minLength: groups, maxLength: groups },
      )
      .map((drawn) => ({
        form: { unit, levelBits },
        codes: drawn.flatMap(([units, levels]) => {
          const group = new Array<number>(4 * unit).fill(0);
          for (const [i, level] of levels.entries()) group[(units[Math.floor(i / unit)] ?? 0) * unit + (i % unit)] = 2 * level + 1;
          return group;
        }),
      })),
  );

describe("packed rows", () => {
  test("every row comes back, in half its fields and two bits a unit", () => {
    fc.assert(
      fc.property(rows, ({ form, codes }) => {
        const packed = packSparseRow(codes, form);
        expect(packed.levels.length).toBe(Math.ceil((codes.length * form.levelBits) / 64));
        expect(packed.units.length).toBe(Math.ceil(codes.length / form.unit / 32));
        expect(Array.from(unpackSparseRow(packed, codes.length, form))).toEqual(codes);
      }),
    );
  });
  test("fields from the low bits up", () => {
    // Levels 1, -1, 7, -8 of the pairs 1 and 3.
    const packed = packSparseRow([0, 0, 3, -1, 0, 0, 15, -15], { unit: 2, levelBits: 4 });
    expect([...packed.levels]).toEqual([0x87f1]);
    expect([...packed.units]).toEqual([0b1101]);
  });
  test("a row that is not pruned so is refused", () => {
    const form = { unit: 2, levelBits: 4 } as const;
    expect(() => packSparseRow([1, 1, 1, 1, 1, 1, 0, 0], form)).toThrow("has not two units that stay");
    expect(() => packSparseRow([1, 1, 0, 0, 0, 0, 0, 0], form)).toThrow("has not two units that stay");
    expect(() => packSparseRow([1, 1, 1, 1], form)).toThrow("4 codes are not groups of 8");
  });
});
