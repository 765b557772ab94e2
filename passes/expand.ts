// expand: composites become the ops that they stand for, until none is left. From here on every op is a kernel, a view or a source.
import { mapEntries } from "../ir/module.ts";
import { sum } from "../ir/ops/broadcast.ts";
import { cast } from "../ir/ops/cast.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { max, min } from "../ir/ops/reductions.ts";
import { ops } from "../ir/ops/table.ts";
import { transpose } from "../ir/ops/views.ts";
import { type Rule, rewriteEntry, rule, ruleFor } from "../ir/rewrite.ts";
import { definePass } from "./pass.ts";

export const expand = definePass({
  name: "expand",
  summary: "Replace composites (softmax, cross_entropy, mean, ...) by what they stand for.",
  needs: ["quantized", "differentiated"],
  leaves: "primitive",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) =>
      rewriteEntry(entry, [...composites, hadamardOfLast, ...[sum, max, min].map(narrowReduction)], (name) => cx.count(name)),
    ),
});

/** Row kernels transform along the last axis; another one is turned to the end and back, which costs no kernel. */
const hadamardOfLast: Rule = ruleFor(hadamard, "hadamard-of-last", ([x], { axis, block }, { builder }) => {
  const last = x.type.dims.length - 1;
  if (axis === last) return undefined;
  const permutation = x.type.dims.map((_, i) => (i === axis ? last : i === last ? axis : i));
  const turned = builder.emit(hadamard, [builder.emit(transpose, [x], { permutation })], { axis: last, block });
  return [builder.emit(transpose, [turned], { permutation })];
});

/** A lane of a reduction has no whole word of narrow integers to write: these are reduced in 32 bits, and what does not fit wraps. */
const narrowReduction = (sig: typeof sum | typeof max | typeof min): Rule =>
  ruleFor(sig, `narrow-${sig.name}`, ([x], { axes }, { builder }) => {
    if (x.type.kind !== "tensor" || (x.type.scalar !== "i8" && x.type.scalar !== "u8")) return undefined;
    const wide = builder.emit(cast, [x], { to: x.type.scalar === "i8" ? "i32" : "u32" });
    return [builder.emit(cast, [builder.emit(sig, [wide], { axes })], { to: x.type.scalar })];
  });

/** One rule for each composite, named after it; what an expansion emits is expanded in the next sweep. */
const composites: readonly Rule[] = ops.flatMap((op) => {
  const { lower } = op;
  if (lower.kind !== "expand") return [];
  const { name } = op.signature;
  return rule(name, (instruction, { builder }) =>
    instruction.op.signature.name === name ? lower.expand(builder, instruction.operands, instruction.attrs) : undefined,
  );
});
