// A hand-written artifact: fits labels by a linear model of four inputs with SGD and momentum. Exercises the runtime without the compiler.
import type { ArtifactManifest, CompiledArtifact, TargetRecord } from "../../ir/artifact.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";

const inputsPerExample = 4;
export const batchSize = 8;
export const learningRate = 0.05;
export const momentum = 0.5;

/** Residuals of a batch: prediction minus label, 0 for absent examples (label -1). Sizes come as immediates. */
const residualKernel = `requires immediate_address_space;
struct Sizes { examples: u32, inputs: u32 }
var<immediate> sizes: Sizes;
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> label: array<i32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> residual: array<f32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= sizes.examples) { return; }
  var sum = 0.0;
  for (var i = 0u; i < sizes.inputs; i++) { sum += x[id.x * sizes.inputs + i] * w[i]; }
  residual[id.x] = select(sum - f32(label[id.x]), 0.0, label[id.x] < 0);
}
`;

/** Mean squared residual, its gradient's norm, and the update of weight and momentum unless the loss is not finite. */
const updateKernel = `requires immediate_address_space;
struct Sizes { examples: u32, inputs: u32, momentum: f32 }
var<immediate> sizes: Sizes;
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> residual: array<f32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<storage, read_write> lr: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> norm: array<f32>;
@group(0) @binding(6) var<storage, read_write> ok: array<u32>;
const momentumAt = 64u;
@compute @workgroup_size(1)
fn main() {
  let n = f32(sizes.examples);
  var sum = 0.0;
  for (var e = 0u; e < sizes.examples; e++) { sum += residual[e] * residual[e] / n; }
  let finite = (bitcast<u32>(sum) & 0x7f800000u) != 0x7f800000u;
  var squares = 0.0;
  for (var i = 0u; i < sizes.inputs; i++) {
    var gradient = 0.0;
    for (var e = 0u; e < sizes.examples; e++) { gradient += 2.0 * residual[e] * x[e * sizes.inputs + i] / n; }
    squares += gradient * gradient;
    let m = sizes.momentum * state[momentumAt + i] + gradient;
    if (finite) {
      state[momentumAt + i] = m;
      state[i] -= lr[0] * m;
    }
  }
  loss[0] = sum;
  norm[0] = sqrt(squares);
  ok[0] = u32(finite);
}
`;

const scoreKernel = `requires immediate_address_space;
struct Sizes { examples: u32 }
var<immediate> sizes: Sizes;
@group(0) @binding(0) var<storage, read_write> label: array<i32>;
@group(0) @binding(1) var<storage, read_write> residual: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> correct: array<i32>;
@group(0) @binding(4) var<storage, read_write> targets: array<i32>;
@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  var hits = 0;
  var count = 0;
  for (var e = 0u; e < sizes.examples; e++) {
    if (label[e] < 0) { continue; }
    sum += residual[e] * residual[e];
    hits += select(0, 1, abs(residual[e]) < 0.5);
    count++;
  }
  loss[0] = sum;
  correct[0] = hits;
  targets[0] = count;
}
`;

const bits = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;

const portable: TargetRecord = {
  name: "portable",
  requires: { features: [], limits: { maxStorageBuffersPerShaderStage: 8 } },
  slabs: [
    { name: "parameters", bytes: 512 },
    { name: "arena.0", bytes: 4096 },
  ],
  kernels: [
    { file: "kernels/residual.wgsl", workgroup: [4, 1, 1], bindings: 4, immediates: 2 },
    { file: "kernels/update.wgsl", workgroup: [1, 1, 1], bindings: 7, immediates: 3 },
    { file: "kernels/score.wgsl", workgroup: [1, 1, 1], bindings: 5, immediates: 1 },
  ],
  entries: {
    train: {
      inputs: { x: ["arena.0", 0, 128], label: ["arena.0", 256, 32], lr: ["arena.0", 512, 16] },
      outputs: { loss: ["arena.0", 1024, 16], grad_norm: ["arena.0", 1280, 16], ok: ["arena.0", 1536, 16] },
    },
    eval: {
      inputs: { x: ["arena.0", 0, 128], label: ["arena.0", 256, 32] },
      outputs: { loss_sum: ["arena.0", 1024, 16], correct: ["arena.0", 1280, 16], targets: ["arena.0", 1536, 16] },
    },
  },
  dispatches: {
    train: [
      {
        kernel: 0,
        bind: [
          ["arena.0", 0, 128],
          ["arena.0", 256, 32],
          ["parameters", 0, 16],
          ["arena.0", 768, 32],
        ],
        immediates: [batchSize, inputsPerExample],
        groups: [2, 1, 1],
        serves: ["%residual"],
      },
      {
        kernel: 1,
        bind: [
          ["arena.0", 0, 128],
          ["arena.0", 768, 32],
          ["parameters", 0, 512],
          ["arena.0", 512, 16],
          ["arena.0", 1024, 16],
          ["arena.0", 1280, 16],
          ["arena.0", 1536, 16],
        ],
        immediates: [batchSize, inputsPerExample, bits(momentum)],
        groups: [1, 1, 1],
        serves: ["%loss", "%w1"],
        at: "line.loom:3:5",
      },
    ],
    eval: [
      {
        kernel: 0,
        bind: [
          ["arena.0", 0, 128],
          ["arena.0", 256, 32],
          ["parameters", 0, 16],
          ["arena.0", 768, 32],
        ],
        immediates: [batchSize, inputsPerExample],
        groups: [2, 1, 1],
        serves: ["%residual"],
      },
      {
        kernel: 2,
        bind: [
          ["arena.0", 256, 32],
          ["arena.0", 768, 32],
          ["arena.0", 1024, 16],
          ["arena.0", 1280, 16],
          ["arena.0", 1536, 16],
        ],
        immediates: [batchSize],
        groups: [1, 1, 1],
        serves: ["%loss_sum"],
      },
    ],
  },
  constants: [],
};

