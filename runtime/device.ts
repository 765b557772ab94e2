// The GPU device: choice of adapter, features and limits, errors, loss, disposal. The only file that imports `webgpu`.
import { constants } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { SubgroupPath } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { findSwiftShader } from "./swiftshader.ts";
import { sleepUntil } from "./wait.ts";

/**
 * Which adapter to use.
 * - `auto`: the system's best adapter; where it has none, SwiftShader from npm.
 * - `hardware`: the system's best adapter, refused where that is a software rasterizer.
 * - `lavapipe`: Mesa's software adapter. - `swiftshader`: the one from npm, whatever the system has.
 */
export const adapterChoices = ["auto", "hardware", "lavapipe", "swiftshader"] as const;
export type AdapterChoice = (typeof adapterChoices)[number];

export interface DeviceOptions {
  readonly adapter?: AdapterChoice;
  /** Where SwiftShader is unpacked; default `~/.cache/bitloom`. */
  readonly cacheFolder?: string;
  /** Use only this path of subgroups, where the adapter has it (tests and measurements); default: every path that the probe finds right. */
  readonly subgroups?: SubgroupPath;
  /** Features to leave out although the adapter has them (tests of the kernels without them). */
  readonly withoutFeatures?: readonly string[];
}

/** What an adapter is and can do. Sizes in bytes where the WebGPU limit of that name is. */
export interface AdapterDescription {
  /** `lavapipe`, `SwiftShader`, or what the driver calls the device. */
  readonly name: string;
  readonly vendor: string;
  /** Driver and version, as the driver describes itself. */
  readonly driver: string;
  /** Which table of default schedules applies. */
  readonly adapterClass: "lavapipe" | "swiftshader" | "gpu";
  /** True where no GPU computes but the CPU. */
  readonly isSoftware: boolean;
  /** 0 where the adapter does not say. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  /** The features that the device has enabled, of those that kernels may use. */
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/** A map of a lost device's buffer may fail before the loss is told. */
const lossIsToldWithinMs = 200;

const usedFeatures: readonly GPUFeatureName[] = ["subgroups", "subgroup-size-control", "shader-f16", "timestamp-query"];
const usedLimits = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "maxImmediateSize",
  "minStorageBufferOffsetAlignment",
] as const;

/** The adapter that a choice leads to, without making a device; a refusal says why there is none. Used by `doctor` and by tests. */
export async function describeAdapter(options: DeviceOptions = {}): Promise<AdapterDescription | { readonly missing: string }> {
  const found = await findAdapter(options.adapter ?? "auto", options.cacheFolder);
  return "missing" in found ? found : describe(found.adapter, featuresOf(found.adapter, options));
}

/** WebGPU as a browser has it: an instance, and the constants that scripts find as globals. */
export interface WebGpu {
  readonly instance: GPU;
  readonly globals: object;
  readonly adapter: AdapterDescription;
}

/**
 * The instance whose first adapter is the chosen one, for libraries that look for `navigator.gpu` themselves: benchmarks give it to peers, so
 * that they run on the very Dawn and the very adapter that we run on. A refusal says why there is none.
 */
export async function findWebGpu(options: DeviceOptions = {}): Promise<WebGpu | { readonly missing: string }> {
  const found = await findAdapter(options.adapter ?? "auto", options.cacheFolder);
  if ("missing" in found) return found;
  return { instance: found.instance, globals: found.globals, adapter: describe(found.adapter, featuresOf(found.adapter, options)) };
}

/** An open device. Call {@link dispose} at the end, which frees its memory. */
export class Device {
  readonly gpu: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly bufferUsage: typeof GPUBufferUsage;
  readonly mapMode: typeof GPUMapMode;
  readonly shaderStage: typeof GPUShaderStage;
  /** WGSL language features of the implementation (`immediate_address_space`, ...). */
  readonly languageFeatures: ReadonlySet<string>;
  /** The one subgroup path to use, or undefined for every path that is right on this adapter. */
  readonly onlySubgroups: SubgroupPath | undefined;
  #disposed = false;
  #lost: string | undefined;
  readonly #uncaptured: string[] = [];

