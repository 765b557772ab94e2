// Several quantized contractions that share activations or weights: values and gradients through the whole pipeline are the sum of
// what the specification says of each site alone.
import { describe, expect, test } from "vitest";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { quantized, rotated } from "../support/quest-reference.ts";
import { moduleOf, run } from "./run.ts";

const columns = 32;

interface Settings {
  readonly w: number | "none";
  readonly a: number | "none";
  readonly group?: number;
  readonly hadamard: number | "none";
  readonly rotation?: "full";
}

interface Site {
  readonly x: string;
  readonly w: string;
  readonly settings: Settings;
  /** The weight is written on the left. */
  readonly weightFirst?: boolean;
}

/** Tensors with `columns` as their last axis, by name; `x...` are inputs to be differentiated too, so all are parameters. */
type Shapes = Readonly<Record<string, readonly number[]>>;

const values = (shape: readonly number[], seed: number): number[] => {
  let state = (seed * 2654435761) >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
};

const printed = (settings: Settings): string =>
  `quest(${Object.entries(settings)
    .map(([k, v]) => `${k} = ${v}`)
    .join(", ")})`;

/** loss = sum over sites of sum(dot * g). */
function textOf(shapes: Shapes, sites: readonly Site[], ties: Readonly<Record<string, string>>): string {
  const type = (dims: readonly number[]) => `f32[${dims.join(", ")}]`;
  const dims = (name: string): readonly number[] => shapes[ties[name] ?? name] ?? [];
  const states = Object.keys(shapes).map((name) => `state "${name}": ${type(dims(name))} {role = parameter, init = zeros}`);
  const result = ({ x, w, weightFirst }: Site) =>
    weightFirst === true ? [dims(w)[0] ?? 0, ...dims(x).slice(0, -1)] : [...dims(x).slice(0, -1), dims(w)[0] ?? 0];
  const lines = sites.flatMap((site, i) => {
    const { x, w, settings, weightFirst } = site;
    const out = type(result(site));
    const read = (name: string, as: string) => `%${as}${i}: ${type(dims(name))} = state.read {name = "${ties[name] ?? name}"}`;
    const last = (name: string) => dims(name).length - 1;
    const [left, right] = weightFirst === true ? [w, x] : [x, w];
    const names = weightFirst === true ? ["w", "x"] : ["x", "w"];
    return [
      // A product with ones hides that x is state too: then the weight is told by where it comes from.
      ...(weightFirst === true ? [read(x, "z"), `%x${i}: ${type(dims(x))} = mul %z${i}, %one${i}`] : [read(x, "x")]),
      read(w, "w"),
      `%y${i}: ${out} = dot %${names[0]}${i}, %${names[1]}${i} {contract = [[${last(left)}], [${last(right)}]], batch = [[], []], site = "s${i}", quantize = ${printed(settings)}}`,
      `%p${i}: ${out} = mul %y${i}, %g${i}`,
      `%l${i}: f32[] = sum %p${i} {axes = [${result(site)
        .map((_, axis) => axis)
        .join(", ")}]}`,
      ...(i === 0 ? [] : [`%t${i}: f32[] = add %${i === 1 ? "l0" : `t${i - 1}`}, %l${i}`]),
    ];
  });
  const loss = sites.length === 1 ? "l0" : `t${sites.length - 1}`;
  return `loomir 1
form surface
host "lr" = constant(value = 1.0)
training {optimizer = sgd(momentum = 0.0, decay = 0.0), rate = "lr"}
${states.join("\n")}
${Object.entries(ties)
  .map(([path, state]) => `tie "${path}" = "${state}"`)
  .join("\n")}

entry @train(${sites.flatMap((site, i) => [`%g${i}: ${type(result(site))}`, ...(site.weightFirst === true ? [`%one${i}: ${type(dims(site.x))}`] : [])]).join(", ")}) -> (loss: f32[], ${sites.map((site, i) => `y${i}: ${type(result(site))}`).join(", ")}) {
  ${lines.join("\n  ")}
  return %${loss}, ${sites.map((_, i) => `%y${i}`).join(", ")}
}
`;
}

