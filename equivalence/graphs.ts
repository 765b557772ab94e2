// What is compared, compiled: the training graph with the values of its quantized layers as outputs, and each layer of the packed model alone.
import { compileModule } from "../compiler/driver/compile.ts";
import { inOneBatch, selectEntries } from "../compiler/driver/entries.ts";
import { lowerSource } from "../compiler/driver/frontend.ts";
import { runPasses } from "../compiler/driver/passes.ts";
import { largestBinding, targetsOf } from "../compiler/driver/plan.ts";
import type { CompiledArtifact, CompileOptions } from "../compiler/index.ts";
import { type Diagnostic, hasErrors, type Report } from "../ir/diagnostic.ts";
import { type Entry, entryNamed, type Module, type Value } from "../ir/module.ts";
import { removeDead, replaceValues } from "../ir/rewrite.ts";
import type { Source } from "../ir/source.ts";
import { type RoundedOperand, type Site, sitesOf } from "./sites.ts";

/** Where a run gives the values of a layer: names of outputs. */
export interface LayerOutputs {
  readonly site: string;
  readonly input: string;
  readonly result: string;
  readonly isWeightFirst: boolean;
  /** Absent where activations stay in float. */
  readonly activation?: RoundedOutputs;
}

export interface RoundedOutputs {
  readonly codes: string;
  readonly scale: string;
  /** Of weights whose rows are rounded less a number each. */
  readonly offset?: string;
}

/** The training graph, giving the values of its layers beside its loss. */
export interface ProbedTraining {
  readonly artifact: CompiledArtifact;
  readonly layers: readonly (LayerOutputs & { readonly weight: RoundedOutputs & { readonly state: string } })[];
}

/** The packed model's layers, each an entry that takes what enters it. */
export interface PackedLayers {
  readonly artifact: CompiledArtifact;
  readonly layers: readonly (LayerOutputs & {
    readonly entry: string;
    /** The state that holds the weight's codes, or a piece of it. */
    readonly state: string;
  })[];
}

/**
 * Compile a recipe's training step, micro-batches as one, with outputs for each quantized layer. The graph is the one that trains, up to where kernels
 * are chosen: what is put out must be stored. No value where there is an error.
 */
export function compileProbed(source: Source, options: CompileOptions): Report<ProbedTraining> {
  return compileFrom(source, options, "train", "none", (module, entry) => {
    const outputs = new OutputNames();
    const layers = sitesOf(entry).map((site) => {
      const { weight } = site;
      if (weight.rounded === undefined) throw new Error(`the weight of ${site.name} is not rounded`);
      return { ...outputs.ofLayer(site), weight: { ...outputs.ofRounded(weight.rounded), state: weight.state ?? "" } };
    });
    const probed: Entry = { ...entry, outputs: [...entry.outputs, ...outputs.list()] };
    return { module: { ...module, entries: [probed] }, layers };
  });
}

/** Compile the layers of the model as it reads packed weights. No value where there is an error. */
export function compileLayers(source: Source, options: CompileOptions): Report<PackedLayers> {
  return compileFrom(source, options, "eval", "read", (module, entry) => {
    const layers = sitesOf(entry).map((site, i) => ({ site, name: `layer_${i}` }));
    const cut = layers.map(({ site, name }) => {
      const outputs = new OutputNames();
      const input: Value = { hint: "x", type: site.activation.source.type };
      const { input: _, ...names } = outputs.ofLayer(site, { input: false });
      const whole: Entry = { ...entry, name, outputs: outputs.list(), updates: [] };
      const alone = removeDead(replaceValues(withoutProducer(whole, site.activation.source), new Map([[site.activation.source, input]])));
      return {
        entry: { ...alone, inputs: [{ value: input, origin: "caller" as const }] },
        layer: { ...names, input: input.hint, entry: name, state: site.weight.state ?? "" },
      };
    });
    return { module: { ...module, entries: cut.map((each) => each.entry) }, layers: cut.map((each) => each.layer) };
  });
}

/** The value is an input of its own from here on. */
const withoutProducer = (entry: Entry, value: Value): Entry => ({
  ...entry,
  instructions: entry.instructions.filter(({ results }) => !results.includes(value)),
});

function compileFrom<L>(
  source: Source,
  options: CompileOptions,
  name: "train" | "eval",
  packed: "none" | "read",
  cut: (module: Module, entry: Entry) => { readonly module: Module; readonly layers: readonly L[] },
): Report<{ readonly artifact: CompiledArtifact; readonly layers: readonly L[] }> {
  const lowered = lowerSource(source, options);
  if (lowered.value === undefined) return { diagnostics: lowered.diagnostics };
  const { resolved } = lowered.value;
  const { sources } = resolved;
  const diagnostics: Diagnostic[] = [...lowered.diagnostics];
  const selected = selectEntries(inOneBatch(lowered.value.module), (entry) => entry === name).value;
  if (selected === undefined) return { diagnostics };
  const passed = runPasses(selected, { sources, largestBinding: largestBinding(targetsOf(options)), packed, until: "expand" });
  diagnostics.push(...passed.diagnostics);
  const entry = passed.value && entryNamed(passed.value.module, name);
  if (passed.value === undefined || entry === undefined || hasErrors(diagnostics)) return { diagnostics };
  const { module, layers } = cut(passed.value.module, entry);
  const compiled = compileModule(module, { ...options, sources, model: resolved.modelName, policy: resolved.policy?.name ?? "none" });
  diagnostics.push(...compiled.diagnostics);
  return compiled.value === undefined ? { diagnostics } : { value: { artifact: compiled.value, layers }, diagnostics };
}

/** Names for outputs, one for each value. */
class OutputNames {
  readonly #names = new Map<Value, string>();

  list(): Entry["outputs"] {
    return [...this.#names].map(([value, name]) => ({ name, value }));
  }

  of(value: Value): string {
    const name = this.#names.get(value) ?? `probe_${this.#names.size}`;
    this.#names.set(value, name);
    return name;
  }

  ofRounded({ codes, scale, offset }: RoundedOperand): RoundedOutputs {
    return { codes: this.of(codes), scale: this.of(scale), ...(offset === undefined ? {} : { offset: this.of(offset) }) };
  }

  ofLayer({ name: site, activation, isWeightFirst, result }: Site, { input = true } = {}): LayerOutputs {
    const { rounded } = activation;
    return {
      site,
      isWeightFirst,
      input: input ? this.of(activation.source) : "",
      result: this.of(result),
      ...(rounded === undefined ? {} : { activation: this.ofRounded(rounded) }),
    };
  }
}
