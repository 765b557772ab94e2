// The registry of diagnostic codes: every code with its explanation, by area. A code that does not stand here does not compile.
import { commandErrors } from "./command.ts";
import { dataErrors } from "./data.ts";
import { experimentErrors } from "./experiment.ts";
import type { Explanation } from "./explanation.ts";
import { irModuleErrors } from "./ir-module.ts";
import { irTextErrors } from "./ir-text.ts";
import { modelCodeErrors } from "./model-code.ts";
import { modelPartErrors } from "./model-parts.ts";
import { passErrors } from "./passes.ts";
import { planErrors } from "./plan.ts";
import { policyErrors } from "./policy.ts";
import { recipeErrors } from "./recipe.ts";
import { runErrors } from "./run.ts";

/** In the order of `bitloom explain` and of the page. */
export const errorAreas = [
  { title: "Models: modules, names, arguments", entries: modelPartErrors },
  { title: "Models: syntax, shapes, types", entries: modelCodeErrors },
  { title: "Policies", entries: policyErrors },
  { title: "Recipes and overrides", entries: recipeErrors },
  { title: "IR text", entries: irTextErrors },
  { title: "IR modules", entries: irModuleErrors },
  { title: "Forms and passes", entries: passErrors },
  { title: "Plans and targets", entries: planErrors },
  { title: "Data", entries: dataErrors },
  { title: "Running", entries: runErrors },
  { title: "Experiments", entries: experimentErrors },
  { title: "Command line", entries: commandErrors },
] as const satisfies readonly { readonly title: string; readonly entries: Readonly<Record<string, Explanation>> }[];

/** A stable kebab-case name of a kind of problem. */
export type DiagnosticCode = KeyOf<(typeof errorAreas)[number]["entries"]>;
type KeyOf<T> = T extends unknown ? keyof T : never;

const explanations: ReadonlyMap<string, Explanation> = new Map(errorAreas.flatMap(({ entries }) => Object.entries(entries)));

export const diagnosticCodes: readonly string[] = [...explanations.keys()];

/** What is said about a code; undefined where there is no such code. */
export const explanationOf = (code: string): Explanation | undefined => explanations.get(code);
