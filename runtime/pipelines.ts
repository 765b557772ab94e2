// Compute pipelines: made asynchronously, once a device for each kernel text; a kernel that does not compile is an error with its line.
import type { Device } from "./device.ts";
import { sleepUntil } from "./wait.ts";

/** What a kernel is to the driver. */
export interface KernelSource {
  /** For messages: the kernel's path in the artifact. */
  readonly file: string;
  readonly code: string;
  readonly bindings: number;
  readonly immediates: number;
  /** For messages: what the kernel computes, and where in the model's source that stands. */
  readonly serves: string;
}

/** A kernel that the driver refuses: a bug in code generation, so no diagnostic. */
export class KernelError extends Error {
  readonly file: string;
  /** 1-based line of the WGSL text, or undefined where the driver names none. */
  readonly line: number | undefined;

  constructor(source: KernelSource, line: number | undefined, message: string) {
    const text = line === undefined ? undefined : source.code.split("\n")[line - 1];
    const place = line === undefined ? source.file : `${source.file}:${line}`;
    super(
      [`kernel ${place}: ${message}`, ...(text === undefined ? [] : [`  ${line} | ${text}`]), `  it computes ${source.serves}`].join("\n"),
    );
    this.name = "KernelError";
    this.file = source.file;
    this.line = line;
  }
}

/** The pipelines of one device, by kernel text. */
export class Pipelines {
  readonly #device: Device;
  readonly #ready = new Map<string, Promise<GPUComputePipeline>>();
  readonly #groups = new Map<number, GPUBindGroupLayout>();

  private constructor(device: Device) {
    this.#device = device;
  }

  /** The device's own; sessions share it. */
  static of(device: Device): Pipelines {
    const known = perDevice.get(device) ?? new Pipelines(device);
    perDevice.set(device, known);
    return known;
  }

  /** The pipeline of a kernel. The driver may still translate it at its first dispatch: warm it before measuring. Throws a {@link KernelError}. */
  get(source: KernelSource): Promise<GPUComputePipeline> {
    const key = `${source.bindings} ${source.immediates}\n${source.code}`;
    const known = this.#ready.get(key);
    if (known !== undefined) return known;
    const made = this.#make(source);
    this.#ready.set(key, made);
    // A failure is told once to whoever asked; asking again tries again.
    made.catch(() => this.#ready.delete(key));
    return made;
  }

  /** Group 0: so many storage buffers, all `read_write`. Equal layouts are one object, so bind groups fit every pipeline of that many bindings. */
  groupLayout(bindings: number): GPUBindGroupLayout {
    const known = this.#groups.get(bindings);
    if (known !== undefined) return known;
    const visibility = this.#device.shaderStage.COMPUTE;
    const layout = this.#device.gpu.createBindGroupLayout({
      entries: Array.from({ length: bindings }, (_, binding) => ({ binding, visibility, buffer: { type: "storage" as const } })),
    });
    this.#groups.set(bindings, layout);
    return layout;
  }

  async #make(source: KernelSource): Promise<GPUComputePipeline> {
    const { gpu, languageFeatures, adapter } = this.#device;
    if (source.immediates > 0 && !languageFeatures.has("immediate_address_space")) {
      throw new KernelError(source, undefined, `${adapter.name}'s WebGPU has no immediates, which the kernel uses`);
    }
    const layout = gpu.createPipelineLayout({
      bindGroupLayouts: [this.groupLayout(source.bindings)],
      immediateSize: source.immediates * 4,
    });
    // The scope takes the module's error, which the pipeline's rejection repeats without its line.
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ label: source.file, code: source.code });
    const refusal = gpu.popErrorScope();
    try {
      const pipeline = await sleepUntil(
        gpu.createComputePipelineAsync({ label: source.file, layout, compute: { module, entryPoint: "main" } }),
      );
      await refusal;
      return pipeline;
    } catch (problem) {
      const { messages } = await sleepUntil(module.getCompilationInfo());
      const first = messages.find(({ type }) => type === "error");
      if (first !== undefined) throw new KernelError(source, first.lineNum > 0 ? first.lineNum : undefined, first.message);
      throw new KernelError(source, undefined, problem instanceof Error ? problem.message : String(problem));
    }
  }
}

const perDevice = new WeakMap<Device, Pipelines>();
