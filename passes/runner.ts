// Runs a pipeline: verifies between passes, counts, times, dumps, stops where told, and turns a crash into data that reproduces it.
import { type Diagnostic, hasErrors } from "../ir/diagnostic.ts";
import type { Instruction, Module } from "../ir/module.ts";
import { type Source, type Span, spanAt } from "../ir/source.ts";
import { annotate } from "../ir/text/annotate.ts";
import type { ModuleSpans } from "../ir/text/spans.ts";
import { verifyModule } from "../ir/verify.ts";
import type { EntryFusion } from "./fusion-report.ts";
import { type PassContext, type PipelineStep, printPipeline, type Stage, stages } from "./pass.ts";

/** What one pass did. */
export interface StepRecord {
  /** Place in the pipeline from 1 (0 is the module as it came in); the number in a dump's file name. */
  readonly place: number;
  readonly pass: string;
  /** Whether the pass answered another object than it got. */
  readonly changed: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly elapsedMs: number;
}

/** `insert-hadamard: rotate-contraction 4`: what a pass did, as it stands above a dump. */
export function describeStep({ pass, counts }: StepRecord): string {
  const told = Object.entries(counts).map(([what, times]) => `${what} ${times}`);
  return told.length === 0 ? pass : `${pass}: ${told.join(", ")}`;
}

export interface RunOptions {
  /** Model texts that locations point into, for diagnostics with frames. */
  readonly sources?: readonly Source[];
  /** Where the module stands in the IR text that it was read from, if it was. */
  readonly spans?: ModuleSpans;
  /** Stop at the end of this stage (a form's name), or behind the first run of the pass of this name. */
  readonly until?: string;
  /** Called after each pass that changed the module. */
  dump?(module: Module, step: StepRecord): void;
  /** Called by `fuse` for each entry: what shares kernels, what does not, and why. */
  readonly explain?: (fusion: EntryFusion) => void;
  /** Milliseconds from any origin; the clock of the platform by default. */
  now?(): number;
}

/** What it takes to see a crash again: the module before the pass, and the pipeline from that pass on. */
export interface Crash {
  readonly pass: string;
  readonly module: Module;
  readonly pipeline: string;
  readonly error: Error;
}

/**
 * - `done`: the last module, what each pass did, and warnings.
 * - `rejected`: the user's input does not fit; the diagnostics say why.
 * - `crashed`: a bug of ours: a pass threw, or answered a module that does not verify.
 */
export type PipelineOutcome =
  | { readonly kind: "done"; readonly module: Module; readonly steps: readonly StepRecord[]; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "rejected"; readonly steps: readonly StepRecord[]; readonly diagnostics: readonly Diagnostic[] }
  | { readonly kind: "crashed"; readonly crash: Crash; readonly steps: readonly StepRecord[]; readonly diagnostics: readonly Diagnostic[] };

/** Run the steps in order. `module` must verify: parse or lower it first. */
export function runPipeline(module: Module, pipeline: readonly PipelineStep[], options: RunOptions = {}): PipelineOutcome {
  const now = options.now ?? (() => performance.now());
  const steps: StepRecord[] = [];
  const diagnostics: Diagnostic[] = [];
  let current = module;
  const chosen = stepsUntil(pipeline, options.until);
  for (const [i, step] of chosen.entries()) {
    const { pass } = step;
    if (!pass.applies(current)) continue;
    if (!pass.needs.includes(current.form)) {
      const message = `pass \`${pass.name}\` takes a module of form ${pass.needs.join(" or ")}, this one is ${current.form}`;
      diagnostics.push({ severity: "error", code: "wrong-form", message });
      return { kind: "rejected", steps, diagnostics };
    }
    const collected = collector(current, options);
    const started = now();
    let next: Module;
    try {
      next = pass.run(current, step.options, collected.cx);
      diagnostics.push(...collected.diagnostics);
      if (hasErrors(collected.diagnostics)) return { kind: "rejected", steps, diagnostics };
      if (next !== current) throwIfBroken(next, pass.name, options.sources);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      return {
        kind: "crashed",
        crash: { pass: pass.name, module: current, pipeline: printPipeline(chosen.slice(i)), error },
        steps,
        diagnostics,
      };
    }
    const record: StepRecord = {
      place: i + 1,
      pass: pass.name,
      changed: next !== current,
      counts: collected.counts,
      elapsedMs: now() - started,
    };
    steps.push(record);
    if (record.changed) options.dump?.(next, record);
    current = next;
  }
  return { kind: "done", module: current, steps, diagnostics };
}

/** The part of a pipeline that `until` asks for; a name that is neither a stage nor one of its passes is a bug of the caller, who has {@link untilNames}. */
function stepsUntil(pipeline: readonly PipelineStep[], until: string | undefined): readonly PipelineStep[] {
  if (until === undefined) return pipeline;
  const last = stages.indexOf(until as Stage);
  if (last >= 0) return pipeline.filter(({ stage }) => stage === undefined || stages.indexOf(stage) <= last);
  const place = pipeline.findIndex(({ pass }) => pass.name === until);
  if (place < 0) throw new Error(`no pass ${until} in the pipeline ${printPipeline(pipeline)}`);
  return pipeline.slice(0, place + 1);
}

/** The names that `until` takes, for a command line's check. */
export function untilNames(pipeline: readonly PipelineStep[]): readonly string[] {
  return [...new Set([...stages, ...pipeline.map(({ pass }) => pass.name)])];
}

function throwIfBroken(module: Module, pass: string, sources: readonly Source[] = []): void {
  const problems = verifyModule(module, { sources });
  if (hasErrors(problems)) throw new Error(`the module does not verify after ${pass}:\n\n${annotate(problems)}`);
}

interface Collector {
  readonly cx: PassContext;
  readonly counts: Record<string, number>;
  readonly diagnostics: Diagnostic[];
}

function collector(module: Module, options: RunOptions): Collector {
  const counts: Record<string, number> = {};
  const diagnostics: Diagnostic[] = [];
  const told = new Set<string>();
  const cx: PassContext = {
    ...(options.explain === undefined ? {} : { explain: options.explain }),
    count(what, times = 1) {
      counts[what] = (counts[what] ?? 0) + times;
    },
    report({ severity, code, message, instruction, help = [] }) {
      // Entries share sites (train, eval, logits call one model): the same problem comes once from each.
      const key = JSON.stringify([severity, code, message, instruction?.at, help]);
      if (told.has(key)) return;
      told.add(key);
      const place = instruction === undefined ? undefined : placeOf(instruction, module, options);
      const at = instruction?.at;
      const prefix = place === undefined && at !== undefined ? `${at.path}:${at.line}:${at.column}: ` : "";
      diagnostics.push({
        severity,
        code,
        message: `${prefix}${message}`,
        ...(place === undefined ? {} : { primary: { span: place, message: "" } }),
        ...(help.length === 0 ? {} : { help }),
      });
    },
  };
  return { cx, counts, diagnostics };
}

/** Its place in the model's text, or else in the IR text that the module was read from. */
function placeOf({ at, results: [result] }: Instruction, module: Module, { sources = [], spans }: RunOptions): Span | undefined {
  const source = at === undefined ? undefined : sources.find((s) => s.path === at.path);
  if (at !== undefined && source !== undefined) return spanAt(source, at);
  for (const entry of module.entries) {
    // Rewriting may have given the instruction other operands; its results know it.
    const original = entry.instructions.find((i) => i.results[0] === result);
    const found = original === undefined ? undefined : spans?.entries.get(entry)?.of(original);
    if (found !== undefined) return found;
  }
  return undefined;
}
