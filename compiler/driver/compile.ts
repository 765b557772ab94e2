// The compiler as one function: from a model file, or from a module of any form, to an artifact for one or more targets.
import { createHash } from "node:crypto";
import type { ArtifactManifest, CompiledArtifact, EntryRecord, SlabRange, StateRecord } from "../../ir/artifact.ts";
import type { Report } from "../../ir/diagnostic.ts";
import { type Entry, type Module, valueNames } from "../../ir/module.ts";
import { byteLength } from "../../ir/packing.ts";
import type { PlacedPlan, Target } from "../../ir/plan.ts";
import type { Source } from "../../ir/source.ts";
import { wholeName } from "../../ir/state-piece.ts";
import { printType, withDims } from "../../ir/type.ts";
import { layoutStates } from "../../passes/state-layout.ts";
import { emit } from "../codegen/emit.ts";
import { shippedSchedules } from "../codegen/tuned-schedules.ts";
import { CompilerCrash } from "./crash.ts";
import { type FrontEndOptions, lowerSource, recomputeOf } from "./frontend.ts";
import { bytesByUse } from "./memory-budget.ts";
import { type PlanOptions, planModule } from "./plan.ts";
import { rowChoices } from "./row-choices.ts";
import { smallerPlans } from "./smaller-plans.ts";
import { portable } from "./targets.ts";

export interface CompileOptions extends FrontEndOptions, Omit<PlanOptions, "sources"> {}

/** What a module alone does not know about itself. */
export interface ModuleOptions extends PlanOptions, Partial<Pick<ArtifactManifest, "model" | "policy" | "recipe" | "run">> {}

/** Compile a model file. No value where there is an error; throws a CompilerCrash for a bug of ours. */
export function compile(source: Source, options: CompileOptions = {}): Report<CompiledArtifact> {
  const { value: lowered, diagnostics: problems } = lowerSource(source, options);
  if (lowered === undefined) return { diagnostics: problems };
  const { module, resolved } = lowered;
  const { recipe: _recipe, model: _model, policy: _policy, set: _set, load: _load, ...rest } = options;
  let stateBytes = 0;
  const compiled = compileModule(module, {
    ...rest,
    planned(plan, trade) {
      stateBytes = Math.max(stateBytes, bytesByUse(plan).state);
      rest.planned?.(plan, trade);
    },
    ...recomputeOf(resolved),
    sources: resolved.sources,
    model: resolved.modelName,
    policy: resolved.policy?.name ?? "none",
    ...(resolved.recipe === undefined ? {} : { recipe: resolved.recipe.name, run: resolved.recipe.run }),
  });
  const { memory } = options;
  const diagnostics = compiled.diagnostics.map((d) =>
    d.code === "memory-budget" && memory !== undefined && stateBytes <= memory
      ? { ...d, help: [...(d.help ?? []), ...smallerPlans(source, options, memory, lowered)] }
      : d,
  );
  return { ...compiled, diagnostics: [...problems, ...diagnostics] };
}

/** Compile a verified module, from whatever form it has. */
export function compileModule(module: Module, options: ModuleOptions = {}): Report<CompiledArtifact> {
  const { value: planned, diagnostics } = planModule(module, options);
  if (planned === undefined) return { diagnostics };
  const emitted = planned.plans.map((plan) => emitPlan(plan, planned.module));
  const files = new Map(emitted.flatMap((each) => [...each.files]));
  const records = emitted.map((each) => each.target);
  const compiledFor = planned.plans.map((plan) => plan.target);
  return { value: { manifest: describe(planned.module, records, options, compiledFor), files }, diagnostics };
}

function emitPlan(plan: PlacedPlan, module: Module): ReturnType<typeof emit> {
  try {
    return emit(plan);
  } catch (problem) {
    throw new CompilerCrash("emit", module, "", problem);
  }
}

function describe(
  module: Module,
  targets: ArtifactManifest["targets"],
  options: ModuleOptions,
  compiledFor: readonly Target[],
): ArtifactManifest {
  const { model = "", policy = "none", recipe, run, sources = [], schedules = shippedSchedules } = options;
  const [first = portable] = compiledFor;
  return {
    format: "bitloom-artifact",
    version: 1,
    model,
    policy,
    ...(recipe === undefined ? {} : { recipe }),
    ...(module.precision === undefined ? {} : { precision: module.precision }),
    sources: Object.fromEntries(sources.map(({ path, text }) => [path, `sha256-${createHash("sha256").update(text).digest("hex")}`])),
    state: describeState(module, first),
    host: module.host,
    entries: Object.fromEntries(module.entries.map((entry) => [entry.name, describeEntry(entry)])),
    ...(run === undefined ? {} : { run }),
    targets,
    schedules: schedules.hash(compiledFor),
  };
}

function describeState(module: Module, target: Target): readonly StateRecord[] {
  const layout = layoutStates(module, target.limits.maxStorageBufferBindingSize);
  const wholes = Map.groupBy(module.states, ({ name }) => wholeName(name));
  return [...wholes].map(([name, parts]) => {
    const [first] = parts;
    if (first === undefined) throw new Error(`no parts of ${name}`);
    const { role, init, decay, rotation } = first;
    const turned = rotation === undefined ? {} : { rotation };
    const rows = parts.reduce((sum, part) => sum + Number(part.type.dims[0] ?? 0), 0);
    const type = parts.length === 1 ? first.type : withDims(first.type, [rows, ...first.type.dims.slice(1)]);
    const ranges = parts.map((part): SlabRange => {
      const place = layout.states.get(part.name);
      if (place === undefined) throw new Error(`no place for state ${part.name}`);
      return [place.slab, place.offset, byteLength(part.type)];
    });
    const [[slab, offset] = ["", 0]] = ranges;
    const tied = module.ties.filter(({ state }) => wholeName(state) === name).map(({ path }) => path);
    const pieces = parts.length === 1 ? {} : { pieces: ranges };
    return { name, type: printType(type), role, init, decay, ...turned, slab, offset, bytes: byteLength(type), ...pieces, tied };
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
    updates: [...new Set(entry.updates.map(({ state }) => wholeName(state)))],
  };
}
