// The device: choice of adapters, the SwiftShader fallback, errors of the GPU, disposal and a clean exit of the process.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DiagnosticError } from "../../ir/diagnostic.ts";
import { Device, describeAdapter } from "../../runtime/device.ts";
import { findSwiftShader } from "../../runtime/swiftshader.ts";
import { availableAdapters } from "../support/adapters.ts";

const deviceModule = join(import.meta.dirname, "../../runtime/device.ts");

/** Run a module text in a process of its own. */
function runModule(text: string, prefix: readonly string[] = [], env: NodeJS.ProcessEnv = process.env) {
  const [command = "", ...args] = [...prefix, process.execPath, "--input-type=module-typescript", "-e", text];
  return spawnSync(command, args, { encoding: "utf8", timeout: 30_000, env });
}

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    it("says what it is", async () => {
      using device = await adapter.open();
      expect(device.adapter).toEqual(adapter.description);
      expect(device.adapter.limits["maxStorageBufferBindingSize"]).toBeGreaterThanOrEqual(2 ** 27);
      expect(device.adapter.limits["maxImmediateSize"]).toBe(64);
      if (device.adapter.features.includes("subgroups")) expect(device.adapter.subgroupMinSize).toBeGreaterThanOrEqual(4);
      expect(device.languageFeatures.has("immediate_address_space")).toBe(true);
    });

    it("leaves out features on request", async () => {
      using plain = await adapter.open({ withoutFeatures: ["shader-f16", "subgroups"] });
      expect(plain.adapter.features).not.toContain("shader-f16");
      expect(plain.adapter.features).not.toContain("subgroup-size-control");
      expect(plain.gpu.features.has("subgroups")).toBe(false);
    });

    it("turns a refused command into an error, in a scope and outside", async () => {
      using device = await adapter.open();
      const badBuffer = () => device.gpu.createBuffer({ size: 6, usage: device.bufferUsage.STORAGE, mappedAtCreation: false }).destroy();
      expect(await device.checked("fine", () => 3)).toBe(3);
      await expect(
        device.checked("a huge buffer", () => device.gpu.createBuffer({ size: 2 ** 40, usage: device.bufferUsage.STORAGE })),
      ).rejects.toThrow("a huge buffer: ");
      await expect(device.checked("ours", () => Promise.reject(new Error("thrown inside")))).rejects.toThrow("thrown inside");
      badBuffer();
      await device.idle();
      device.gpu.createBuffer({ size: 16, usage: device.bufferUsage.MAP_READ | device.bufferUsage.STORAGE });
      await expect(device.idle()).rejects.toThrow("the GPU refused a command");
      // Told once.
      await device.idle();
    });

    it("is gone after dispose, which may be called twice", async () => {
      const device = await adapter.open();
      device.dispose();
      device.dispose();
      expect(device.isDisposed).toBe(true);
      expect(() => device.assertHealthy()).toThrow("disposed");
    });

    it("tells of a loss that nobody asked for", async () => {
      using device = await adapter.open();
      // As a driver's reset would: the loss does not come from dispose.
      device.gpu.destroy();
      await device.gpu.lost;
      expect(() => device.assertHealthy()).toThrow(DiagnosticError);
      expect(() => device.assertHealthy()).toThrow("error[device-lost]");
    });

    const choice = adapter.description.adapterClass === "gpu" ? "hardware" : adapter.description.adapterClass;
    const open = `const { Device } = await import(${JSON.stringify(deviceModule)}); globalThis.device = await Device.open({ adapter: "${choice}" });`;
    it.each([
      ["disposed", "device.dispose();", 0],
      ["disposed with work under way", "device.gpu.queue.onSubmittedWorkDone().catch(() => 0); device.dispose();", 0],
      ["kept alive by a global", "", 0],
      ["an exception", "throw new Error('x');", 1],
      ["process.exit", "process.exit(3);", 3],
    ])("lets the process exit: %s", (_, end, code) => {
      const { status, signal, stderr } = runModule(`${open}\n${end}`);
      expect({ status, signal, stderr: code === 0 ? stderr.replace(/^Warning: max.*\n/gm, "") : "" }).toEqual({
        status: code,
        signal: null,
        stderr: "",
      });
    });
  });
}

