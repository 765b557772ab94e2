// Which entries of a module are compiled: those asked for, or all whose sizes are known.
import type { Diagnostic, Report } from "../../ir/diagnostic.ts";
import { namesOfDim } from "../../ir/dim.ts";
import type { Entry, Module } from "../../ir/module.ts";
import { statesUsedBy } from "../../ir/ops/source.ts";

/**
 * The module with the entries to compile: those that `keep` wants, where one without sizes is left for `to-plan` to refuse; without
 * `keep` all but those whose sizes are not bound, which are left out with a warning unless there are no others.
 */
export function selectEntries(module: Module, keep?: (name: string) => boolean): Report<Module> {
  if (keep !== undefined) return { value: only(module, (entry) => keep(entry.name)), diagnostics: [] };
  const bound = module.entries.filter((entry) => unboundNames(entry).length === 0);
  if (bound.length === module.entries.length || bound.length === 0) return { value: module, diagnostics: [] };
  const diagnostics = module.entries.filter((entry) => !bound.includes(entry)).map(leftOut);
  return { value: only(module, (entry) => bound.includes(entry)), diagnostics };
}

/** Without `@train` there is nothing to differentiate; a cache that only the other entries use is nothing but memory. */
function only(module: Module, keep: (entry: Entry) => boolean): Module {
  const { training, ...rest } = module;
  const entries = module.entries.filter(keep);
  if (entries.length === module.entries.length) return module;
  const used = new Set(entries.flatMap(statesUsedBy));
  const states = module.states.filter(({ role, name }) => role !== "cache" || used.has(name));
  return { ...rest, states, entries, ...(training !== undefined && entries.some(({ name }) => name === "train") ? { training } : {}) };
}

/** A step of one micro-batch, where the recipe says that it has several. */
export function inOneBatch({ training, ...rest }: Module): Module {
  if (training === undefined) return rest;
  const { accumulate: _, ...whole } = training;
  return { ...rest, training: whole };
}

const unboundNames = (entry: Entry): readonly string[] => [
  ...new Set(entry.inputs.flatMap(({ value }) => value.type.dims.flatMap(namesOfDim))),
];

function leftOut(entry: Entry): Diagnostic {
  const names = unboundNames(entry);
  const message = `@${entry.name} is left out, since ${names.map((name) => `\`${name}\``).join(", ")} ${names.length === 1 ? "has" : "have"} no size`;
  return {
    severity: "warning",
    code: "unbound-dimension",
    message,
    help: [`bind it: \`${names.map((name) => `--set ${name}=1`).join(" ")}\``],
  };
}
