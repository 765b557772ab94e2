// The compiler as one function: from a model file, or from a module of any form, to an artifact for one or more targets.
import { createHash } from "node:crypto";
import type { ArtifactManifest, CompiledArtifact, EntryRecord, StateRecord } from "../../ir/artifact.ts";
import { type Diagnostic, hasErrors, type Report, unwrap } from "../../ir/diagnostic.ts";
import { type Entry, type Module, valueNames } from "../../ir/module.ts";
import { byteLength } from "../../ir/packing.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";
import type { Source } from "../../ir/source.ts";
import { printType } from "../../ir/type.ts";
import { planMemory } from "../../passes/plan-memory.ts";
import { rematerialize } from "../../passes/rematerialize.ts";
import { layoutStates } from "../../passes/state-layout.ts";
import { toPlan } from "../../passes/to-plan.ts";
import { verifyPlan } from "../../passes/verify-plan.ts";
import { emit } from "../codegen/emit.ts";
import { chooseSchedule, schedulesHash } from "../codegen/schedules.ts";
import { CompilerCrash } from "./crash.ts";
import { selectEntries } from "./entries.ts";
import { type FrontEndOptions, lowerSource } from "./frontend.ts";
import { type PassOptions, runPasses } from "./passes.ts";
import { rowChoices } from "./row-choices.ts";
import { portable } from "./targets.ts";

export interface TargetOptions {
  /** What to compile for, best first: the runtime takes the first that fits. */
  readonly targets?: readonly Target[];
  /** Says by name which entries to compile; default: all whose sizes are known. */
  readonly entries?: (name: string) => boolean;
  /** Whether the target `portable` follows them, so that the artifact runs on any adapter; default true. */
  readonly portable?: boolean;
  /** Called with the plan of each target, every buffer in its place, before its kernels are emitted. */
  planned?(plan: PlacedPlan): void;
}

export interface CompileOptions extends FrontEndOptions, TargetOptions, Pick<PassOptions, "dump"> {}

/** What a module alone does not know about itself. */
export interface ModuleOptions
  extends TargetOptions,
    Pick<PassOptions, "dump" | "sources">,
    Partial<Pick<ArtifactManifest, "model" | "policy" | "recipe" | "run">> {}

/** Compile a model file. No value where there is an error; throws a CompilerCrash for a bug of ours. */
export function compile(source: Source, options: CompileOptions = {}): Report<CompiledArtifact> {
  const lowered = lowerSource(source, options);
  if (lowered.value === undefined) return { diagnostics: lowered.diagnostics };
  const { module, resolved } = lowered.value;
  const { recipe: _recipe, model: _model, policy: _policy, set: _set, load: _load, ...rest } = options;
  const compiled = compileModule(module, {
    ...rest,
    sources: resolved.sources,
    model: resolved.modelName,
    policy: resolved.policy?.name ?? "none",
    ...(resolved.recipe === undefined ? {} : { recipe: resolved.recipe.name, run: resolved.recipe.run }),
  });
  return { ...compiled, diagnostics: [...lowered.diagnostics, ...compiled.diagnostics] };
}

/** Compile a verified module, from whatever form it has. */
export function compileModule(module: Module, options: ModuleOptions = {}): Report<CompiledArtifact> {
  const { dump, sources = [] } = options;
  const selected = selectEntries(module, options.entries);
  const passed = runPasses(unwrap(selected), { sources, ...(dump === undefined ? {} : { dump }) });
  const diagnostics: Diagnostic[] = [...selected.diagnostics, ...passed.diagnostics];
  if (passed.value === undefined) return { diagnostics };
  const planned = passed.value.module;
  const targets = sharedLayout([...(options.targets ?? []), ...(options.portable === false ? [] : [portable])]);
  const files = new Map<string, string | Uint8Array>();
  const records: ArtifactManifest["targets"][number][] = [];
  for (const target of targets) {
    const emitted = emitTarget(planned, target, options);
    diagnostics.push(...emitted.diagnostics);
    if (emitted.value === undefined) break;
    records.push(emitted.value.target);
    for (const [path, content] of emitted.value.files) files.set(path, content);
  }
  if (hasErrors(diagnostics)) return { diagnostics };
  return { value: { manifest: describe(planned, records, options, targets), files }, diagnostics };
}

function emitTarget(module: Module, target: Target, options: ModuleOptions): Report<ReturnType<typeof emit>> {
  let stage = "to-plan";
  try {
    const planned = toPlan(module, { target, choose: chooseSchedule });
    if (planned.value === undefined) return { diagnostics: planned.diagnostics };
    stage = "rematerialize";
    const repeated = rematerialize(planned.value);
    stage = "plan-memory";
    const plan = planMemory(repeated, module);
    verifyPlan(plan);
    options.planned?.(plan);
    stage = "emit";
    return { value: emit(plan), diagnostics: planned.diagnostics };
  } catch (problem) {
    throw new CompilerCrash(stage, module, "", problem);
  }
}

/** State lies at one place in every target, and slabs are cut where a binding gets too large: all targets cut like the smallest. */
function sharedLayout(targets: readonly Target[]): readonly Target[] {
  const maxStorageBufferBindingSize = Math.min(...targets.map(({ limits }) => limits.maxStorageBufferBindingSize));
  return targets.map((target) => ({ ...target, limits: { ...target.limits, maxStorageBufferBindingSize } }));
}

function describe(
  module: Module,
  targets: ArtifactManifest["targets"],
  options: ModuleOptions,
  [first = portable]: readonly Target[],
): ArtifactManifest {
  const { model = "", policy = "none", recipe, run, sources = [] } = options;
  return {
    format: "bitloom-artifact",
    version: 1,
    model,
    policy,
    ...(recipe === undefined ? {} : { recipe }),
    sources: Object.fromEntries(sources.map(({ path, text }) => [path, `sha256-${createHash("sha256").update(text).digest("hex")}`])),
    state: describeState(module, first),
    host: module.host,
    entries: Object.fromEntries(module.entries.map((entry) => [entry.name, describeEntry(entry)])),
    ...(run === undefined ? {} : { run }),
    targets,
    schedules: schedulesHash(),
  };
}

function describeState(module: Module, target: Target): readonly StateRecord[] {
  const layout = layoutStates(module, target.limits.maxStorageBufferBindingSize);
  return module.states.map(({ name, type, role, init, decay }) => {
    const place = layout.states.get(name);
    if (place === undefined) throw new Error(`no place for state ${name}`);
    const tied = module.ties.filter(({ state }) => state === name).map(({ path }) => path);
    return { name, type: printType(type), role, init, decay, slab: place.slab, offset: place.offset, bytes: byteLength(type), tied };
  });
}

function describeEntry(entry: Entry): EntryRecord {
  // The plan places inputs and outputs under these same names.
  const names = valueNames(entry);
  const rows = rowChoices(entry);
  return {
    inputs: entry.inputs.map(({ value, origin }) => {
      const type = printType(value.type);
      if (origin !== "caller" && "host" in origin) return { name: origin.host, type, source: "host" };
      const below = rows.get(value);
      return { name: names.get(value) ?? value.hint, type, source: "data", ...(below === undefined ? {} : { below }) };
    }),
    outputs: entry.outputs.map(({ name, value }) => ({ name, type: printType(value.type) })),
    updates: entry.updates.map(({ state }) => state),
  };
}