describe("choice of adapter", () => {
  it("refuses hardware where there is only software, and says so", async () => {
    const found = await describeAdapter({ adapter: "hardware" });
    if ("missing" in found) {
      await expect(Device.open({ adapter: "hardware" })).rejects.toThrow("error[no-adapter]: no GPU adapter for `hardware`");
      await expect(Device.open({ adapter: "hardware" })).rejects.toThrow("--adapter auto");
    } else expect(found.isSoftware).toBe(false);
  });

  it("auto takes the system's adapter where there is one, and never fails where SwiftShader is installed", async () => {
    const auto = await describeAdapter();
    if ("missing" in auto) throw new Error(auto.missing);
    const hardware = await describeAdapter({ adapter: "hardware" });
    if (!("missing" in hardware)) expect(auto.isSoftware).toBe(false);
  });

  it("leaves the environment as it was", async () => {
    const before = { ...process.env };
    await describeAdapter({ adapter: "swiftshader" });
    expect({ ...process.env }).toEqual(before);
  });

  it("opens several adapters at the same time", async () => {
    const choices = (await availableAdapters()).map(({ open }) => open());
    const devices = await Promise.all([...choices, Device.open()]);
    try {
      expect(new Set(devices.map(({ adapter }) => adapter.name)).size).toBe(choices.length);
      await Promise.all(devices.map((device) => device.idle()));
    } finally {
      for (const device of devices) device.dispose();
    }
  });
});

const onLinux = process.platform === "linux" && process.arch === "x64";
describe.runIf(onLinux)("SwiftShader from npm", () => {
  const show = `const { Device } = await import(${JSON.stringify(deviceModule)}); const d = await Device.open(OPTIONS); await d.idle(); console.log(d.adapter.name); d.dispose();`;

  it("is unpacked once, whole, by processes that race for it", async () => {
    const cacheFolder = await mkdtemp(join(tmpdir(), "bitloom-cache-"));
    try {
      const text = show.replace("OPTIONS", JSON.stringify({ adapter: "swiftshader", cacheFolder }));
      const outputs = await Promise.all(
        Array.from({ length: 3 }, () => {
          const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", text], { stdio: ["ignore", "pipe", "inherit"] });
          return new Promise<string>((resolve, reject) => {
            let output = "";
            child.stdout.on("data", (data) => (output += data));
            child.on("error", reject);
            child.on("close", () => resolve(output));
          });
        }),
      );
      expect(outputs).toEqual(["SwiftShader\n", "SwiftShader\n", "SwiftShader\n"]);
      const folders = readdirSync(cacheFolder);
      expect(folders).toHaveLength(1);
      expect(folders[0]).toMatch(/^swiftshader-[0-9a-f]{16}$/);
      const first = await findSwiftShader(cacheFolder);
      expect(first).toEqual(await findSwiftShader(cacheFolder));
      expect("driverFile" in first && existsSync(first.driverFile)).toBe(true);
    } finally {
      await rm(cacheFolder, { recursive: true });
    }
  });

  it("is what auto takes where the system's Vulkan has no driver", () => {
    const { stdout, status } = runModule(show.replace("OPTIONS", "{}"), [], {
      ...process.env,
      VK_DRIVER_FILES: "/nonexistent.json",
      VK_ICD_FILENAMES: "/nonexistent.json",
    });
    expect({ stdout, status }).toEqual({ stdout: "SwiftShader\n", status: 0 });
  });

  // A private mount namespace hides the loader and the drivers of the system; it needs the right to make one.
  const hide = ["/lib/x86_64-linux-gnu/libvulkan.so.1", "/usr/lib/x86_64-linux-gnu/libvulkan.so.1", "/usr/lib64/libvulkan.so.1"]
    .filter((path) => existsSync(path))
    .map((path) => realpathSync(path));
  const mayHide = spawnSync("unshare", ["--mount", "true"]).status === 0;
  if (!mayHide) process.stderr.write("SKIPPED: SwiftShader without a Vulkan loader (no right to hide the system's)\n");
  it.runIf(mayHide)("comes up where the system has no Vulkan at all", async () => {
    const cacheFolder = await mkdtemp(join(tmpdir(), "bitloom-cache-"));
    try {
      const mounts = [...new Set(hide)].map((path) => `mount --bind /dev/null '${path}' && `).join("");
      const drivers = existsSync("/usr/share/vulkan") ? "mount -t tmpfs none /usr/share/vulkan && " : "";
      const prefix = ["unshare", "--mount", "sh", "-c", `${mounts}${drivers}exec "$0" "$@"`];
      const { stdout, stderr, status } = runModule(show.replace("OPTIONS", JSON.stringify({ cacheFolder })), prefix);
      expect({ stdout, stderr, status }).toEqual({ stdout: "SwiftShader\n", stderr: "", status: 0 });
      const lavapipe = runModule(show.replace("OPTIONS", '{ adapter: "lavapipe" }'), prefix);
      expect(lavapipe.stderr).toContain("error[no-adapter]: no GPU adapter for `lavapipe`");
      expect(lavapipe.status).toBe(1);
    } finally {
      await rm(cacheFolder, { recursive: true });
    }
  });
});
