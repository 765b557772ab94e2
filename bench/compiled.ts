// Compiling what a benchmark measures, for the device at hand.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type CompileOptions,
  compile,
  compileModule,
  type PlanSummary,
  type Schedules,
  shippedSchedules,
  summarizePlan,
  targetFor,
} from "../compiler/index.ts";
import type { CompiledArtifact } from "../ir/artifact.ts";
import { unwrap } from "../ir/diagnostic.ts";
import type { PlacedPlan, Target } from "../ir/plan.ts";
import { parseModule } from "../ir/text/parse.ts";
import { bestSubgroups, type Device, probeSubgroups } from "../runtime/index.ts";

/** What the compiler makes the best kernels for on this device. */
export async function targetOf(device: Device): Promise<Target> {
  return targetFor(device.adapter, bestSubgroups(await probeSubgroups(device)));
}

export interface ModelOptions extends Omit<CompileOptions, "targets" | "portable" | "planned"> {
  /** Told what the plan comes to. */
  summarized?(summary: PlanSummary): void;
}

/** Compile a model file by its path from the project's root. Throws a DiagnosticError. */
export function compileModel(path: string, target: Target, { summarized, ...options }: ModelOptions): CompiledArtifact {
  const source = { path, text: readFileSync(join(import.meta.dirname, "..", path), "utf8") };
  const planned = (plan: PlacedPlan) => summarized?.(summarizePlan(plan));
  return unwrap(compile(source, { ...options, targets: [target], portable: false, planned }));
}

/** Compile IR text. Throws a DiagnosticError. */
export const compileText = (name: string, text: string, target: Target, schedules: Schedules = shippedSchedules): CompiledArtifact =>
  compileKernel(name, text, target, schedules).artifact;

/** Compile IR text, and count the floating-point operations of its entry `main`. Throws a DiagnosticError. */
export function compileKernel(
  name: string,
  text: string,
  target: Target,
  schedules: Schedules = shippedSchedules,
): { readonly artifact: CompiledArtifact; readonly planFlops: number } {
  const module = unwrap(parseModule({ path: `${name}.loomir`, text }));
  let planFlops = 0;
  const planned = (plan: PlacedPlan) => {
    planFlops = summarizePlan(plan).entries.find((entry) => entry.name === "main")?.flops ?? 0;
  };
  return { artifact: unwrap(compileModule(module, { targets: [target], portable: false, schedules, model: name, planned })), planFlops };
}
