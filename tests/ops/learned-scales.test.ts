// Scales that are learned, in a layer: what their gradients are, what they begin with, and what holds of them by symmetry.
import { describe, expect, test } from "vitest";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import { quantizers } from "../../ir/quant/table.ts";
import { contiguous, denseTensor } from "../../ir/tensor.ts";
import { insertHadamard } from "../../passes/insert-hadamard.ts";
import { insertQuant } from "../../passes/insert-quant.ts";
import { defaultOptions } from "../../passes/pass.ts";
import { gradientName, quantizedLinear, runSteps, sgdTraining, toKernels } from "../support/quantized-linear.ts";
import { elements, random } from "./support/values.ts";

const shape = { m: 5, n: 3, k: 16 };
const values = (seed: number, count: number, reach = 3) => elements(random(seed, [count], -reach, reach));
const given = { x: values(1, shape.m * shape.k), w: values(2, shape.n * shape.k, 0.1) };
const dy = values(3, shape.m * shape.n);

/** The outputs of the layer, in f64. */
function layer(module: Module, scales: Readonly<Record<string, number>>, { x, w } = given): Readonly<Record<string, readonly number[]>> {
  const state = {
    x: denseTensor([shape.m, shape.k], Float64Array.from(x)),
    w: denseTensor([shape.n, shape.k], Float64Array.from(w)),
    ...Object.fromEntries(Object.entries(scales).map(([name, v]) => [name, denseTensor([1], Float64Array.of(v))])),
  };
  const inputs = { dy: denseTensor([shape.m, shape.n], Float64Array.from(dy)) };
  const { outputs } = evaluateEntry(module, "layer", { precision: "wide", inputs, state });
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, [...contiguous(tensor)]]));
}

const calibrated = (settings: Readonly<Record<string, string | number>>, scheme = "lsq") => {
  const steps = [insertHadamard, insertQuant].map((pass) => ({ pass, options: defaultOptions(pass) }));
  return runSteps(sgdTraining(shape, { scheme, settings }, 0.1), steps);
};
const measured = (module: Module) => {
  const inputs = {
    x: denseTensor([shape.m, shape.k], Float64Array.from(given.x)),
    target: denseTensor([shape.m, shape.n], Float64Array.from(dy)),
  };
  const { state } = evaluateEntry(module, "calibrate", {
    precision: "wide",
    inputs,
    state: { w: denseTensor([shape.n, shape.k], Float64Array.from(given.w)) },
  });
  return Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, contiguous(tensor)[0]!]));
};

describe.each([1, 2, 3, 4, 8])("LSQ at %i bits", (bits) => {
  const scales = { "w#step": 0.21 / 2 ** bits, "layer#a.step": 6.3 / 2 ** bits };
  const learned = quantizedLinear(shape, { scheme: "lsq", settings: { w: bits, a: bits } });
  const out = layer(learned, scales);
  const levels = Math.max(2 ** (bits - 1) - 1, 1);

  test("the gradient of a step is the sum of g (x^ - M x) / s by 1 / sqrt(p N), spec 1.3", () => {
    for (const [name, data, step, upstream] of [
      ["w#step", given.w, scales["w#step"], (row: number, k: number) => sum(shape.m, (m) => dy[m * shape.n + row]! * rounded("x", m, k))],
      [
        "layer#a.step",
        given.x,
        scales["layer#a.step"],
        (row: number, k: number) => sum(shape.n, (n) => dy[row * shape.n + n]! * rounded("w", n, k)),
      ],
    ] as const) {
      const half = 2 ** (bits - 1);
      let expected = 0;
      for (const [i, v] of data.entries()) {
        const q = Math.min(Math.max(Math.floor(v / step), -half), half - 1) + 0.5;
        const isInside = Math.abs(v) <= (half - 0.5) * step;
        expected += upstream(Math.floor(i / shape.k), i % shape.k) * (q - (isInside ? v / step : 0));
      }
      expect(out[gradientName(name)]).toHaveLength(1);
      expect(out[gradientName(name)]![0]! / (expected / Math.sqrt(data.length * levels))).toBeCloseTo(1, 9);
    }
  });

  function rounded(side: "x" | "w", row: number, k: number): number {
    const step = side === "x" ? scales["layer#a.step"] : scales["w#step"];
    return (out[`${side}_codes`]![row * shape.k + k]! + 0.5) * step;
  }

  test("a step below 0 means the same as one above", () => {
    const mirrored = layer(learned, { "w#step": -scales["w#step"], "layer#a.step": -scales["layer#a.step"] });
    for (const name of ["y", "dx", "dw"]) expect(mirrored[name]).toEqual(out[name]);
    for (const name of Object.keys(scales)) expect(mirrored[gradientName(name)]![0]).toBe(-out[gradientName(name)]![0]!);
  });

  test("a factor of the first step gives what the step gives, and the gradient times the first step", () => {
    const factored = quantizedLinear(shape, { scheme: "lsq", settings: { w: bits, a: bits, learn: "factor" } });
    const halves = Object.fromEntries(
      Object.entries(scales).flatMap(([name, step]) => [
        [`${name}.initial`, 2 * step],
        [`${name}.factor`, 0.5],
      ]),
    );
    const other = layer(factored, halves);
    for (const name of ["y", "dx", "dw"]) expect(other[name]).toEqual(out[name]);
    for (const [name, step] of Object.entries(scales))
      expect(other[gradientName(`${name}.factor`)]![0]).toBeCloseTo(2 * step * out[gradientName(name)]![0]!, 12);
  });
});

