// A training step with checks behind every op, for finding what made a value that is not finite.
import type { CheckedArtifact, FiniteCheck } from "../../ir/artifact.ts";
import { type Diagnostic, hasErrors, type Report } from "../../ir/diagnostic.ts";
import { entryNamed, type Module, type Value } from "../../ir/module.ts";
import { type Source, spanAt } from "../../ir/source.ts";
import { checkedValues, insertFiniteChecks } from "../../passes/insert-finite-checks.ts";
import { defaultOptions } from "../../passes/pass.ts";
import { type CompileOptions, compileModule } from "./compile.ts";
import { inOneBatch, selectEntries } from "./entries.ts";
import { lowerSource } from "./frontend.ts";
import { runPasses } from "./passes.ts";
import { largestBinding, targetsOf } from "./plan.ts";

const trainEntry = "train";

/**
 * Compile a recipe's training step with a check behind every op, as the user's composites where they are: the passes that follow expand them. Takes
 * what {@link compile} takes. A step in micro-batches is checked by the micro-batch: each is a step of its own here. No value where there is an error; throws a CompilerCrash for a bug of ours.
 */
export function compileChecked(source: Source, options: Omit<CompileOptions, "entries"> = {}): Report<CheckedArtifact> {
  const lowered = lowerSource(source, options);
  if (lowered.value === undefined) return { diagnostics: lowered.diagnostics };
  const { resolved } = lowered.value;
  const module = inOneBatch(lowered.value.module);
  const { sources } = resolved;
  const diagnostics: Diagnostic[] = [...lowered.diagnostics];
  const passed = (current: Module, more: Parameters<typeof runPasses>[1]): Module | undefined => {
    const { value, diagnostics: problems } = runPasses(current, { sources, largestBinding: largestBinding(targetsOf(options)), ...more });
    diagnostics.push(...problems);
    return hasErrors(problems) ? undefined : value?.module;
  };
  const selected = selectEntries(module, (name) => name === trainEntry).value;
  const step = selected && passed(selected, { until: "differentiated" });
  const checked = step && passed(step, { pipeline: [{ pass: insertFiniteChecks, options: defaultOptions(insertFiniteChecks) }] });
  if (step === undefined || checked === undefined) return { diagnostics };
  const compiled = compileModule(checked, { ...options, sources, model: resolved.modelName, policy: resolved.policy?.name ?? "none" });
  diagnostics.push(...compiled.diagnostics);
  return compiled.value === undefined
    ? { diagnostics }
    : { value: { artifact: compiled.value, ...describeChecks(step, sources) }, diagnostics };
}

function describeChecks(step: Module, sources: readonly Source[]): Pick<CheckedArtifact, "checks" | "decisive"> {
  const entry = entryNamed(step, trainEntry);
  const checked = entry === undefined ? [] : checkedValues(entry);
  const outputs = new Map(checked.map(({ value, output }) => [value, output]));
  const outputsOf = (values: readonly Value[]) => [...new Set(values)].flatMap((value) => outputs.get(value) ?? []);
  const checks = checked.map(({ output, instruction: { op, operands, attrs, at } }): FiniteCheck => {
    const source = at === undefined ? undefined : sources.find(({ path }) => path === at.path);
    return {
      output,
      op: op.signature.name,
      operands: outputsOf(operands),
      ...(op.signature.name === "state.read" ? { state: String(attrs["name"]) } : {}),
      ...(at?.instance === undefined ? {} : { instance: at.instance }),
      ...(at === undefined || source === undefined ? {} : { at: spanAt(source, at) }),
    };
  });
  return { checks, decisive: outputsOf(entry?.outputs.map(({ value }) => value) ?? []) };
}