  private constructor(found: Found, gpu: GPUDevice, options: DeviceOptions) {
    this.gpu = gpu;
    this.adapter = describe(found.adapter, featuresOf(found.adapter, options));
    this.bufferUsage = found.globals.GPUBufferUsage;
    this.mapMode = found.globals.GPUMapMode;
    this.shaderStage = found.globals.GPUShaderStage;
    this.languageFeatures = found.instance.wgslLanguageFeatures;
    this.onlySubgroups = options.subgroups;
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      if (this.#uncaptured.length < 10) this.#uncaptured.push(event.error.message);
    });
    void gpu.lost.then(({ reason, message }) => {
      if (!this.isDisposed) this.#lost = `${reason}: ${message}`;
    });
  }

  /** Open an adapter as chosen. Throws a DiagnosticError `no-adapter` that says what to install where there is none. */
  static async open(options: DeviceOptions = {}): Promise<Device> {
    const choice = options.adapter ?? "auto";
    const found = await findAdapter(choice, options.cacheFolder);
    if ("missing" in found) throw new DiagnosticError([noAdapter(choice, found.missing)]);
    const requiredLimits: Record<string, number> = {};
    for (const name of usedLimits) requiredLimits[name] = found.adapter.limits[name] ?? 0;
    const gpu = await found.adapter.requestDevice({ requiredFeatures: featuresOf(found.adapter, options), requiredLimits });
    return new Device(found, gpu, options);
  }

  /** Throws where the device was lost, disposed, or reported an error since the last call. Cheap: call it once a step. */
  assertHealthy(): void {
    if (this.isDisposed) throw new Error("the device was disposed");
    if (this.#lost !== undefined) {
      throw new DiagnosticError([
        error("device-lost", `the GPU device was lost (${this.#lost})`, undefined, "", [
          "open a new device and resume from the last checkpoint",
        ]),
      ]);
    }
    const problems = this.#uncaptured.splice(0);
    if (problems.length > 0) throw new Error(`the GPU refused a command: ${problems.join("\n")}`);
  }

  /** After something failed on the GPU: throws what is known of the reason, and gives a loss that is under way a moment to be told. */
  async explainFailure(): Promise<void> {
    await Promise.race([this.gpu.lost, setTimeout(lossIsToldWithinMs)]);
    this.assertHealthy();
  }

  /**
   * Run `body` and wait for the GPU's verdict on it. A refusal is a bug of ours and throws an Error that begins with `what`;
   * too little memory throws a DiagnosticError `out-of-memory`.
   */
  async checked<T>(what: string, body: () => T | Promise<T>): Promise<T> {
    const filters = ["internal", "out-of-memory", "validation"] as const;
    for (const filter of filters) this.gpu.pushErrorScope(filter);
    let value: T | undefined;
    let thrown: unknown;
    let failed = false;
    try {
      value = await body();
    } catch (problem) {
      failed = true;
      thrown = problem;
    }
    const [validation, memory, internal] = await sleepUntil(Promise.all(filters.map(() => this.gpu.popErrorScope())));
    if (memory) throw new DiagnosticError([error("out-of-memory", `${what}: the adapter is out of memory (${memory.message})`)]);
    const refusal = validation ?? internal;
    if (refusal) throw new Error(`${what}: ${refusal.message}`, failed ? { cause: thrown } : {});
    if (failed) throw thrown;
    return value as T;
  }

  /** Wait until everything submitted so far is done, sleeping. */
  async idle(): Promise<void> {
    await sleepUntil(this.gpu.queue.onSubmittedWorkDone());
    this.assertHealthy();
  }

  get isDisposed(): boolean {
    return this.#disposed;
  }

  /** Free the device and everything on it. The process can exit by itself then, and does so too where a device is left to it. Idempotent. */
  dispose(): void {
    if (this.isDisposed) return;
    // Before destroy: the loss that follows from it is no error.
    this.#disposed = true;
    this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

interface Globals {
  readonly GPUBufferUsage: typeof GPUBufferUsage;
  readonly GPUMapMode: typeof GPUMapMode;
  readonly GPUShaderStage: typeof GPUShaderStage;
}

interface Found {
  readonly instance: GPU;
  readonly adapter: GPUAdapter;
  readonly globals: Globals;
}

function noAdapter(choice: AdapterChoice, reason: string) {
  const help =
    choice === "hardware"
      ? ["`--adapter auto` takes a software adapter where there is no hardware"]
      : choice === "lavapipe"
        ? ["install Mesa's drivers (Debian: `apt-get install libvulkan1 mesa-vulkan-drivers`)"]
        : [
            "install a Vulkan driver (Debian: `apt-get install libvulkan1 mesa-vulkan-drivers`), or the npm package @sparticuz/chromium@147.0.0",
          ];
  return error("no-adapter", `no GPU adapter for \`${choice}\`: ${reason}`, undefined, "", help);
}

function featuresOf(adapter: GPUAdapter, options: DeviceOptions): GPUFeatureName[] {
  const without = new Set(options.withoutFeatures ?? []);
  if (options.subgroups === "none" || without.has("subgroups"))
    for (const name of ["subgroups", "subgroup-size-control"]) without.add(name);
  return usedFeatures.filter((name) => adapter.features.has(name) && !without.has(name));
}

function describe(adapter: GPUAdapter, features: readonly string[]): AdapterDescription {
  const { info } = adapter;
  const adapterClass = info.device.startsWith("llvmpipe") ? "lavapipe" : info.device.startsWith("swiftshader") ? "swiftshader" : "gpu";
  const limits: Record<string, number> = {};
  for (const name of usedLimits) limits[name] = adapter.limits[name] ?? 0;
  return {
    name: { lavapipe: "lavapipe", swiftshader: "SwiftShader", gpu: info.device || info.description || info.architecture || info.vendor }[
      adapterClass
    ],
    vendor: info.vendor,
    driver: info.description,
    adapterClass,
    isSoftware: info.isFallbackAdapter || adapterClass !== "gpu",
    subgroupMinSize: info.subgroupMinSize ?? 0,
    subgroupMaxSize: info.subgroupMaxSize ?? 0,
    features,
    limits,
  };
}

// Bringing an adapter up changes what the Vulkan loader sees of the environment for a moment: one at a time in a process.
let queue: Promise<unknown> = Promise.resolve();

function findAdapter(choice: AdapterChoice, cacheFolder: string | undefined): Promise<Found | { readonly missing: string }> {
  const found = queue.then(() => bringUp(choice, cacheFolder));
  queue = found.catch(() => undefined);
  return found;
}

async function bringUp(choice: AdapterChoice, cacheFolder: string | undefined): Promise<Found | { readonly missing: string }> {
  switch (choice) {
    case "auto": {
      // Without a Vulkan loader Dawn would print a warning about it: look first.
      const system = hasSystemLoader() ? await request([]) : undefined;
      if (system !== undefined) return system;
      const software = await bringUpSwiftShader(cacheFolder);
      return "missing" in software ? { missing: `the system has none, and ${software.missing}` } : software;
    }
    case "hardware": {
      const system = hasSystemLoader() ? await request([]) : undefined;
      if (system === undefined) return { missing: "the system has no adapter" };
      const { name, isSoftware } = describe(system.adapter, []);
      return isSoftware ? { missing: `the system has only ${name}, which is software` } : system;
    }
    case "lavapipe":
      return (hasSystemLoader() ? await request(["adapter=llvmpipe"]) : undefined) ?? { missing: "the system's Vulkan has no lavapipe" };
    case "swiftshader":
      return bringUpSwiftShader(cacheFolder);
    default:
      return choice satisfies never;
  }
}

async function bringUpSwiftShader(cacheFolder: string | undefined): Promise<Found | { readonly missing: string }> {
  const files = await findSwiftShader(cacheFolder);
  if ("missing" in files) return files;
  // VK_ICD_FILENAMES is what loaders before 1.3.207 read.
  return withEnvironment({ VK_DRIVER_FILES: files.driverFile, VK_ICD_FILENAMES: files.driverFile }, async () => {
    const bySystemLoader = hasSystemLoader() ? await request([], files.driverFile) : undefined;
    if (bySystemLoader !== undefined) return bySystemLoader;
    // Dawn asks the dynamic linker for libvulkan.so.1 by name and so gets the one that is loaded already. It needs a new instance for that.
    const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
    tryLoad(files.loaderFile, RTLD_NOW | RTLD_GLOBAL | keepLoaded);
    return (await request([], `${files.loaderFile} ${files.driverFile}`)) ?? { missing: `SwiftShader does not load (${files.driverFile})` };
  });
}

/** RTLD_NODELETE of Linux: Node closes a library again that is no addon. */
const keepLoaded = 0x1000;

/** Whether a library can be loaded. Node then complains that it is no addon: expected. */
function tryLoad(library: string, flags: number): boolean {
  try {
    process.dlopen({ exports: {} }, library, flags);
    return true;
  } catch (problem) {
    return problem instanceof Error && problem.message.includes("did not self-register");
  }
}

/** On Linux Dawn needs a Vulkan loader; on other systems it has Metal and Direct3D. */
const hasSystemLoader = (): boolean => process.platform !== "linux" || tryLoad("libvulkan.so.1", constants.dlopen.RTLD_LAZY);

// A GPU instance that the garbage collector takes while events of it are scheduled crashes the process (Dawn's Node binding 0.6.2 calls into the
// freed instance), and there is no way to tell when none are. So instances live as long as the process; it exits nevertheless. Devices share them.
const instances = new Map<string, GPU>();

/** An adapter of the instance that `flags` and, for Vulkan, `drivers` stand for. */
async function request(flags: string[], drivers = "system"): Promise<Found | undefined> {
  const webgpu = await import("webgpu");
  const key = [...flags, drivers].join(" ");
  const instance = instances.get(key) ?? webgpu.create(flags);
  instances.set(key, instance);
  try {
    // The Vulkan instance is made at the first request, and reads the environment then.
    const adapter = await instance.requestAdapter({ powerPreference: "high-performance" });
    return adapter === null ? undefined : { instance, adapter, globals: webgpu.globals as Globals };
  } catch (problem) {
    // What `adapter=NAME` says where nothing has that name.
    if (problem instanceof Error && problem.message.includes("no suitable backends")) return undefined;
    throw problem;
  }
}

async function withEnvironment<T>(variables: Readonly<Record<string, string>>, body: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}