describe.each([1, 4])("PACT at %i bits", (bits) => {
  const clips = { "w#clip": 0.07, "layer#a.clip": 2.1 };
  const out = layer(quantizedLinear(shape, { scheme: "pact", settings: { w: bits, a: bits } }), clips);
  const { "w#clip": wClip, "layer#a.clip": aClip } = clips;
  const steps = { w: (2 * wClip) / (2 ** bits - 1), x: (2 * aClip) / (2 ** bits - 1) };
  const rounded = (side: "x" | "w", row: number, k: number) => (out[`${side}_codes`]![row * shape.k + k]! + 0.5) * steps[side];

  test("the gradient passes inside the clip, and what is clipped moves the clip by its sign", () => {
    let ofClip = 0;
    for (const [i, v] of given.w.entries()) {
      const [n, k] = [Math.floor(i / shape.k), i % shape.k];
      const upstream = sum(shape.m, (m) => dy[m * shape.n + n]! * rounded("x", m, k));
      expect(out["dw"]![i]).toBeCloseTo(Math.abs(v) <= wClip ? upstream : 0, 12);
      if (Math.abs(v) > wClip) ofClip += upstream * Math.sign(v);
    }
    expect(out["dw_clip"]![0]).toBeCloseTo(ofClip, 12);
    const ofActivation = sum(given.x.length, (i) => {
      const [m, k] = [Math.floor(i / shape.k), i % shape.k];
      const upstream = sum(shape.n, (n) => dy[m * shape.n + n]! * rounded("w", n, k));
      return Math.abs(given.x[i]!) > aClip ? upstream * Math.sign(given.x[i]!) : 0;
    });
    expect(out["dlayer_a_clip"]![0]).toBeCloseTo(ofActivation, 12);
    expect(Math.abs(ofActivation)).toBeGreaterThan(0.01);
  });
});

describe.each([1, 2, 4])("LSQ+ at %i bits", (bits) => {
  const state = { "w#step": 0.21 / 2 ** bits, "layer#a.step": 6.3 / 2 ** bits, "layer#a.offset": 0.7 };
  const module = quantizedLinear(shape, { scheme: "lsq_plus", settings: { w: bits, a: bits } });
  const out = layer(module, state);
  const half = 2 ** (bits - 1);
  const round = (v: number, step: number) => (Math.min(Math.max(Math.floor(v / step), -half), half - 1) + 0.5) * step;
  const xs = given.x.map((v) => round(v - state["layer#a.offset"], state["layer#a.step"]) + state["layer#a.offset"]);
  const ws = given.w.map((v) => round(v, state["w#step"]));
  const levels = Math.max(half - 1, 1);

  test("the layer is that of x rounded less its offset, with the offset added again", () => {
    for (let m = 0; m < shape.m; m++)
      for (let n = 0; n < shape.n; n++)
        expect(out["y"]![m * shape.n + n]).toBeCloseTo(
          sum(shape.k, (k) => xs[m * shape.k + k]! * ws[n * shape.k + k]!),
          11,
        );
  });

  test("gradients of the offset, of x and of the weight", () => {
    const upstream = xs.map((_, i) => sum(shape.n, (n) => dy[Math.floor(i / shape.k) * shape.n + n]! * ws[n * shape.k + (i % shape.k)]!));
    const isClipped = given.x.map((v) => Math.abs(v - state["layer#a.offset"]) > (half - 0.5) * state["layer#a.step"]);
    const ofOffset = sum(xs.length, (i) => (isClipped[i] ? upstream[i]! : 0)) / Math.sqrt(levels * xs.length);
    expect(out["dlayer_a_offset"]![0]).toBeCloseTo(ofOffset, 11);
    expect(Math.abs(ofOffset)).toBeGreaterThan(1e-3);
    for (const [i, g] of out["dx"]!.entries()) expect(g).toBeCloseTo(isClipped[i] ? 0 : upstream[i]!, 11);
    for (const [i, g] of out["dw"]!.entries()) {
      const [n, k] = [Math.floor(i / shape.k), i % shape.k];
      const expected = sum(shape.m, (m) => dy[m * shape.n + n]! * xs[m * shape.k + k]!);
      expect(g).toBeCloseTo(Math.abs(given.w[i]!) <= (half - 0.5) * state["w#step"] ? expected : 0, 11);
    }
  });

  test("the sides meet as codes", () => {
    const entry = entryNamed(toKernels(module), "layer");
    expect(entry?.instructions.filter(({ op }) => op.signature.name === "quant.dot")).toHaveLength(1);
  });
});