/** One operand as its contraction sees it, and the way of a gradient back through it. */
function side(data: readonly number[], bits: number | "none", { group = columns, hadamard, rotation, w, a }: Settings) {
  const identity = (d: readonly number[]): readonly number[] => d;
  if (bits === "none") return { seen: data, back: identity };
  const block = hadamard === "none" ? 1 : hadamard;
  const full = rotation === "full" || w === "none" || a === "none";
  const all = quantized(data, { bits, group, block, ...(bits === 1 ? { outer: block === 1 ? 1.25 : 1.3 } : {}) });
  const levels = all.map(({ code, step }) => (code + 0.5) * step);
  const turn = (d: readonly number[]) => (full ? rotated(d, block) : d);
  return {
    seen: turn(levels),
    back: (d: readonly number[]) =>
      rotated(
        turn(d).map((v, i) => v * (all[i]?.trusted ?? 0)),
        block,
      ),
  };
}

const product = (
  a: readonly number[],
  b: readonly number[],
  rows: number,
  inner: number,
  cols: number,
  at: (i: number, j: number, q: number) => readonly [number, number],
) =>
  Array.from({ length: rows * cols }, (_, i) => {
    let sum = 0;
    for (let q = 0; q < inner; q++) {
      const [l, r] = at(Math.floor(i / cols), i % cols, q);
      sum += (a[l] ?? Number.NaN) * (b[r] ?? Number.NaN);
    }
    return sum;
  });

function check(shapes: Shapes, sites: readonly Site[], ties: Readonly<Record<string, string>> = {}): ReturnType<typeof run> {
  const compiled = run(moduleOf(textOf(shapes, sites, ties)), pipeline);
  const data = Object.fromEntries(Object.entries(shapes).map(([name, dims], i) => [name, values(dims, i + 1)]));
  const gradients = Object.fromEntries(Object.entries(data).map(([name, d]) => [name, d.map(() => 0)]));
  const expected: number[][] = [];
  const inputs: Record<string, Tensor> = {};
  for (const [i, { x: xName, w: wName, settings, weightFirst }] of sites.entries()) {
    const [x, w] = [ties[xName] ?? xName, ties[wName] ?? wName].map((name) => ({ name, data: data[name] ?? [] }));
    if (x === undefined || w === undefined) throw new Error("two operands");
    const [m, n] = [x.data.length / columns, w.data.length / columns];
    const [xs, ws] = [side(x.data, settings.a, settings), side(w.data, settings.w, settings)];
    const g = values([m, n], 100 + i);
    const transposed = Array.from({ length: m * n }, (_, k) => g[(k % m) * n + Math.floor(k / m)] ?? 0);
    const input = compiled.module.entries[0]?.inputs.find((v) => v.value.hint === `g${i}`);
    inputs[`g${i}`] = denseTensor(input?.value.type.dims as number[], Float64Array.from(weightFirst === true ? transposed : g));
    if (weightFirst === true) inputs[`one${i}`] = denseTensor(shapes[x.name] ?? [], new Float64Array(x.data.length).fill(1));
    const y = product(xs.seen, ws.seen, m, columns, n, (r, c, q) => [r * columns + q, c * columns + q]);
    expected.push(weightFirst === true ? Array.from({ length: m * n }, (_, k) => y[(k % m) * n + Math.floor(k / m)] ?? 0) : y);
    const dx = xs.back(product(g, ws.seen, m, n, columns, (r, c, q) => [r * n + q, q * columns + c]));
    const dw = ws.back(product(g, xs.seen, n, m, columns, (r, c, q) => [q * n + r, q * columns + c]));
    for (const [name, d] of [
      [x.name, dx],
      [w.name, dw],
    ] as const)
      gradients[name] = (gradients[name] ?? []).map((v, k) => v + (d[k] ?? 0));
  }
  const state = Object.fromEntries(
    Object.entries(shapes).map(([name, dims]) => [name, denseTensor(dims, Float64Array.from(data[name] ?? []))]),
  );
  const result = evaluateEntry(compiled.module, "train", { precision: "wide", inputs, state, step: 0 });
  for (const [i, y] of expected.entries()) expectClose(contiguous(result.outputs[`y${i}`]!), y, `y${i}`);
  for (const [name, d] of Object.entries(gradients)) {
    const after = contiguous(result.state[name]!);
    expectClose(
      Array.from(after, (v, k) => (data[name]?.[k] ?? Number.NaN) - v),
      d,
      `gradient of ${name}`,
    );
  }
  return compiled;
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[], what: string): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, e] of expected.entries()) expect(Math.abs((actual[i] ?? Number.NaN) - e), `${what}[${i}]`).toBeLessThan(1e-11);
}

