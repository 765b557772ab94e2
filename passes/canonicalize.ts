// canonicalize: local rewrites to one usual form. Every rule is exact in f32 (no reassociation, no changed rounding, and the sign of
// zero kept but for a sum of one term), so it may run anywhere and as often as it likes.
import { mapEntries } from "../ir/module.ts";
import { type Rule, rewriteEntry } from "../ir/rewrite.ts";
import { definePass } from "./pass.ts";
import { contractionRules } from "./rules/contractions.ts";
import { pointwiseRules } from "./rules/pointwise.ts";
import { viewRules } from "./rules/views.ts";

const canonicalizeRules: readonly Rule[] = [...viewRules, ...pointwiseRules, ...contractionRules];

export const canonicalize = definePass({
  name: "canonicalize",
  summary: "Drop what changes nothing, fold constants, merge views; exact in f32.",
  needs: "any",
  leaves: "same",
  options: {},
  run: (module, _options, cx) => mapEntries(module, (entry) => rewriteEntry(entry, canonicalizeRules, (name) => cx.count(name))),
});
