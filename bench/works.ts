// The works: what each subject does the same, and which subjects do it.
import { type Subject, subjects as s } from "./subject.ts";

export interface Work {
  readonly name: string;
  readonly summary: string;
  /** The first one is what the others are compared with. */
  readonly subjects: readonly Subject[];
  /** Trained numbers; a subject with another count does another work. */
  readonly parameters?: number;
  /**
   * A new process for every round, whose first run is what counts: start-up, compilation included. `cold`: no shader cache;
   * `warm`: a cache that a run before has filled.
   */
  readonly fresh?: "cold" | "warm";
  /** What a subject's process does, where it is not the work's own name. */
  readonly task?: string;
}

const gptParameters = 875_264;
const mlpParameters = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10;

export const works: readonly Work[] = [
  {
    name: "matmul",
    summary: "f32 contraction 1024x256x768: one operand from the host, the other on the device, the result back on the host",
    subjects: [s.bitloom, s.jax, s.tfjs, s.onnx, s.jaxCpu, s.onnxCpu, s.torchCpu],
  },
  {
    name: "matmul4",
    summary:
      "4-bit contraction 1024x256x768 from f32 to f32 on the host: 4-bit activations with rotation and rounding (bitloom), int8 or float ones (onnxruntime)",
    subjects: [s.bitloomW4A4, s.onnxInt8, s.onnxFloat, s.onnxCpu],
  },
  {
    name: "mlp",
    summary: "training step of 784-512-512-10, batch 256, Adam, loss read back",
    subjects: [s.bitloom, s.jax, s.tfjs, s.jaxCpu, s.torchCpu],
    parameters: mlpParameters,
  },
  {
    name: "mlp-qat",
    summary:
      "the same with 4-bit weights and activations: rotation in blocks of 16, a scale a row, gradients where the rounding is trusted",
    subjects: [s.bitloomW4A4, s.bitloom, s.jax, s.jaxCpu, s.torchCpu],
    parameters: mlpParameters,
  },
  {
    name: "gpt",
    summary: "training step of a GPT, 4 layers of 128, batch 8 x 128 tokens, AdamW, loss read back",
    subjects: [s.bitloom, s.bitloomW4A4, s.bitloomW1A1, s.jax, s.tfjs, s.jaxCpu, s.torchCpu],
    parameters: gptParameters,
  },
  {
    name: "gpt-first-cold",
    summary: "the first training step of that GPT in a new process, compilation included, without a shader cache",
    subjects: [s.bitloom, s.bitloomW4A4, s.jax, s.tfjs],
    parameters: gptParameters,
    fresh: "cold",
    task: "gpt",
  },
  {
    name: "gpt-first-warm",
    summary: "the same with a shader cache that a run before has filled",
    subjects: [s.bitloom, s.bitloomW4A4, s.jax, s.tfjs],
    parameters: gptParameters,
    fresh: "warm",
    task: "gpt",
  },
  {
    name: "remat",
    summary: "training step of models/llama.loom's `tiny`, 8 x 128 tokens, as it is planned and under `remat auto` at half of that peak",
    subjects: [s.bitloomW4A4, s.bitloomHalfPeak],
  },
];