const count = ({ module }: ReturnType<typeof run>, op: string): number =>
  module.entries[0]?.instructions.filter((i) => i.op.signature.name === op).length ?? 0;

const w4a4: Settings = { w: 4, a: 4, hadamard: 16 };
const shapes: Shapes = { x: [5, columns], v: [3, columns], w: [4, columns], u: [6, columns] };

describe("one activation, two sites", () => {
  test("equal settings round it once", () => {
    expect(
      count(
        check(shapes, [
          { x: "x", w: "w", settings: w4a4 },
          { x: "x", w: "u", settings: w4a4 },
        ]),
        "quant.scale",
      ),
    ).toBe(3);
  });
  test.each<[string, Settings]>([
    ["other bits", { ...w4a4, a: 2 }],
    ["another block", { ...w4a4, hadamard: 8 }],
    ["no rotation", { ...w4a4, hadamard: "none" }],
    ["full rotation", { ...w4a4, rotation: "full" }],
    ["groups", { ...w4a4, group: 8 }],
    ["1 bit", { ...w4a4, a: 1, w: 1 }],
    ["no rounding of it", { ...w4a4, a: "none" }],
    ["no rounding of the weight", { ...w4a4, w: "none" }],
  ])("%s", (_what, settings) => {
    check(shapes, [
      { x: "x", w: "w", settings: w4a4 },
      { x: "x", w: "u", settings },
    ]);
    check(shapes, [
      { x: "x", w: "u", settings },
      { x: "x", w: "w", settings: w4a4 },
    ]);
  });
});

describe("one weight, two sites", () => {
  test("equal settings round it once", () => {
    expect(
      count(
        check(shapes, [
          { x: "x", w: "w", settings: w4a4 },
          { x: "v", w: "w", settings: w4a4 },
        ]),
        "quant.scale",
      ),
    ).toBe(3);
  });
  test("different settings", () => {
    check(shapes, [
      { x: "x", w: "w", settings: w4a4 },
      { x: "v", w: "w", settings: { ...w4a4, w: 3, rotation: "full" } },
    ]);
  });
  test("the same site twice, and a third in other groups", () => {
    check(shapes, [
      { x: "x", w: "w", settings: w4a4 },
      { x: "x", w: "w", settings: w4a4 },
      { x: "v", w: "w", settings: { w: 8, a: 8, hadamard: 32, group: 4 } },
    ]);
  });
  test("tied", () => {
    check(
      shapes,
      [
        { x: "x", w: "w", settings: w4a4 },
        { x: "v", w: "head", settings: { ...w4a4, w: 2 } },
      ],
      { head: "w" },
    );
  });
  test("as weight here and as activation there", () => {
    check(shapes, [
      { x: "x", w: "w", settings: { ...w4a4, a: 8 } },
      { x: "w", w: "u", settings: { ...w4a4, a: 8 } },
    ]);
  });
});

describe("shapes", () => {
  test("an activation of three axes", () => {
    check({ x: [2, 3, columns], w: [4, columns] }, [{ x: "x", w: "w", settings: { ...w4a4, group: 16, a: 3 } }]);
  });
  test("an activation of one axis", () => {
    check({ x: [columns], w: [4, columns] }, [{ x: "x", w: "w", settings: { ...w4a4, a: 3 } }]);
  });
  test("one row", () => {
    check({ x: [1, columns], w: [1, columns] }, [{ x: "x", w: "w", settings: { ...w4a4, rotation: "full" } }]);
  });
});

test.each<[string, Settings]>([
  ["half", { w: 2, a: 8, hadamard: 16 }],
  ["groups", { w: 3, a: 6, hadamard: 8, group: 8 }],
  ["the weight alone", { w: 2, a: "none", hadamard: 16 }],
])("the weight on the left: %s", (_what, settings) => {
  check(shapes, [{ x: "x", w: "w", settings, weightFirst: true }]);
  check({ x: [2, 3, columns], w: [4, columns] }, [{ x: "x", w: "w", settings, weightFirst: true }]);
});
