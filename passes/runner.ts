// Runs a pipeline: verifies between passes, counts, times, dumps, stops where told, and turns a crash into data that reproduces it.
import { type Diagnostic, hasErrors, printDiagnostic } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import type { Location, Source, Span } from "../ir/source.ts";
import { verifyModule } from "../ir/verify.ts";
import { type PassContext, type PipelineStep, type Problem, printPipeline, type Stage, stages } from "./pass.ts";

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

export interface RunOptions {
  /** Texts that locations point into, for diagnostics with frames. */
  readonly sources?: readonly Source[];
  /** Stop at the end of this stage (a form's name), or behind the first run of the pass of this name. */
  readonly until?: string;
  /** Called after each pass that changed the module. */
  dump?(module: Module, step: StepRecord): void;
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
    const collected = collector(options.sources ?? []);
    const started = now();
    let next: Module;
    try {
      next = pass.run(current, step.options, collected.cx);
      diagnostics.push(...collected.diagnostics);
      if (hasErrors(collected.diagnostics)) return { kind: "rejected", steps, diagnostics };
      if (next !== current) throwIfBroken(next, pass.name);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      return { kind: "crashed", crash: { pass: pass.name, module: current, pipeline: printPipeline(chosen.slice(i)), error }, steps, diagnostics };
    }
    const record: StepRecord = { place: i + 1, pass: pass.name, changed: next !== current, counts: collected.counts, elapsedMs: now() - started };
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

function throwIfBroken(module: Module, pass: string): void {
  const problems = verifyModule(module);
  if (hasErrors(problems)) throw new Error(`the module does not verify after ${pass}:\n${problems.map(printDiagnostic).join("\n")}`);
}

interface Collector {
  readonly cx: PassContext;
  readonly counts: Record<string, number>;
  readonly diagnostics: Diagnostic[];
}

function collector(sources: readonly Source[]): Collector {
  const counts: Record<string, number> = {};
  const diagnostics: Diagnostic[] = [];
  const told = new Set<string>();
  const cx: PassContext = {
    count(what, times = 1) {
      counts[what] = (counts[what] ?? 0) + times;
    },
    report(problem) {
      // Entries share sites (train, eval, logits call one model): the same problem comes once from each.
      const key = JSON.stringify(problem);
      if (told.has(key)) return;
      told.add(key);
      diagnostics.push(toDiagnostic(problem, sources));
    },
  };
  return { cx, counts, diagnostics };
}

function toDiagnostic({ severity, code, message, at, help }: Problem, sources: readonly Source[]): Diagnostic {
  const source = at === undefined ? undefined : sources.find((s) => s.path === at.path);
  const extra = help === undefined || help.length === 0 ? {} : { help };
  if (at === undefined) return { severity, code, message, ...extra };
  if (source === undefined) return { severity, code, message: `${at.path}:${at.line}:${at.column}: ${message}`, ...extra };
  return { severity, code, message, primary: { span: spanAt(source, at), message: "" }, ...extra };
}

/** The name or the one character that stands at a location. */
function spanAt(source: Source, at: Location): Span {
  const lines = source.text.split("\n");
  const start = lines.slice(0, at.line - 1).reduce((n, line) => n + line.length + 1, 0) + at.column - 1;
  const word = /^[\w.]+/.exec(source.text.slice(start))?.[0] ?? " ";
  return { source, start, end: start + word.length };
}
