// Compiling what a benchmark measures, for the device at hand.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CompileOptions, compile, compileModule, targetFor } from "../compiler/index.ts";
import type { CompiledArtifact } from "../ir/artifact.ts";
import { unwrap } from "../ir/diagnostic.ts";
import type { Target } from "../ir/plan.ts";
import { parseModule } from "../ir/text/parse.ts";
import { bestSubgroups, type Device, probeSubgroups } from "../runtime/index.ts";

/** What the compiler makes the best kernels for on this device. */
export async function targetOf(device: Device): Promise<Target> {
  return targetFor(device.adapter, bestSubgroups(await probeSubgroups(device)));
}

/** Compile a model file of the benchmarks (bench/models) or of the project (models). Throws a DiagnosticError. */
export function compileModel(path: string, target: Target, options: CompileOptions): CompiledArtifact {
  const source = { path, text: readFileSync(join(import.meta.dirname, "..", path), "utf8") };
  return unwrap(compile(source, { ...options, targets: [target], portable: false }));
}

/** Compile IR text. Throws a DiagnosticError. */
export function compileText(name: string, text: string, target: Target): CompiledArtifact {
  const module = unwrap(parseModule({ path: `${name}.loomir`, text }));
  return unwrap(compileModule(module, { targets: [target], portable: false, model: name }));
}
