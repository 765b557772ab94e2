// Problems on plain buffers: each family against numbers worked out apart, storage rules, in-place results, and refusal of bad indices.
import { describe, expect, test } from "vitest";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import { linearize } from "../../ir/ops/views.ts";
import { packValues, storageOf, unpackValues } from "../../ir/packing.ts";
import type { DotOperand, PointwiseProblem, Store } from "../../ir/plan.ts";
import { rowStatisticNames } from "../../ir/quant/quantizer.ts";
import { quest } from "../../ir/quant/quest.ts";
import {
  binary,
  cast,
  float,
  input,
  load,
  minus,
  plus,
  type ScalarExpr,
  type Storage,
  select,
  times,
  uint,
  unary,
  variable,
} from "../../ir/scalar.ts";
import { codes, type Type, tensor } from "../../ir/type.ts";
import { runOp } from "./support/run-op.ts";
import { elements, random } from "./support/values.ts";

const dense: Storage = { kind: "dense", scalar: "f32" };
const denseI32: Storage = { kind: "dense", scalar: "i32" };
const floats = (values: readonly number[]) => Float32Array.from(values);
const element = (binding: number, column: ScalarExpr) => load("f32", binding, dense, column);
const store = (binding: number, column: ScalarExpr, value: ScalarExpr, storage = dense): Store => ({
  binding,
  storage,
  row: uint(0),
  column,
  value,
});
const [row, column] = [variable("row", 1 << 16), variable("column", 1 << 16)];

describe("pointwise", () => {
  const c = [variable("c0", 2), variable("c1", 3)] as const;
  const flat = linearize(c, [2, 3]);

  test("dense in, dense out, transposed", () => {
    const out = new Float32Array(6);
    const transposed = plus(times(c[1], uint(2)), c[0]);
    const problem: PointwiseProblem = {
      kind: "pointwise",
      shape: [2, 3],
      stores: [store(1, transposed, times(element(0, flat), float(2)))],
    };
    evaluateProblem(problem, [floats([1, 2, 3, 4, 5, 6]), out]);
    expect([...out]).toEqual([2, 8, 4, 10, 6, 12]);
  });

  test("a result that replaces its operand: all loads come first", () => {
    const data = floats([1, 2, 3, 4, 5, 6]);
    const mirrored = binary("sub", uint(5), flat);
    evaluateProblem({ kind: "pointwise", shape: [2, 3], stores: [store(0, flat, element(0, mirrored))] }, [data]);
    expect([...data]).toEqual([6, 5, 4, 3, 2, 1]);
  });

  test("several results, integers and bits", () => {
    const maskType = tensor("b1", [2, 3]);
    const [kept, rounded, mask] = [new Float32Array(6), new Int32Array(6), packValues(maskType, new Array(6).fill(1))];
    const x = element(0, flat);
    const positive = binary("gt", x, float(0));
    evaluateProblem(
      {
        kind: "pointwise",
        shape: [2, 3],
        stores: [
          store(1, flat, select(positive, x, float(0))),
          store(2, flat, cast("i32", unary("floor", x)), denseI32),
          { binding: 3, storage: storageOf(maskType), row: c[0], column: c[1], value: positive },
        ],
      },
      [floats([1.5, -2.5, 3, -4, 0, 6.25]), kept, rounded, mask],
    );
    expect([...kept]).toEqual([1.5, 0, 3, 0, 0, 6.25]);
    expect([...rounded]).toEqual([1, -3, 3, -4, 0, 6]);
    expect([...unpackValues(maskType, mask)]).toEqual([1, 0, 1, 0, 0, 1]);
  });

  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8]) {
    for (const layout of [undefined, "planes"] as const) {
      test(`codes of ${bits} bits, ${layout ?? "the default layout"}: moved one column on, padding cleared`, () => {
        const type = codes(bits, "half", [3, 37], layout);
        const storage = storageOf(type);
        const values = Array.from({ length: 3 * 37 }, (_, i) => ((i * 7) % 2 ** bits) - 2 ** (bits - 1));
        const from = packValues(type, values);
        const to = packValues(type, values);
        new Uint32Array(to).fill(0xffffffff);
        const [r, k] = [variable("c0", 3), variable("c1", 37)];
        const next = binary("rem", plus(k, uint(1)), uint(37));
        const value = load("i32", 0, storage, next, r);
        evaluateProblem({ kind: "pointwise", shape: [3, 37], stores: [{ binding: 1, storage, row: r, column: k, value }] }, [from, to]);
        const expected = values.map((_, i) => values[37 * Math.floor(i / 37) + (((i % 37) + 1) % 37)]!);
        expect(new Uint32Array(to)).toEqual(new Uint32Array(packValues(type, expected)));
      });
    }
  }

  test("a view of a buffer", () => {
    const slab = floats([9, 9, 9, 9, 1, 2, 3, 4]);
    const c0 = variable("c0", 4);
    evaluateProblem({ kind: "pointwise", shape: [4], stores: [store(0, c0, unary("neg", element(1, c0)))] }, [
      slab.subarray(0, 4),
      slab.subarray(4),
    ]);
    expect([...slab]).toEqual([-1, -2, -3, -4, 1, 2, 3, 4]);
  });

  test("out of range", () => {
    const c0 = variable("c0", 5);
    const four = () => new Float32Array(4);
    const run =
      (problem: PointwiseProblem, ...buffers: Float32Array[]) =>
      () =>
        evaluateProblem(problem, buffers);
    expect(run({ kind: "pointwise", shape: [5], stores: [store(1, uint(0), element(0, c0))] }, four(), four())).toThrow(
      "load of element 4 of 4 at binding 0",
    );
    expect(run({ kind: "pointwise", shape: [5], stores: [store(0, c0, float(1))] }, four())).toThrow(
      "store of element 4 of 4 at binding 0",
    );
    expect(run({ kind: "pointwise", shape: [5], stores: [store(3, c0, float(1))] }, four())).toThrow("binding 3 of 1");
    const storage = storageOf(codes(8, "half", [1, 16]));
    const value = cast("i32", c0);
    expect(run({ kind: "pointwise", shape: [5], stores: [{ binding: 0, storage, row: uint(1), column: c0, value }] }, four())).toThrow(
      "row 1, column 0 of 1 rows at binding 0",
    );
  });
});

