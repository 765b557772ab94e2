// A quantized linear layer with its gradients, as a module that goes through every pass: y = dot(x, w), loss = sum(y * dy).
import type { AttributesOf } from "../../ir/attribute.ts";
import type { Module, Value } from "../../ir/module.ts";
import { mul } from "../../ir/ops/arithmetic.ts";
import { sum } from "../../ir/ops/broadcast.ts";
import { dot } from "../../ir/ops/dot.ts";
import { hadamard } from "../../ir/ops/hadamard.ts";
import { mse } from "../../ir/ops/loss.ts";
import { prune, pruneMask } from "../../ir/ops/prune.ts";
import { quantEncode, quantFake, quantMask, quantScale } from "../../ir/ops/quant.ts";
import { stateRead } from "../../ir/ops/source.ts";
import { newBuilder } from "../../ir/ops/table.ts";
import type { QuantizeChoice } from "../../ir/quant/choice.ts";
import { hasMask, type Outer } from "../../ir/quant/quantizer.ts";
import { quantizerNamed } from "../../ir/quant/table.ts";
import { f32 } from "../../ir/type.ts";
import { emitGradients } from "../../passes/gradient.ts";
import type { PipelineStep } from "../../passes/pass.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runPipeline } from "../../passes/runner.ts";

export interface LinearShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const stepsBetween = (from: string, to: string): readonly PipelineStep[] => {
  const names = pipeline.map((s) => s.pass.name);
  return pipeline.slice(names.indexOf(from), names.indexOf(to) + 1);
};

export function runSteps(module: Module, steps: readonly PipelineStep[]): Module {
  const outcome = runPipeline(module, steps);
  if (outcome.kind === "done") return outcome.module;
  if (outcome.kind === "crashed") throw outcome.crash.error;
  throw new Error(outcome.diagnostics.map((d) => d.message).join("\n"));
}

const noContext = {
  count() {},
  report(problem: { readonly message: string }) {
    throw new Error(problem.message);
  },
};

/**
 * The layer with outputs y, dx, dw and, for each quantized operand, `x_codes`, `x_mask`, `w_codes`, `w_mask`. Both operands are
 * parameters, so that both get gradients; dy is an input of the caller. `operands`: with outputs `x_q` and `w_q` too, what the layer multiplies,
 * which a kernel then stores.
 */
export function quantizedLinear({ m, n, k }: LinearShape, quantize: QuantizeChoice, { operands = false } = {}): Module {
  const b = newBuilder();
  const dy: Value = { hint: "dy", type: f32(m, n) };
  const x = b.emit(stateRead, [], { name: "x", type: f32(m, k) }, { hint: "x" });
  const w = b.emit(stateRead, [], { name: "w", type: f32(n, k) }, { hint: "w" });
  const y = b.emit(dot, [x, w], { contract: [[1], [1]], batch: [[], []] }, { hint: "y", marks: { site: "layer", quantize } });
  const weighted = b.emit(mul, [y, dy]);
  const loss = b.emit(sum, [weighted], { axes: [0, 1] }, { hint: "loss" });
  const state = (name: string, rows: number) => ({ name, type: f32(rows, k), role: "parameter", init: "zeros", decay: false }) as const;
  const surface: Module = {
    form: "surface",
    sources: [],
    host: {},
    ties: [],
    states: [state("x", m), state("w", n)],
    entries: [
      {
        name: "layer",
        inputs: [{ value: dy, origin: "caller" }],
        instructions: b.instructions,
        outputs: [
          { name: "y", value: y },
          { name: "loss", value: loss },
        ],
        updates: [],
      },
    ],
  };
  const quantized = runSteps(surface, stepsBetween("insert-hadamard", "insert-quant"));
  return withGradients(operands ? withOperands(quantized) : quantized);
}

/** The quantizer of the activation side alone: `out` = Q(x) as a contraction would see it, dx of sum(out), and `x_scale`, `x_rotated`. */
export function quantizedSum({ m, k }: LinearShape, quantize: QuantizeChoice): Module {
  const side = quantizerNamed(quantize.scheme).sides(quantize.settings, k).activation;
  if (side === undefined) throw new Error("an activation that is not quantized");
  const { bits, group, outer, block, rotation } = side;
  const rotate = { axis: 1, block };
  const b = newBuilder();
  const x = b.emit(stateRead, [], { name: "x", type: f32(m, k) }, { hint: "x" });
  const rotated = rotation === "none" ? x : b.emit(hadamard, [x], rotate);
  const scale = b.emit(quantScale, [rotated], { scheme: quantize.scheme, bits, group });
  const rounded = b.emit(quantFake, [rotated, scale], { scheme: quantize.scheme, bits, outer });
  const out = rotation === "full" ? b.emit(hadamard, [rounded], rotate) : rounded;
  const loss = b.emit(sum, [out], { axes: [0, 1] }, { hint: "loss" });
  const outputs = { out, loss, x_scale: scale, x_rotated: rotated };
  return withGradients({
    form: "quantized",
    sources: [],
    host: {},
    ties: [],
    states: [{ name: "x", type: f32(m, k), role: "parameter", init: "zeros", decay: false }],
    entries: [
      {
        name: "layer",
        inputs: [],
        instructions: b.instructions,
        outputs: Object.entries(outputs).map(([name, value]) => ({ name, value })),
        updates: [],
      },
    ],
  });
}

