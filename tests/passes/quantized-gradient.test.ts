// The gradient of a QuEST layer is dx = (M_x . (G Wq)) H, dw = (M_w . (G^T xq)) H (spec/quest 2): against the specification's hand
// vectors, against plain loops written here, and at the two ends of the trust rule.
import { describe, expect, test } from "vitest";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { type Module, mapEntries } from "../../ir/module.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { moduleOf, run } from "./run.ts";

type Matrix = readonly (readonly number[])[];

/** loss = sum(dot(x, w) * g). One step of plain descent with rate 1 leaves x - dx and w - dw. */
const layerText = (rows: number, columns: number, features: number, choice: string) => `loomir 1
form surface
host "lr" = constant(value = 1.0)
training {optimizer = sgd(momentum = 0.0, decay = 0.0), rate = "lr"}
state "x": f32[${rows}, ${columns}] {role = parameter, init = zeros}
state "w": f32[${features}, ${columns}] {role = parameter, init = zeros}

entry @train(%g: f32[${rows}, ${features}]) -> (loss: f32[], y: f32[${rows}, ${features}]) {
  %x: f32[${rows}, ${columns}] = state.read {name = "x"}
  %w: f32[${features}, ${columns}] = state.read {name = "w"}
  %y: f32[${rows}, ${features}] = dot %x, %w {contract = [[1], [1]], batch = [[], []], site = "layer"${choice === "" ? "" : `, quantize = ${choice}`}}
  %p: f32[${rows}, ${features}] = mul %y, %g
  %loss: f32[] = sum %p {axes = [0, 1]}
  return %loss, %y
}
`;

const matrix = (m: Matrix) => denseTensor([m.length, m[0]?.length ?? 0], Float64Array.from(m.flat()));

/** Outputs and gradients of the layer through the pipeline up to a stage, in f64. */
function gradients(x: Matrix, w: Matrix, g: Matrix, choice: string, until: string) {
  return gradientsOf(run(layer(x, w, choice), pipeline, { until }).module, x, w, g);
}

const layer = (x: Matrix, w: Matrix, choice: string): Module => moduleOf(layerText(x.length, x[0]?.length ?? 0, w.length, choice));

function gradientsOf(module: Module, x: Matrix, w: Matrix, g: Matrix) {
  const result = evaluateEntry(module, "train", {
    precision: "wide",
    inputs: { g: matrix(g) },
    state: { x: matrix(x), w: matrix(w) },
    step: 0,
  });
  const rowsOf = (tensor: Parameters<typeof contiguous>[0] | undefined): number[][] => {
    if (tensor === undefined) throw new Error("no such tensor");
    const data = Array.from(contiguous(tensor));
    const width = tensor.shape[1] ?? 1;
    return Array.from({ length: data.length / width }, (_, i) => data.slice(i * width, (i + 1) * width));
  };
  const step = (before: Matrix, name: string) =>
    rowsOf(result.state[name]).map((row, i) => row.map((after, k) => (before[i]?.[k] ?? NaN) - after));
  return { y: rowsOf(result.outputs["y"]), dx: step(x, "x"), dw: step(w, "w") };
}

function expectClose(actual: Matrix, expected: Matrix, bound: number): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, row] of expected.entries()) {
    expect(actual[i]?.length).toBe(row.length);
    for (const [k, value] of row.entries()) expect(Math.abs((actual[i]?.[k] ?? NaN) - value), `[${i}][${k}]`).toBeLessThanOrEqual(bound);
  }
}

const random = (rows: number, columns: number, seed: number, scale = 1): Matrix => {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Array.from({ length: rows }, () =>
    Array.from({ length: columns }, () => scale * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
  );
};

// The specification in plain loops: nothing of ours is used from here to the tests.
function sylvester(size: number): Matrix {
  if (size === 1) return [[1]];
  const half = sylvester(size / 2);
  return [...half.map((row) => [...row, ...row]), ...half.map((row) => [...row, ...row.map((v) => -v)])];
}
const rotate = (m: Matrix, block: number): Matrix =>
  m.map((row) =>
    row.map((_, k) => {
      const base = k - (k % block);
      const signs = sylvester(block)[k % block] ?? [];
      return signs.reduce((sum, sign, j) => sum + sign * (row[base + j] ?? 0), 0) / Math.sqrt(block);
    }),
  );
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, v, k) => sum + v * (b[k]?.[j] ?? 0), 0)));
const transposed = (m: Matrix): Matrix => (m[0] ?? []).map((_, j) => m.map((row) => row[j] ?? 0));
const alpha = [
  0.7978845587140913, 1.4935346200015913, 2.051068354131873, 2.513930578568423, 2.9160938834961225, 3.276597282593217, 3.6010497188221655,
  3.884938678807525,
];

function quantizeRows(rotated: Matrix, bits: number, outer: "trust" | number): { readonly values: Matrix; readonly mask: Matrix } {
  const levels = 2 ** bits;
  const rows = rotated.map((row) => {
    const rms = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0) / row.length);
    const scale = (alpha[bits - 1] ?? NaN) * rms + 1e-8;
    const step = (2 * scale) / (levels - 1);
    const threshold = ((alpha[bits - 1] ?? NaN) / (levels - 1)) * rms;
    return row.map((v) => {
      const value = (Math.min(Math.max(Math.floor(v / step), -levels / 2), levels / 2 - 1) + 0.5) * step;
      const trusted = outer === "trust" ? Math.abs(value - v) <= threshold : Math.abs(v) <= outer * scale;
      return { value, trusted: trusted ? 1 : 0 };
    });
  });
  return { values: rows.map((row) => row.map((e) => e.value)), mask: rows.map((row) => row.map((e) => e.trusted)) };
}

