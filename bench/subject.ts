// What a subject is: one library that does a work, on one kind of device, in a process of its own.
import type { AdapterChoice } from "../runtime/index.ts";

export type Library = "bitloom" | "jax-js" | "tfjs" | "onnxruntime" | "torch";

export interface Subject {
  /** As tables and `--json` call it. */
  readonly name: string;
  readonly library: Library;
  /** Which of the library's ways: a policy of ours, a backend, an accuracy level. */
  readonly variant: string;
  /** `webgpu`: on the session's adapter. `cpu`: native code, for an honest comparison on a machine without a GPU. */
  readonly device: "webgpu" | "cpu";
}

/** A work made ready in the subject's process: device open, data there, nothing compiled. */
export interface Prepared {
  /** What computes. */
  readonly adapter: string;
  /** Known after the first run. */
  readonly parameters?: () => number;
  /** One run, its result on the host at the end; the first one compiles. Answers the loss where the work has one. */
  run(): Promise<number | undefined>;
}

export interface Assignment {
  readonly work: string;
  readonly variant: string;
  readonly adapter: AdapterChoice;
}

/** A library's own part: what each `bench/subjects/*.ts` exports. */
export type Prepare = (assignment: Assignment) => Promise<Prepared>;

const bitloom = (name: string, variant: string): Subject => ({ name, library: "bitloom", variant, device: "webgpu" });
const onWebGpu = (library: Library, variant = "webgpu"): Subject => ({
  name: variant === "webgpu" ? library : `${library} ${variant}`,
  library,
  variant,
  device: "webgpu",
});
const onCpu = (library: Library, variant: string): Subject => ({ name: `${library} ${variant}`, library, variant, device: "cpu" });

export const subjects = {
  bitloom: bitloom("bitloom", "float"),
  bitloomW4A4: bitloom("bitloom quest_w4a4", "quest_w4a4"),
  bitloomW1A1: bitloom("bitloom quest_w1a1", "quest_w1a1"),
  /** The plan computes values again instead of keeping them, so that its peak is half of what it would be. */
  bitloomHalfPeak: bitloom("bitloom quest_w4a4, half the peak", "quest_w4a4 half-peak"),
  jax: onWebGpu("jax-js"),
  tfjs: onWebGpu("tfjs"),
  onnx: onWebGpu("onnxruntime"),
  /** MatMulNBits, accuracy level 4: activations become int8. */
  onnxInt8: onWebGpu("onnxruntime", "int8"),
  /** MatMulNBits, accuracy level 0: weights become floats. */
  onnxFloat: onWebGpu("onnxruntime", "float"),
  jaxCpu: onCpu("jax-js", "wasm"),
  onnxCpu: onCpu("onnxruntime", "cpu"),
  torchCpu: onCpu("torch", "cpu"),
} as const satisfies Readonly<Record<string, Subject>>;
