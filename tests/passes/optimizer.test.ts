// Training steps against the optimizers of PyTorch, written out as its documentation has them: clip_grad_norm_, then AdamW or SGD.
import { describe, expect, test } from "vitest";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { contiguous, denseTensor, type Tensor } from "../../ir/tensor.ts";
import { moduleOf, run } from "./run.ts";

const rate = 0.05;
const steps = 12;

/** loss = sum(w x) + sum(b y): the gradients are x and y. w decays, b does not. */
const textOf = (optimizer: string, clip: string) => `loomir 1
form quantized
host "lr" = constant(value = ${rate})
training {optimizer = ${optimizer}${clip}, rate = "lr"}
state "w": f32[2, 3] {role = parameter, init = zeros, decay = true}
state "b": f32[4] {role = parameter, init = zeros}

entry @train(%x: f32[2, 3], %y: f32[4]) -> (loss: f32[]) {
  %w: f32[2, 3] = state.read {name = "w"}
  %b: f32[4] = state.read {name = "b"}
  %p: f32[2, 3] = mul %w, %x
  %q: f32[4] = mul %b, %y
  %ps: f32[] = sum %p {axes = [0, 1]}
  %qs: f32[] = sum %q {axes = [0]}
  %loss: f32[] = add %ps, %qs
  return %loss
}
`;

const gradientAt = (step: number, count: number, salt: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(3 * step + 1.7 * i + salt) * (1 + (i % 3)));
const initial = { w: [0.3, -0.2, 0.1, 0.05, -0.4, 0.25], b: [1, -1, 0.5, 2] };

interface Parameter {
  value: number[];
  m: number[];
  v: number[];
  readonly decay: number;
}

/** torch.nn.utils.clip_grad_norm_: every gradient times min(1, max_norm / (total_norm + 1e-6)). */
function clipped(gradients: readonly number[][], maxNorm: number | undefined): number[][] {
  const norm = Math.sqrt(gradients.flat().reduce((sum, g) => sum + g * g, 0));
  const factor = maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
  return gradients.map((g) => g.map((v) => v * factor));
}

/** torch.optim.AdamW: decay first, on the weight itself; then the step with bias-corrected moments. */
function adamw(p: Parameter, gradient: readonly number[], t: number, beta1: number, beta2: number, eps: number): void {
  p.value = p.value.map((value, i) => {
    const g = gradient[i] ?? Number.NaN;
    const decayed = value - rate * p.decay * value;
    const m = beta1 * (p.m[i] ?? 0) + (1 - beta1) * g;
    const v = beta2 * (p.v[i] ?? 0) + (1 - beta2) * g * g;
    p.m[i] = m;
    p.v[i] = v;
    const denominator = Math.sqrt(v) / Math.sqrt(1 - beta2 ** t) + eps;
    return decayed - ((rate / (1 - beta1 ** t)) * m) / denominator;
  });
}

/** torch.optim.SGD with dampening 0: decay joins the gradient, the buffer starts as the first gradient. */
function sgd(p: Parameter, gradient: readonly number[], t: number, momentum: number): void {
  p.value = p.value.map((value, i) => {
    const g = (gradient[i] ?? Number.NaN) + p.decay * value;
    p.m[i] = t === 1 ? g : momentum * (p.m[i] ?? 0) + g;
    return value - rate * (momentum === 0 ? g : (p.m[i] ?? Number.NaN));
  });
}

const cases = [
  {
    optimizer: "adamw(beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1)",
    decay: 0.1,
    step: (p: Parameter, g: readonly number[], t: number) => adamw(p, g, t, 0.9, 0.95, 1e-8),
  },
  {
    optimizer: "adamw(beta1 = 0.5, beta2 = 0.999, eps = 0.01, decay = 0.0)",
    decay: 0,
    step: (p: Parameter, g: readonly number[], t: number) => adamw(p, g, t, 0.5, 0.999, 0.01),
  },
  { optimizer: "sgd(momentum = 0.0, decay = 0.2)", decay: 0.2, step: (p: Parameter, g: readonly number[], t: number) => sgd(p, g, t, 0) },
  { optimizer: "sgd(momentum = 0.9, decay = 0.2)", decay: 0.2, step: (p: Parameter, g: readonly number[], t: number) => sgd(p, g, t, 0.9) },
];

describe.each(cases)("$optimizer", ({ optimizer, decay, step: advance }) => {
  test.each([
    ["", undefined],
    [", clip = 1.0", 1],
    [", clip = 1000.0", 1000],
  ] as const)("clip%s", (clip, maxNorm) => {
    const { module } = run(moduleOf(textOf(optimizer, clip)), "differentiate");
    const parameters: Parameter[] = [
      { value: [...initial.w], m: [], v: [], decay },
      { value: [...initial.b], m: [], v: [], decay: 0 },
    ];
    const zeros = module.states.map(
      (s) => [s.name, denseTensor(s.type.dims as number[], new Float64Array(s.name.startsWith("w") ? 6 : 4))] as const,
    );
    let state: Readonly<Record<string, Tensor>> = {
      ...Object.fromEntries(zeros),
      w: denseTensor([2, 3], Float64Array.from(initial.w)),
      b: denseTensor([4], Float64Array.from(initial.b)),
    };
    for (let step = 0; step < steps; step++) {
      const gradients = [gradientAt(step, 6, 0), gradientAt(step, 4, 5)];
      const [x = [], y = []] = gradients;
      const inputs = { x: denseTensor([2, 3], Float64Array.from(x)), y: denseTensor([4], Float64Array.from(y)) };
      const result = evaluateEntry(module, "train", { precision: "wide", inputs, state, step });
      state = result.state;
      for (const [i, g] of clipped(gradients, maxNorm).entries()) advance(parameters[i]!, g, step + 1);
      for (const [i, name] of ["w", "b"].entries()) {
        const actual = contiguous(state[name]!);
        for (const [k, expected] of parameters[i]!.value.entries())
          expect(Math.abs((actual[k] ?? Number.NaN) - expected), `${name}[${k}] after step ${step}`).toBeLessThan(1e-13);
      }
      const norm = Math.sqrt(gradients.flat().reduce((sum, g) => sum + g * g, 0));
      expect(Math.abs((contiguous(result.outputs["grad_norm"]!)[0] ?? Number.NaN) - norm)).toBeLessThan(1e-12);
    }
  });
});