describe("reduce", () => {
  test("several accumulators over two axes, and what follows from them", () => {
    const [c0, r0, r1] = [variable("c0", 2), variable("r0", 2), variable("r1", 3)];
    // x[r0, c0, r1]
    const x = element(0, linearize([r0, c0, r1], [2, 2, 3]));
    const [means, ranges, where] = [new Float32Array(2), new Float32Array(2), new Int32Array(2)];
    evaluateProblem(
      {
        kind: "reduce",
        shape: [2],
        reduced: [2, 3],
        accumulators: [
          { combine: "sum", element: x },
          { combine: "max", element: x },
          { combine: "min", element: x },
          { combine: "argmax", element: x },
        ],
        stores: [
          store(1, c0, binary("div", input(0, "f32"), float(6))),
          store(2, c0, minus(input(1, "f32"), input(2, "f32"))),
          store(3, c0, input(3, "i32"), denseI32),
        ],
      },
      [floats([1, 2, 3, 10, 20, 30, 4, 9, 9, 40, 5, 60]), means, ranges, where],
    );
    expect([...means]).toEqual([Math.fround(28 / 6), 27.5]);
    expect([...ranges]).toEqual([8, 55]);
    expect([...where]).toEqual([4, 5]);
  });
});

describe("dot", () => {
  const [m, n, k] = [5, 6, 7];
  const [a, b] = [random(101, [2, m, k]), random(102, [2, n, k])];
  const want = elements(runOp("dot", [a, b], { contract: [[2], [2]], batch: [[0], [0]] }, "f32")[0]!);
  const transposed = (t: typeof a) => elements(runOp("transpose", [t], { permutation: [0, 2, 1] })[0]!);
  const z = variable("z0", 2);
  const side = (binding: number, free: number, contracted: "row" | "column"): DotOperand => ({
    contracted,
    element: element(binding, linearize([z, row, column], contracted === "row" ? [2, k, free] : [2, free, k])),
  });
  for (const ofA of ["row", "column"] as const) {
    for (const ofB of ["row", "column"] as const) {
      test(`a contracts its ${ofA}s, b its ${ofB}s; the epilogue adds a bias`, () => {
        const out = new Float32Array(2 * m * n);
        const bias = floats(Array.from({ length: n }, (_, i) => i));
        const [im, jn] = [variable("m", m), variable("n", n)];
        evaluateProblem(
          {
            kind: "dot",
            batch: [2],
            m,
            n,
            k,
            a: side(0, m, ofA),
            b: side(1, n, ofB),
            stores: [store(2, linearize([z, im, jn], [2, m, n]), plus(input(0, "f32"), element(3, jn)))],
          },
          [floats(ofA === "row" ? transposed(a) : elements(a)), floats(ofB === "row" ? transposed(b) : elements(b)), out, bias],
        );
        expect([...out]).toEqual(want.map((v, i) => Math.fround(v + (i % n))));
      });
    }
  }
});

