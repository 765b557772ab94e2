// Runs the passes on a module, from whatever form it has, and turns a crash into an exception that can be reproduced.
import type { Attributes } from "../../ir/attribute.ts";
import type { Report } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import type { Source } from "../../ir/source.ts";
import { foldHadamard } from "../../passes/fold-hadamard.ts";
import type { EntryFusion } from "../../passes/fusion-report.ts";
import { type PackedForm, packWeights } from "../../passes/pack-weights.ts";
import { type Pass, type PipelineStep, stages } from "../../passes/pass.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runPipeline, type StepRecord } from "../../passes/runner.ts";
import { splitRows } from "../../passes/split-rows.ts";
import { CompilerCrash } from "./crash.ts";

/** What passes of the pipeline are told beside the module. */
export interface PipelineSettings {
  /** Bytes that a binding of the target holds: larger state is cut into pieces (`split-rows`). Default: no limit. */
  readonly largestBinding?: number;
  /** Whether entries read the codes of weights as state (`read`), or the module's one entry makes that state (`write`). Default: `none`. */
  readonly packed?: PackedForm;
}

export interface PassOptions extends PipelineSettings {
  /** Stop at the end of this stage (a form's name, or `plan`), or behind the first run of the pass of this name. */
  readonly until?: string;
  /** Called after each pass that changed the module. */
  dump?(module: Module, step: StepRecord): void;
  /** Told for each entry what shares kernels, what does not, and why. */
  readonly explain?: (fusion: EntryFusion) => void;
  /** Texts that locations point into. */
  readonly sources?: readonly Source[];
  /** Instead of what the module's form still needs. */
  readonly pipeline?: readonly PipelineStep[];
}

export interface Passed {
  readonly module: Module;
  readonly steps: readonly StepRecord[];
}

/** Run the pipeline, or as much of it as the module still needs. Throws a CompilerCrash where a pass fails. */
export function runPasses(module: Module, options: PassOptions = {}): Report<Passed> {
  const { pipeline: steps = remainingSteps(module, options), ...rest } = options;
  const outcome = runPipeline(module, steps, rest);
  switch (outcome.kind) {
    case "done":
      return { value: { module: outcome.module, steps: outcome.steps }, diagnostics: outcome.diagnostics };
    case "rejected":
      return { diagnostics: outcome.diagnostics };
    case "crashed": {
      const { crash } = outcome;
      throw new CompilerCrash(crash.pass, crash.module, crash.pipeline, crash.error);
    }
    default:
      return outcome satisfies never;
  }
}

/**
 * The part of the pipeline that a module of its form still needs: all later stages, and what of its own stage takes such a module.
 * Nothing where kernels have their numbers.
 */
export function remainingSteps(
  module: Module,
  { largestBinding: bytes = 0, packed = "none" }: PipelineSettings = {},
): readonly PipelineStep[] {
  const settings = new Map<Pass, Attributes>([
    [splitRows, { bytes }],
    [foldHadamard, { packed }],
    [packWeights, { packed }],
  ]);
  if (module.entries.some(({ instructions }) => instructions.some(({ marks }) => marks.kernel !== undefined))) return [];
  const reached = stages.indexOf(module.form);
  const steps = pipeline.filter(({ stage, pass }) => {
    const at = stage === undefined ? reached : stages.indexOf(stage);
    return at > reached || (at === reached && pass.needs.includes(module.form));
  });
  return steps.map((step) => ({ ...step, options: settings.get(step.pass) ?? step.options }));
}