const masked = (mask: Matrix, m: Matrix): Matrix => m.map((row, i) => row.map((v, k) => v * (mask[i]?.[k] ?? NaN)));

describe("a QuEST layer", () => {
  const x: Matrix = [[0.5, -1.5, 3.0, 0.1, -0.2, 0.9, -0.7, -2.6]];
  const w: Matrix = [
    [0.3, -0.1, 0.2, 0.05, -0.4, 0.25, 0.15, -0.35],
    [-0.2, 0.6, 0.1, -0.3, 0.05, 0, 0.45, -0.15],
  ];

  test.each(["differentiated", "primitive"])("the specification's vector V5, %s", (until) => {
    // One rotated weight of the vector is 0, exactly between two levels, where the sign of a rounding error decides its code, and the
    // scale's epsilon its mask. It is moved by 1e-7 towards the code -1 that stands in the vector.
    const nudged = w.map((row, i) => (i === 0 ? row.map((v, k) => v - (1e-7 * (sylvester(8)[2]?.[k] ?? NaN)) / Math.sqrt(8)) : row));
    const { y, dx, dw } = gradients(x, nudged, [[1, -2]], "quest(w = 4, a = 4, hadamard = 8)", until);
    // Six digits, of which the vector's own f32 arithmetic took some; the test below asks the same formula for 1e-12.
    expectClose(y, [[1.931999, -0.610025]], 2e-6);
    expectClose(dx, [[0.769615, -1.304824, -0.004969, 0.733032, -0.460457, 0.13798, -0.636606, 0.028232]], 2e-6);
    const first = [0.371083, -1.484331, 2.968663, 0.371083, -0.371083, 0.742166, -0.742166, -2.597579];
    expectClose(dw, [first, first.map((v) => -2 * v)], 2e-6);
  });

  const combinations = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((bits) => ["half", "full"].map((rotation) => ({ bits, rotation })));
  test.each(combinations)("is the written formula at $bits bits with $rotation rotation", ({ bits, rotation }) => {
    const [xs, ws, g] = [random(5, 32, bits), random(3, 32, 100 + bits, 0.3), random(5, 3, 200 + bits)];
    const outer = bits === 1 ? 1.3 : "trust";
    const xq = quantizeRows(rotate(xs, 16), bits, outer);
    const wq = quantizeRows(rotate(ws, 16), bits, outer);
    const { y, dx, dw } = gradients(xs, ws, g, `quest(w = ${bits}, a = ${bits}, hadamard = 16, rotation = ${rotation})`, "primitive");
    expectClose(y, product(xq.values, transposed(wq.values)), 1e-12);
    // Full and half have the same gradients, since H H = 1 (spec/quest P9).
    expectClose(dx, rotate(masked(xq.mask, product(g, wq.values)), 16), 1e-12);
    expectClose(dw, rotate(masked(wq.mask, product(transposed(g), xq.values)), 16), 1e-12);
    if (bits <= 2) expect(xq.mask.flat().concat(wq.mask.flat()), "some element should be clipped, or the mask was not tested").toContain(0);
  });

  test("one quantized side alone: the other operand is not touched", () => {
    const [xs, ws, g] = [random(4, 16, 1), random(3, 16, 2), random(4, 3, 3)];
    const wq = quantizeRows(rotate(ws, 8), 3, "trust");
    const back = rotate(wq.values, 8);
    const { y, dx, dw } = gradients(xs, ws, g, "quest(w = 3, a = none, hadamard = 8)", "primitive");
    expectClose(y, product(xs, transposed(back)), 1e-12);
    expectClose(dx, product(g, back), 1e-12);
    expectClose(dw, rotate(masked(wq.mask, rotate(product(transposed(g), xs), 8)), 8), 1e-12);
  });

  test("a mask that lets everything through is straight-through, one that lets nothing through is zero", () => {
    const [xs, ws, g] = [random(4, 16, 4), random(3, 16, 5), random(4, 3, 6)];
    const xq = quantizeRows(rotate(xs, 16), 2, 1e6);
    const wq = quantizeRows(rotate(ws, 16), 2, 1e6);
    const open = gradients(xs, ws, g, "quest(w = 2, a = 2, outer = 1000000.0)", "primitive");
    expectClose(open.dx, rotate(product(g, wq.values), 16), 1e-12);
    expectClose(open.dw, rotate(product(transposed(g), xq.values), 16), 1e-12);
    const shut = gradients(xs, ws, g, "quest(w = 2, a = 2, outer = 1e-9)", "primitive");
    expect(
      shut.dx
        .flat()
        .concat(shut.dw.flat())
        .every((v) => v === 0),
    ).toBe(true);
  });

  test.each(["half", "full"])(
    "with the rounding taken out, the rotated layer (%s) has the plain layer's value and gradient",
    (rotation) => {
      const [xs, ws, g] = [random(4, 32, 7), random(3, 32, 8), random(4, 3, 9)];
      const rotated = run(layer(xs, ws, `quest(w = 4, a = 4, rotation = ${rotation})`), "insert-hadamard").module;
      const unstamped = mapEntries(rotated, (entry) => ({
        ...entry,
        instructions: entry.instructions.map(({ marks: { quantize: _off, ...marks }, ...rest }) => ({ ...rest, marks })),
      }));
      expect(unstamped.entries[0]?.instructions.filter((i) => i.op.signature.name === "hadamard")).toHaveLength(
        rotation === "half" ? 2 : 4,
      );
      const { y, dx, dw } = gradientsOf(run(unstamped, pipeline).module, xs, ws, g);
      expectClose(y, product(xs, transposed(ws)), 1e-12);
      expectClose(dx, product(g, ws), 1e-12);
      expectClose(dw, product(transposed(g), xs), 1e-12);
    },
  );
});
