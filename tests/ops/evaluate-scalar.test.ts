// Scalar expressions over arrays: each operation as WGSL defines it, both precisions, sharing, pieces.
import { describe, expect, test } from "vitest";
import { evaluateScalars, forEachPiece } from "../../ir/evaluate-scalar.ts";
import {
  type BinaryOp,
  binary,
  binaryOps,
  cast,
  constant,
  float,
  input,
  int,
  load,
  plus,
  type ScalarExpr,
  type ScalarType,
  select,
  times,
  type UnaryOp,
  uint,
  unary,
  unaryOps,
  variable,
} from "../../ir/scalar.ts";

const at = (e: ScalarExpr, precision: "wide" | "f32" = "f32"): number => evaluateScalars([e], 1, precision, {})[0]![0]!;
type Given = readonly [type: ScalarType, ...values: readonly number[]];

/** Operation, operands, result. */
const unaryTable: Readonly<Record<UnaryOp, readonly (readonly [Given, number])[]>> = {
  neg: [
    [["f32", 1.5], -1.5],
    [["i32", -2147483648], -2147483648],
  ],
  abs: [
    [["f32", -1.5], 1.5],
    [["i32", -3], 3],
  ],
  exp: [[["f32", 0], 1]],
  log: [
    [["f32", 1], 0],
    [["f32", 0], -Infinity],
  ],
  sqrt: [[["f32", 2.25], 1.5]],
  rsqrt: [[["f32", 4], 0.5]],
  tanh: [[["f32", 0], 0]],
  floor: [[["f32", -0.5], -1]],
  ceil: [[["f32", 0.5], 1]],
  round: [
    [["f32", 2.5], 2],
    [["f32", 3.5], 4],
    [["f32", -2.5], -2],
  ],
  not: [
    [["bool", 1], 0],
    [["bool", 0], 1],
  ],
  is_finite: [
    [["f32", 1], 1],
    [["f32", Infinity], 0],
    [["f32", NaN], 0],
  ],
  bitcast_u32: [
    [["f32", 1], 0x3f800000],
    [["i32", -1], 4294967295],
  ],
  bitcast_f32: [[["u32", 0x3f800000], 1]],
  to_f16: [
    [["f32", 1 + 2 ** -11], 1],
    [["f32", -(1 + 3 * 2 ** -11)], -(1 + 2 ** -9)],
    [["f32", 2 ** -25], 0],
    [["f32", 65519], 65504],
    [["f32", -65520], -Infinity],
  ],
};
const binaryTable: Readonly<Record<BinaryOp, readonly (readonly [Given, number])[]>> = {
  add: [
    [["f32", 1, 2], 3],
    [["u32", 4294967295, 2], 1],
    [["i32", 2147483647, 1], -2147483648],
  ],
  sub: [
    [["f32", 1, 2], -1],
    [["u32", 0, 1], 4294967295],
  ],
  mul: [
    [["f32", 1.5, 2], 3],
    [["u32", 65537, 65537], 131073],
    [["i32", 123456789, 987654321], -67153019],
  ],
  div: [
    [["f32", 1, 4], 0.25],
    [["i32", -7, 2], -3],
    [["u32", 4294967295, 2], 2147483647],
    [["i32", 5, 0], 5],
  ],
  rem: [
    [["f32", 5.5, 2], 1.5],
    [["i32", -7, 2], -1],
    [["u32", 7, 4], 3],
    [["u32", 7, 0], 0],
  ],
  min: [
    [["f32", 1, 2], 1],
    [["i32", -1, 1], -1],
    [["u32", 4294967295, 1], 1],
  ],
  max: [
    [["f32", 1, 2], 2],
    [["i32", -1, 1], 1],
    [["u32", 4294967295, 1], 4294967295],
  ],
  pow: [[["f32", 2, 10], 1024]],
  eq: [
    [["f32", 1, 1], 1],
    [["i32", 1, 2], 0],
  ],
  ne: [
    [["f32", 1, 1], 0],
    [["bool", 1, 0], 1],
  ],
  lt: [
    [["f32", 1, 2], 1],
    [["i32", -1, 1], 1],
    [["u32", 4294967295, 1], 0],
  ],
  le: [[["f32", 2, 2], 1]],
  gt: [[["f32", 2, 2], 0]],
  ge: [[["f32", 2, 2], 1]],
  and: [
    [["u32", 12, 10], 8],
    [["bool", 1, 0], 0],
    [["i32", -1, 5], 5],
  ],
  or: [
    [["u32", 12, 10], 14],
    [["bool", 1, 0], 1],
    [["u32", 2147483648, 1], 2147483649],
  ],
  xor: [
    [["u32", 12, 10], 6],
    [["bool", 1, 1], 0],
  ],
  shl: [
    [["u32", 1, 31], 2147483648],
    [["i32", 1, 31], -2147483648],
  ],
  shr: [
    [["u32", 2147483648, 31], 1],
    [["i32", -8, 1], -4],
  ],
};