describe("AdaBin", () => {
  const state = { "layer#a.level": 1.7, "layer#a.offset": 0.35 };
  const module = quantizedLinear(shape, { scheme: "adabin", settings: {} });
  const out = layer(module, state);
  const sign = (u: number) => (u >= 0 ? 1 : -1);

  const rows = Array.from({ length: shape.n }, (_, n) => {
    const row = given.w.slice(n * shape.k, (n + 1) * shape.k);
    const center = sum(shape.k, (k) => row[k]!) / shape.k;
    const level = Math.sqrt(sum(shape.k, (k) => (row[k]! - center) ** 2) / shape.k);
    const u = row.map((v) => (v - center) / level);
    return { u, surrogate: u.map((v) => 1 - Math.tanh(v / 10) ** 2), rounded: u.map((v) => center + level * sign(v)) };
  });
  const { "layer#a.level": level, "layer#a.offset": center } = state;
  const us = given.x.map((v) => (v - center) / level);
  const surrogates = us.map((u) => Math.max(0, 2 - 2 * Math.abs(u)));
  const xs = us.map((u) => center + level * sign(u));

  test("multiplies two levels a row by two levels of the activation", () => {
    for (const [i, y] of out["y"]!.entries()) {
      const [m, n] = [Math.floor(i / shape.n), i % shape.n];
      expect(y).toBeCloseTo(
        sum(shape.k, (k) => xs[m * shape.k + k]! * rows[n]!.rounded[k]!),
        10,
      );
    }
  });

  test("gradients of weights go through mean, deviation and the surrogate of the sign", () => {
    for (const [n, { u, surrogate }] of rows.entries()) {
      const upstream = u.map((_, k) => sum(shape.m, (m) => dy[m * shape.n + n]! * xs[m * shape.k + k]!));
      const ofCenter = sum(shape.k, (j) => upstream[j]! * (1 - surrogate[j]!));
      const ofLevel = sum(shape.k, (j) => upstream[j]! * (sign(u[j]!) - surrogate[j]! * u[j]!));
      for (const [k, v] of u.entries())
        expect(out["dw"]![n * shape.k + k]).toBeCloseTo(upstream[k]! * surrogate[k]! + (ofCenter + v * ofLevel) / shape.k, 10);
    }
  });

  test("gradients of the activation, of its level and of its center, section 3.3", () => {
    const upstream = xs.map((_, i) => sum(shape.n, (n) => dy[Math.floor(i / shape.k) * shape.n + n]! * rows[n]!.rounded[i % shape.k]!));
    for (const [i, g] of out["dx"]!.entries()) expect(g).toBeCloseTo(upstream[i]! * surrogates[i]!, 10);
    const ofLevel = sum(xs.length, (i) => upstream[i]! * (sign(us[i]!) - surrogates[i]! * us[i]!));
    const ofCenter = sum(xs.length, (i) => upstream[i]! * (1 - surrogates[i]!));
    expect(out["dlayer_a_level"]![0]).toBeCloseTo(ofLevel, 10);
    expect(out["dlayer_a_offset"]![0]).toBeCloseTo(ofCenter, 10);
  });

  test("the sides meet as codes", () => {
    const entry = entryNamed(toKernels(module), "layer");
    expect(entry?.instructions.filter(({ op }) => op.signature.name === "quant.dot")).toHaveLength(1);
  });

  test("a row of equal weights has finite gradients", () => {
    const alike = { ...given, w: given.w.map((v, i) => (i < shape.k ? 0.25 : v)) };
    const { dw = [] } = layer(module, state, alike);
    expect(dw.every(Number.isFinite)).toBe(true);
  });

  test("the activation begins with the mean and the deviation of the first tensor", () => {
    const found = measured(calibrated({}, "adabin"));
    const mean = sum(given.x.length, (i) => given.x[i]!) / given.x.length;
    const variance = sum(given.x.length, (i) => (given.x[i]! - mean) ** 2) / given.x.length;
    expect(found["layer#a.level"]).toBeCloseTo(Math.sqrt(variance), 12);
    expect(found["layer#a.offset"]).toBeCloseTo(mean, 12);
  });
});

