// Runs passes on IR text for tests: anything but a module is a failure.
import { readFileSync } from "node:fs";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { parsePipeline } from "../../passes/parse-pipeline.ts";
import type { PipelineStep } from "../../passes/pass.ts";
import { type PipelineOutcome, type RunOptions, runPipeline } from "../../passes/runner.ts";

export const moduleFile = (name: string): string => readFileSync(new URL(`modules/${name}`, import.meta.url), "utf8");

export const moduleOf = (text: string): Module => unwrap(parseModule({ path: "<test>", text }));

export const stepsOf = (text: string): readonly PipelineStep[] => unwrap(parsePipeline({ path: "<pipeline>", text }));

export type Done = Extract<PipelineOutcome, { kind: "done" }>;

export function run(module: Module, pipeline: string | readonly PipelineStep[], options: RunOptions = {}): Done {
  const outcome = runPipeline(module, typeof pipeline === "string" ? stepsOf(pipeline) : pipeline, options);
  if (outcome.kind === "done") return outcome;
  throw outcome.kind === "crashed" ? outcome.crash.error : new Error(outcome.diagnostics.map((d) => d.message).join("\n"));
}
