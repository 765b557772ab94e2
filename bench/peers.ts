// The peers as packages: which are installed, how one installs them, and what their processes need to see of the machine.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { type AdapterChoice, findSwiftShader } from "../runtime/index.ts";
import type { Library, Subject } from "./subject.ts";
import { python } from "./subject-process.ts";

/** Their install scripts would only fetch what is not needed here. */
export const installCommand = "npm ci --prefix bench --ignore-scripts";

/** What is on the machine, as far as the peers need it. */
export interface Installed {
  hasPackage(name: string): boolean;
  hasTorch(): boolean;
}

let torchIsThere: boolean | undefined;

const thisMachine: Installed = {
  hasPackage(name) {
    try {
      createRequire(import.meta.url).resolve(name);
      return true;
    } catch {
      return false;
    }
  },
  hasTorch() {
    torchIsThere ??= spawnSync(python, ["-c", "import torch"], { stdio: "ignore" }).status === 0;
    return torchIsThere;
  },
};

const packages: Readonly<Record<Exclude<Library, "bitloom" | "torch">, readonly string[]>> = {
  "jax-js": ["@jax-js/jax"],
  tfjs: ["@tensorflow/tfjs", "@tensorflow/tfjs-backend-webgpu"],
  onnxruntime: ["onnxruntime-node"],
};

/** Why a subject cannot run on this machine; undefined where it can. */
export function whyMissing({ library }: Subject, installed: Installed = thisMachine): string | undefined {
  switch (library) {
    case "bitloom":
      return undefined;
    case "torch":
      return installed.hasTorch() ? undefined : `absent: ${python} has no module torch (Debian: apt-get install python3-torch)`;
    case "jax-js":
    case "tfjs":
    case "onnxruntime":
      return packages[library].every((name) => installed.hasPackage(name)) ? undefined : `${notInstalled}: ${installCommand}`;
    default:
      return library satisfies never;
  }
}

/** How the reason begins where packages are missing that one command installs. */
export const notInstalled = "not installed";

/**
 * What makes a library that brings its own WebGPU take the chosen adapter. Subjects that run on our Dawn choose there; it does them no harm.
 * Lavapipe is what a machine without a GPU has anyway.
 */
export async function environmentOf(adapter: AdapterChoice): Promise<Readonly<Record<string, string>>> {
  const environment: Record<string, string> = {};
  // Vulkan drivers complain on the standard error where it is missing.
  if (process.env["XDG_RUNTIME_DIR"] === undefined) environment["XDG_RUNTIME_DIR"] = "/tmp";
  if (adapter !== "swiftshader") return environment;
  const files = await findSwiftShader();
  if ("missing" in files) return environment;
  const before = process.env["LD_LIBRARY_PATH"];
  // The package has a Vulkan loader too, behind the system's own.
  const libraries = [...(before === undefined ? [] : [before]), dirname(files.loaderFile)].join(":");
  return { ...environment, VK_DRIVER_FILES: files.driverFile, VK_ICD_FILENAMES: files.driverFile, LD_LIBRARY_PATH: libraries };
}