describe("@calibrate", () => {
  const meanAbs = (data: readonly number[]) => data.reduce((total, v) => total + Math.abs(v), 0) / data.length;

  test.each([1, 2, 4])("gives the step 2 mean|x| / sqrt(p) of the whole tensor, %i bits", (bits) => {
    const root = Math.sqrt(Math.max(2 ** (bits - 1) - 1, 1));
    for (const [settings, suffix] of [
      [{ w: bits, a: bits }, ""],
      [{ w: bits, a: bits, learn: "factor" }, ".initial"],
    ] as const) {
      const { w: _, ...steps } = measured(calibrated(settings));
      expect(Object.keys(steps).sort()).toEqual([`layer#a.step${suffix}`, `w#step${suffix}`]);
      expect(steps[`w#step${suffix}`]).toBeCloseTo((2 * meanAbs(given.w)) / root, 12);
      expect(steps[`layer#a.step${suffix}`]).toBeCloseTo((2 * meanAbs(given.x)) / root, 12);
    }
  });

  test("gives the clip of PACT the outermost level of that step", () => {
    expect(measured(calibrated({ w: 4, a: "none" }, "pact"))["w#clip"]).toBeCloseTo((7.5 * 2 * meanAbs(given.w)) / Math.sqrt(7), 12);
  });

  test("gives LSQ+ the Gaussian-optimal step of the whole tensor, and an offset from its smallest element", () => {
    const rms = (data: readonly number[]) => Math.sqrt(data.reduce((total, v) => total + v * v, 0) / data.length);
    const step = (data: readonly number[]) => (2 * (2.513930578568423 * rms(data) + 1e-8)) / 15;
    const { w: _, ...plain } = measured(calibrated({ w: 4, a: 4 }, "lsq_plus"));
    expect(Object.keys(plain).sort()).toEqual(["layer#a.offset", "layer#a.step", "w#step"]);
    expect(plain["w#step"]).toBeCloseTo(step(given.w), 12);
    expect(plain["layer#a.step"]).toBeCloseTo(step(given.x), 12);
    expect(plain["layer#a.offset"]).toBeCloseTo(Math.min(...given.x) + 8 * step(given.x), 12);
    const factored = measured(calibrated({ w: 4, a: 4, learn: "factor" }, "lsq_plus"));
    expect(factored["layer#a.offset"]! * factored["layer#a.step.initial"]!).toBeCloseTo(plain["layer#a.offset"]!, 12);
  });

  test("is there where something is trained and a scale is learned", () => {
    expect(entryNamed(calibrated({ w: 4, a: "none" }), "calibrate")?.updates.map(({ state }) => state)).toEqual(["w#step"]);
    expect(entryNamed(calibrated({ w: "none", a: "none" }), "calibrate")).toBeUndefined();
    expect(entryNamed(quantizedLinear(shape, { scheme: "lsq", settings: { w: 4, a: 4 } }), "calibrate")).toBeUndefined();
  });
});

test("every quantizer with a learned scale says what is learned", () => {
  const learning = quantizers.filter(({ scaleGradient }) => scaleGradient !== "none");
  expect(learning.length).toBeGreaterThan(0);
  for (const { formula, settings } of learning) {
    expect(formula.learned).toMatch(/gradient/);
    expect(Object.keys(settings)).toEqual(expect.arrayContaining(["learn", "rate"]));
  }
});

const sum = (count: number, term: (i: number) => number): number =>
  Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
