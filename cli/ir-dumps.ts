// Modules between the passes as files: what `bitloom ir --dump` writes.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PipelineStep, pipelineComment, printPipeline, type StepRecord } from "../compiler/index.ts";
import type { Module } from "../ir/module.ts";
import { ModuleFolder } from "./module-files.ts";

export interface Dump {
  readonly name: string;
  readonly module: Module;
  /** How many passes of the pipeline are behind it. */
  readonly place: number;
  /** The pass that made it; absent for the module as it came in. */
  readonly step?: StepRecord;
}

/** Each dump begins with the passes that it has not seen yet, so that it can be fed back. */
export async function writeDumps(
  folder: string,
  dumps: readonly Dump[],
  steps: readonly PipelineStep[],
  records: readonly StepRecord[],
  locations: boolean,
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const modules = new ModuleFolder(folder);
  for (const { name, module, place } of dumps) {
    const rest = steps.slice(place);
    await modules.write(name, module, { locations, before: rest.length === 0 ? "" : pipelineComment(printPipeline(rest)) });
  }
  await modules.close();
  await writeFile(join(folder, "times.txt"), timesText(records));
  return [...dumps.map(({ name }) => name), "times.txt"];
}

/** One line a pass: place, name, milliseconds, whether it changed the module, what it counted. */
function timesText(records: readonly StepRecord[]): string {
  const width = Math.max(0, ...records.map(({ pass }) => pass.length));
  const lines = records.map(({ place, pass, changed, counts, elapsedMs }) => {
    const counted = Object.entries(counts).map(([what, times]) => `${what} ${times}`);
    return `${String(place).padStart(2, "0")} ${pass.padEnd(width)} ${elapsedMs.toFixed(1).padStart(8)} ms  ${changed ? "changed  " : "unchanged"}  ${counted.join(", ")}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}