describe("rows", () => {
  test("rotation, scale, codes and mask in one: equal to the ops", () => {
    const [rows, columns, block, bits] = [4, 64, 32, 3];
    const x = random(103, [rows, columns], -2, 2);
    const [rotated] = runOp("hadamard", [x], { axis: 1, block }, "f32");
    const attrs = { scheme: "quest", bits };
    const [scale] = runOp("quant.scale", [rotated!], attrs, "f32");
    const [wantCodes] = runOp("quant.encode", [rotated!, scale!], attrs, "f32");
    const [wantMask] = runOp("quant.mask", [rotated!, scale!], attrs, "f32");

    const [codesType, maskType]: readonly [Type, Type] = [codes(bits, "half", [rows, columns]), tensor("b1", [rows, columns])];
    const [codesOut, maskOut, scales, rotatedOut] = [
      packValues(codesType, []),
      packValues(maskType, []),
      new Float32Array(rows),
      new Float32Array(rows * columns),
    ];
    const [value, step] = [input(0, "f32"), input(1, "f32")];
    const at = linearize([row, column], [rows, columns]);
    evaluateProblem(
      {
        kind: "rows",
        rows,
        columns,
        block,
        element: element(0, at),
        statistic: quest.statistic,
        perRow: quest.step(input(0, "f32"), bits),
        stores: [
          { binding: 1, storage: storageOf(codesType), row, column, value: quest.code(value, step, bits) },
          { binding: 2, storage: storageOf(maskType), row, column, value: quest.mask(value, step, bits, "trust") },
          store(4, at, value),
        ],
        rowStores: [store(3, row, input(0, "f32"))],
      },
      [floats(elements(x)), codesOut, maskOut, scales, rotatedOut],
    );
    expect([...rotatedOut]).toEqual(elements(rotated!));
    expect([...scales]).toEqual(elements(scale!));
    expect([...unpackValues(codesType, codesOut)]).toEqual(elements(wantCodes!));
    expect([...unpackValues(maskType, maskOut)]).toEqual(elements(wantMask!));
    expect(elements(wantMask!).includes(0)).toBe(true);
  });

  test("without rotation; the statistic alone; every statistic", () => {
    const x = floats([3, -4, 1, 0, 0, 2]);
    const wants = { mean_square: [26 / 3, 4 / 3], abs_max: [4, 2], mean_abs: [8 / 3, 2 / 3], variance: [26 / 3, 8 / 9] } as const;
    for (const statistic of rowStatisticNames) {
      const out = new Float32Array(2);
      evaluateProblem(
        {
          kind: "rows",
          rows: 2,
          columns: 3,
          block: 1,
          element: element(0, linearize([row, column], [2, 3])),
          statistic,
          stores: [],
          rowStores: [store(1, row, input(0, "f32"))],
        },
        [x, out],
      );
      expect([...out]).toEqual(wants[statistic].map(Math.fround));
    }
  });

  test("rotation alone", () => {
    const out = new Float32Array(4);
    evaluateProblem(
      {
        kind: "rows",
        rows: 1,
        columns: 4,
        block: 4,
        element: element(0, column),
        stores: [store(1, column, input(0, "f32"))],
        rowStores: [],
      },
      [floats([1, 2, 3, 5]), out],
    );
    expect([...out]).toEqual([5.5, -1.5, -2.5, 0.5]);
  });
});
