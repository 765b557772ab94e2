// Bitloom as a subject of its own benchmarks: model files and IR text, through the whole compiler and the runtime, as a user runs them.
import type { CompiledArtifact } from "../../ir/artifact.ts";
import type { Target } from "../../ir/plan.ts";
import { Device, type Inputs, Session } from "../../runtime/index.ts";
import { compileModel, compileText, targetOf } from "../compiled.ts";
import { gptTokens, matmulSize, mlpBatch, normalNumbers } from "../inputs.ts";
import type { Prepare, Prepared } from "../subject.ts";

interface Trained {
  readonly model?: string;
  readonly recipe: string;
  readonly policy: string;
  /** The plan's peak, as a share of what it is without recomputation. */
  readonly peakShare?: number;
}

export const prepare: Prepare = async ({ work, variant, adapter }) => {
  const device = await Device.open({ adapter });
  switch (work) {
    case "matmul":
      return contraction(device, floatText);
    case "matmul4":
      return contraction(device, fourBitText);
    case "mlp":
    case "mlp-qat":
      return trainingStep(device, { recipe: "mlp", policy: variant === "float" ? "float" : "mlp_w4a4" }, mlpBatch());
    case "gpt":
      return trainingStep(device, { recipe: "gpt", policy: variant }, { tokens: gptTokens() });
    case "remat": {
      const [policy = "", halfPeak] = variant.split(" ");
      const tiny = { model: "models/llama.loom", recipe: "tiny", policy, ...(halfPeak === undefined ? {} : { peakShare: 0.5 }) };
      return trainingStep(device, tiny, { tokens: gptTokens() });
    }
    default:
      throw new Error(`bitloom has no part in \`${work}\``);
  }
};

/** The step reads its loss before the next one starts, as the peers' do; `bitloom train` would have two under way. */
function trainingStep(device: Device, trained: Trained, inputs: Inputs): Prepared {
  let session: Session | undefined;
  let step = 0;
  return {
    adapter: device.adapter.name,
    parameters: () =>
      (session?.artifact.manifest.state ?? []).filter(({ role }) => role === "parameter").reduce((sum, { bytes }) => sum + bytes / 4, 0),
    async run() {
      if (session === undefined) {
        session = await Session.open(compileStep(trained, await targetOf(device)), device);
      }
      const { loss } = await session.run("train", inputs, { step: step++ });
      return loss?.[0];
    },
  };
}

function compileStep({ model = "bench/models/peers.loom", recipe, policy, peakShare }: Trained, target: Target): CompiledArtifact {
  const options = { recipe, policy, entries: (name: string) => name === "train" };
  let peak = 0;
  const artifact = compileModel(model, target, {
    ...options,
    summarized({ peakBytes }) {
      peak = peakBytes;
    },
  });
  if (peakShare === undefined) return artifact;
  return compileModel(model, target, { ...options, set: ["remat=auto"], memory: Math.floor(peak * peakShare) });
}

/** Entry `pack` runs once, where there is one: what a model does with its weights before it serves. */
function contraction(device: Device, text: string): Prepared {
  const x = normalNumbers(matmulSize.m * matmulSize.k);
  const y = new Float32Array(matmulSize.m * matmulSize.n);
  let session: Session | undefined;
  return {
    adapter: device.adapter.name,
    async run() {
      if (session === undefined) {
        session = await Session.open(compileText("matmul", text, await targetOf(device)), device);
        if (session.artifact.manifest.entries["pack"] !== undefined) await session.run("pack");
      }
      await session.run("main", { x }, { into: { y } });
      return undefined;
    },
  };
}

const { m, k, n } = matmulSize;

const floatText = `loomir 1
form primitive
state "w": f32[${k}, ${n}] {role = parameter, init = normal(0.0, 1.0), decay = false}

entry @main(%x: f32[${m}, ${k}]) -> (y: f32[${m}, ${n}]) {
  %w: f32[${k}, ${n}] = state.read {name = "w"}
  %y: f32[${m}, ${n}] = dot %x, %w {contract = [[1], [0]], batch = [[], []]}
  return %y
}
`;

/** Weights are packed once; activations are rotated, rounded and packed in every run. */
const fourBitText = `loomir 1
form primitive
state "w": f32[${n}, ${k}] {role = parameter, init = normal(0.0, 1.0), decay = false}
state "w#codes": q4[${n}, ${k}; grid = half] {role = cache, init = zeros, decay = false}
state "w#scale": f32[${n}, 1] {role = cache, init = zeros, decay = false}

entry @pack() -> () {
  %w: f32[${n}, ${k}] = state.read {name = "w"}
  %h: f32[${n}, ${k}] = hadamard %w {axis = 1, block = 128}
  %s: f32[${n}, 1] = quant.scale %h {scheme = quest, bits = 4}
  %c: q4[${n}, ${k}; grid = half] = quant.encode %h, %s {scheme = quest, bits = 4}
  return
  update "w#codes" = %c, "w#scale" = %s
}

entry @main(%x: f32[${m}, ${k}]) -> (y: f32[${m}, ${n}]) {
  %wc: q4[${n}, ${k}; grid = half] = state.read {name = "w#codes"}
  %ws: f32[${n}, 1] = state.read {name = "w#scale"}
  %h: f32[${m}, ${k}] = hadamard %x {axis = 1, block = 128}
  %xs: f32[${m}, 1] = quant.scale %h {scheme = quest, bits = 4}
  %xc: q4[${m}, ${k}; grid = half] = quant.encode %h, %xs {scheme = quest, bits = 4}
  %y: f32[${m}, ${n}] = quant.dot %xc, %xs, %wc, %ws {contract = [[1], [1]], batch = [[], []]}
  return %y
}
`;
