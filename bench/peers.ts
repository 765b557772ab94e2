// The peers as packages: which are installed, how one installs them, and what their processes need to see of the machine.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { type AdapterChoice, findSwiftShader } from "../runtime/index.ts";
import type { Library, Subject } from "./subject.ts";
import { python } from "./subject-process.ts";

/** Their install scripts would only fetch what is not needed here. */
export const installCommand = "npm ci --prefix bench --ignore-scripts";

/** Why a subject cannot run on this machine; undefined where it can. */
export function whyMissing({ library }: Subject): string | undefined {
  const known = missing.get(library);
  if (known !== undefined) return known.reason;
  const reason = find(library);
  missing.set(library, { reason });
  return reason;
}

const missing = new Map<Library, { readonly reason: string | undefined }>();

function find(library: Library): string | undefined {
  switch (library) {
    case "bitloom":
      return undefined;
    case "jax-js":
      return missingPackage("@jax-js/jax");
    case "tfjs":
      return missingPackage("@tensorflow/tfjs", "@tensorflow/tfjs-backend-webgpu");
    case "onnxruntime":
      return missingPackage("onnxruntime-node");
    case "torch":
      return spawnSync(python, ["-c", "import torch"], { stdio: "ignore" }).status === 0
        ? undefined
        : `absent: ${python} has no module torch (Debian: apt-get install python3-torch)`;
    default:
      return library satisfies never;
  }
}

function missingPackage(...names: readonly string[]): string | undefined {
  const { resolve } = createRequire(import.meta.url);
  const absent = names.filter((name) => {
    try {
      return resolve(name) === "";
    } catch {
      return true;
    }
  });
  return absent.length === 0 ? undefined : `not installed: ${installCommand}`;
}

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
