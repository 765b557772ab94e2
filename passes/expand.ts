// expand: composites become the ops that they stand for, until none is left. From here on every op is a kernel, a view or a source.
import { mapEntries } from "../ir/module.ts";
import { ops } from "../ir/ops/table.ts";
import { type Rule, rewriteEntry, rule } from "../ir/rewrite.ts";
import { definePass } from "./pass.ts";

export const expand = definePass({
  name: "expand",
  summary: "Replace composites (softmax, cross_entropy, mean, ...) by what they stand for.",
  needs: ["quantized", "differentiated"],
  leaves: "primitive",
  options: {},
  run: (module, _options, cx) => mapEntries(module, (entry) => rewriteEntry(entry, expansions, (name) => cx.count(name))),
});

/** One rule for each composite, named after it; what an expansion emits is expanded in the next sweep. */
const expansions: readonly Rule[] = ops.flatMap((op) => {
  const { lower } = op;
  if (lower.kind !== "expand") return [];
  const { name } = op.signature;
  return rule(name, (instruction, { builder }) =>
    instruction.op.signature.name === name ? lower.expand(builder, instruction.operands, instruction.attrs) : undefined,
  );
});