/** A quantized linear layer under mean squared error and plain gradient descent: entry `train`, inputs x and target, state w. */
export function sgdTraining({ m, n, k }: LinearShape, quantize: QuantizeChoice, rate: number): Module {
  const b = newBuilder();
  const x: Value = { hint: "x", type: f32(m, k) };
  const target: Value = { hint: "target", type: f32(m, n) };
  const w = b.emit(stateRead, [], { name: "w", type: f32(n, k) }, { hint: "w" });
  const y = b.emit(dot, [x, w], { contract: [[1], [1]], batch: [[], []] }, { hint: "y", marks: { site: "layer", quantize } });
  const loss = b.emit(mse, [y, target], {}, { hint: "loss" });
  return {
    form: "surface",
    sources: [],
    host: { lr: { constant: { value: rate } } },
    ties: [],
    training: { optimizer: { kind: "sgd", momentum: 0, decay: 0 }, learningRate: "lr" },
    states: [{ name: "w", type: f32(n, k), role: "parameter", init: "zeros", decay: false }],
    entries: [
      {
        name: "train",
        inputs: [
          { value: x, origin: { data: "x" } },
          { value: target, origin: { data: "target" } },
        ],
        instructions: b.instructions,
        outputs: [{ name: "loss", value: loss }],
        updates: [],
      },
    ],
  };
}

/** The module with outputs for the gradients of its states, and the codes and mask of each rounded operand. */
function withGradients(quantized: Module): Module {
  const [entry] = quantized.entries;
  const loss: Value | undefined = entry?.outputs.find((o) => o.name === "loss")?.value;
  if (entry === undefined || loss === undefined) throw new Error("no entry with a loss");
  const b = newBuilder();
  b.instructions.push(...entry.instructions);
  const states = quantized.states.map((s) => s.name);
  const gradients = emitGradients(entry, loss, new Set(states), b, noContext);
  const outputs = [...entry.outputs];
  for (const name of states) {
    const gradient = gradients.get(name);
    if (gradient !== undefined) outputs.push({ name: gradientName(name), value: gradient });
  }
  const operandNames = new Map(states.map((s) => [s, s]));
  for (const fake of entry.instructions.filter((i) => i.op.signature.name === "quant.fake")) {
    const [source, scale] = fake.operands;
    if (source === undefined || scale === undefined) throw new Error("quant.fake takes two operands");
    const name = operandNames.get(stateBehind(entry.instructions, source)) ?? "?";
    const { scheme, bits, outer } = fake.attrs as { scheme: string; bits: number; outer: Outer };
    outputs.push({ name: `${name}_codes`, value: b.emit(quantEncode, [source, scale], { scheme, bits, outer }) });
    if (hasMask(outer)) outputs.push({ name: `${name}_mask`, value: b.emit(quantMask, [source, scale], { scheme, bits, outer }) });
  }
  for (const {
    operands: [source],
    attrs,
  } of entry.instructions.filter((i) => i.op.signature.name === prune.name)) {
    if (source === undefined) throw new Error("prune takes an operand");
    const name = operandNames.get(stateBehind(entry.instructions, source)) ?? "?";
    outputs.push({ name: `${name}_mask`, value: b.emit(pruneMask, [source], attrs as AttributesOf<typeof pruneMask.attrs>) });
  }
  return { ...quantized, form: "differentiated", entries: [{ ...entry, instructions: b.instructions, outputs }] };
}

function withOperands(module: Module): Module {
  const [entry] = module.entries;
  const [x, w] = entry?.instructions.find((i) => i.op.signature.name === dot.name)?.operands ?? [];
  if (entry === undefined || x === undefined || w === undefined) throw new Error("no layer");
  const outputs = [...entry.outputs, { name: "x_q", value: x }, { name: "w_q", value: w }];
  return { ...module, entries: [{ ...entry, outputs }] };
}

function stateBehind(instructions: Module["entries"][number]["instructions"], value: Value): string {
  const producer = instructions.find((i) => i.results.includes(value));
  const [operand] = producer?.operands ?? [];
  if (operand !== undefined) return stateBehind(instructions, operand);
  return String(producer?.attrs["name"]);
}

/** The output that is the gradient of a state: `dx`, `dw`, and `dw_step` of `w#step`. */
export const gradientName = (state: string): string => `d${state.replaceAll(/\W/g, "_")}`;

/** What learned scales begin with where nothing is calibrated, by the names of their state. */
export const guessedScales = ({ states }: Module): Readonly<Record<string, Float32Array>> =>
  Object.fromEntries(
    states.flatMap(({ name, init }) => (typeof init === "object" && "constant" in init ? [[name, Float32Array.of(init.constant)]] : [])),
  );

/** The whole pipeline. */
export const trainingKernels = (module: Module): Module => runSteps(module, pipeline);

/** From the differentiated form to numbered kernels. */
export const toKernels = (module: Module): Module => runSteps(module, stepsBetween("lower-quant", "fuse"));
