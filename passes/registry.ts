// The table of passes. To add one: write its file beside this one and add its line here (CONTRIBUTING.md walks through it).
import { canonicalize } from "./canonicalize.ts";
import { cleanup } from "./cleanup.ts";
import { differentiate } from "./differentiate.ts";
import { expand } from "./expand.ts";
import { fuse } from "./fuse.ts";
import { insertHadamard } from "./insert-hadamard.ts";
import { insertQuant } from "./insert-quant.ts";
import { lowerQuant } from "./lower-quant.ts";
import type { Pass } from "./pass.ts";

/** In alphabetical order; `pipeline.ts` says in which order they run. */
export const passes: readonly Pass[] = [canonicalize, cleanup, differentiate, expand, fuse, insertHadamard, insertQuant, lowerQuant];

export const findPass = (name: string): Pass | undefined => passes.find((pass) => pass.name === name);
