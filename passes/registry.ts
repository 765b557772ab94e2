// The passes by name: those of the pipeline, which is the one list that such a pass is added to, and those that only look into a module.
import { insertFiniteChecks } from "./insert-finite-checks.ts";
import type { Pass } from "./pass.ts";
import { pipeline } from "./pipeline.ts";

const byName = new Map([...pipeline.map(({ pass }) => pass), insertFiniteChecks].map((pass) => [pass.name, pass]));

/** In alphabetical order; `pipeline.ts` says in which order they run. */
export const passes: readonly Pass[] = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

export const findPass = (name: string): Pass | undefined => byName.get(name);