describe("operations", () => {
  for (const op of unaryOps) {
    test(op, () => {
      for (const [[type, a = 0], result] of unaryTable[op]) expect(at(unary(op, constant(type, a)))).toBe(result);
    });
  }
  for (const op of binaryOps) {
    test(op, () => {
      const shift = op === "shl" || op === "shr";
      for (const [[type, a = 0, b = 0], result] of binaryTable[op])
        expect(at(binary(op, constant(type, a), constant(shift ? "u32" : type, b)))).toBe(result);
    });
  }
  test("select", () => {
    expect(at(select(constant("bool", 1), float(1), float(2)))).toBe(1);
    expect(at(select(constant("bool", 0), float(1), float(2)))).toBe(2);
  });
  test("cast", () => {
    expect([
      at(cast("i32", float(-1.9))),
      at(cast("u32", float(-1.9))),
      at(cast("u32", int(-1))),
      at(cast("f32", uint(4294967295))),
    ]).toEqual([-1, 0, 4294967295, 4294967296]);
    expect([at(cast("bool", float(0.5))), at(cast("bool", int(0))), at(cast("f32", constant("bool", 1)))]).toEqual([1, 0, 1]);
  });
});

test("f32 rounds after each node, wide does not", () => {
  const e = binary("sub", plus(float(16777216), float(1)), float(16777216));
  expect([at(e, "f32"), at(e, "wide")]).toEqual([0, 1]);
  expect(at(times(float(0.1), float(3)), "f32")).toBe(Math.fround(Math.fround(0.1) * 3));
});

test("leaves: arrays, single values, functions, variables, loads; more elements than a piece", () => {
  const count = 10_000;
  const column = variable("c0", count);
  const loaded = load("f32", 3, { kind: "dense", scalar: "f32" }, binary("add", column, uint(1)));
  const sum = [input(0, "f32"), input(1, "f32"), input(2, "f32"), cast("f32", column), loaded].reduce(plus);
  const [out] = evaluateScalars([sum], count, "wide", {
    inputs: [
      Float64Array.from({ length: count }, (_, i) => i),
      Float64Array.of(0.5),
      (start, into) => {
        for (let i = 0; i < into.length; i++) into[i] = 2 * (start + i);
      },
    ],
    variables: { c0: Uint32Array.from({ length: count }, (_, i) => i) },
    load({ binding }, rows, columns, into) {
      expect([binding, rows.length, rows[0]]).toEqual([3, into.length, 0]);
      for (let i = 0; i < into.length; i++) into[i] = 10 * columns[i]!;
    },
  });
  for (const i of [0, 1, 4095, 4096, 8191, 8192, 9999]) expect(out![i]).toBe(i + 0.5 + 2 * i + i + 10 * (i + 1));
});

test("a shared node is evaluated once", () => {
  let reads = 0;
  const shared = unary("neg", input(0, "f32"));
  evaluateScalars([plus(shared, times(shared, shared)), shared], 5, "f32", { inputs: [() => void reads++] });
  expect(reads).toBe(1);
});

test("pieces come in order, the last one short", () => {
  const seen: number[] = [];
  forEachPiece([variable("i", 9000)], 9000, "f32", { variables: { i: (start, into) => void into.fill(start) } }, (start, [values]) =>
    seen.push(start, values!.length),
  );
  expect(seen).toEqual([0, 4096, 4096, 4096, 8192, 808]);
});

test("a leaf without values is a bug", () => {
  expect(() => evaluateScalars([input(1, "f32")], 1, "f32", { inputs: [] })).toThrow("no values for input 1");
  expect(() => evaluateScalars([variable("row", 4)], 1, "f32", {})).toThrow("no values for variable row");
  expect(() => evaluateScalars([load("f32", 0, { kind: "dense", scalar: "f32" }, uint(0))], 1, "f32", {})).toThrow("there are no buffers");
});