/** A target that no adapter meets, so that the choice must go on to the next. */
const impossible: TargetRecord = { ...portable, name: "sg1024", requires: { features: ["subgroups"], subgroupSize: 1024, limits: {} } };

const data = [
  { name: "x", type: `f32[${batchSize}, ${inputsPerExample}]`, source: "data" as const },
  { name: "label", type: `i32[${batchSize}]`, source: "data" as const },
];

const manifest: ArtifactManifest = {
  format: "bitloom-artifact",
  version: 1,
  model: "Line(inputs = 4)",
  policy: "float",
  recipe: "line",
  sources: {},
  state: [
    {
      name: "w",
      type: `f32[${inputsPerExample}]`,
      role: "parameter",
      init: { normal: [0, 0.1] },
      decay: false,
      slab: "parameters",
      offset: 0,
      bytes: 16,
      tied: [],
    },
    {
      name: "w#sgd.m",
      type: `f32[${inputsPerExample}]`,
      role: "optimizer",
      init: "zeros",
      decay: false,
      slab: "parameters",
      offset: 256,
      bytes: 16,
      tied: [],
    },
  ],
  host: { lr: { constant: { value: learningRate } } },
  entries: {
    train: {
      inputs: [...data, { name: "lr", type: "f32[]", source: "host" }],
      outputs: [
        { name: "loss", type: "f32[]" },
        { name: "grad_norm", type: "f32[]" },
        { name: "ok", type: "u32[]" },
      ],
      updates: ["w", "w#sgd.m"],
    },
    eval: {
      inputs: data,
      outputs: [
        { name: "loss_sum", type: "f32[]" },
        { name: "correct", type: "i32[]" },
        { name: "targets", type: "i32[]" },
      ],
      updates: [],
    },
  },
  run: {
    steps: 300,
    data: { source: "line", args: [], named: {}, arrays: ["x", "label"] },
    evaluate: { everySteps: 100, metrics: [{ metric: "loss" }, { metric: "accuracy" }] },
    checkpoint: { everySteps: 100 },
  },
  targets: [impossible, portable],
  schedules: "sha256-none",
};

/** The artifact; `change` gives a variant of its manifest. */
export function lineArtifact(change: Partial<ArtifactManifest> = {}): CompiledArtifact {
  return {
    manifest: { ...manifest, ...change },
    files: new Map([
      ["kernels/residual.wgsl", residualKernel],
      ["kernels/update.wgsl", updateKernel],
      ["kernels/score.wgsl", scoreKernel],
    ]),
  };
}

export const trueWeights = [1, 2, 3, 4] as const;

/** Sixteen inputs of zeros and ones in turn; labels follow `trueWeights` exactly. 40 examples train, 20 (no multiple of the batch) are held out. */
export function lineDataset(): Dataset {
  const bit = (example: number, i: number) => ((example * 7 + 3) >> i) & 1;
  return {
    fields: [
      { scalar: "f32", shape: [inputsPerExample], padding: 0 },
      { scalar: "i32", shape: [], padding: -1 },
    ],
    unit: "example",
    unitsPerExample: 1,
    count: (split) => (split === "training" ? 40 : 20),
    copy(split, example, field, out, at) {
      const e = split === "training" ? example : example + 40;
      if (field === 0) for (let i = 0; i < inputsPerExample; i++) out[at + i] = bit(e, i);
      else out[at] = trueWeights.reduce<number>((sum, w, i) => sum + w * bit(e, i), 0);
    },
  };
}
