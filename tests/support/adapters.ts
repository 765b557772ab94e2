// The adapters that GPU tests run on: every one present, named aloud; never silently none.
import { type AdapterChoice, type AdapterDescription, Device, type DeviceOptions, describeAdapter } from "../../runtime/device.ts";

export interface TestAdapter {
  /** `SwiftShader`, `lavapipe`, or the name of the hardware. */
  readonly name: string;
  readonly description: AdapterDescription;
  /** A new device on this adapter; the test disposes it (`using device = await adapter.open()`, or `device.dispose()` in afterAll). */
  open(options?: Omit<DeviceOptions, "adapter">): Promise<Device>;
}

/**
 * Every adapter of this machine: SwiftShader from npm always, lavapipe where installed (an error where not and CI=true), hardware where there is any.
 * Use: `for (const adapter of await availableAdapters()) describe(adapter.name, () => { ... })`.
 */
export function availableAdapters(): Promise<readonly TestAdapter[]> {
  found ??= find();
  return found;
}

let found: Promise<readonly TestAdapter[]> | undefined;

async function find(): Promise<readonly TestAdapter[]> {
  const adapters: TestAdapter[] = [];
  const missing: string[] = [];
  for (const adapter of ["swiftshader", "lavapipe", "hardware"] satisfies AdapterChoice[]) {
    const description = await describeAdapter({ adapter });
    if ("missing" in description) missing.push(`${adapter}: ${description.missing}`);
    else adapters.push({ name: description.name, description, open: (options = {}) => Device.open({ ...options, adapter }) });
  }
  const has = (adapterClass: string) => adapters.some(({ description }) => description.adapterClass === adapterClass);
  process.stderr.write(`GPU tests run on: ${adapters.map(({ name }) => name).join(", ") || "nothing"}\n`);
  if (!has("swiftshader") && process.platform === "linux" && process.arch === "x64")
    throw new Error(`SwiftShader from npm must come up here; ${missing.join("; ")}`);
  if (adapters.length === 0) throw new Error(`no adapter for GPU tests: ${missing.join("; ")}`);
  if (!has("lavapipe")) {
    if (process.env["CI"] === "true") throw new Error(`lavapipe is missing, and CI=true; ${missing.join("; ")}`);
    process.stderr.write("GPU tests SKIPPED on lavapipe: not installed (Debian: apt-get install libvulkan1 mesa-vulkan-drivers)\n");
  }
  return adapters;
}
