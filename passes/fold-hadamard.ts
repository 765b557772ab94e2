// fold-hadamard: weights that are kept as codes stay in their rotation, and what they are multiplied with is rotated instead.
// dot(x, w H) = dot(x H, w), since H is symmetric and runs along the contracted axis; and (x H) H = x.
//
// Where weights are rounded in every run this would only move work, from weights to activations; for packed ones the rotation of weights is done.
import { regionOf } from "../ir/marks.ts";
import { mapEntries, type Value } from "../ir/module.ts";
import { dot } from "../ir/ops/dot.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { quantFake } from "../ir/ops/quant.ts";
import { type RewriteContext, type Rule, rewriteEntry, ruleFor } from "../ir/rewrite.ts";
import { comesFromState } from "./contraction.ts";
import { rotationOf } from "./insert-hadamard.ts";
import { packedOption } from "./pack-weights.ts";
import { definePass } from "./pass.ts";

export const foldHadamard = definePass({
  name: "fold-hadamard",
  summary: "Rotate what meets a packed weight instead of rotating the weight back (with `packed = read`).",
  needs: "quantized",
  leaves: "same",
  options: packedOption,
  run: (module, { packed }, cx) =>
    packed === "read"
      ? mapEntries(module, (entry) => rewriteEntry(entry, [foldIntoOther], (name) => cx.count(name), { once: true }))
      : module,
});

const foldIntoOther: Rule = ruleFor(dot, "fold-rotation", ([lhs, rhs], attrs, cx) => {
  const sides = [lhs, rhs] as const;
  for (const side of [1, 0] as const) {
    const other = side === 0 ? 1 : 0;
    const [axis, ...more] = attrs.contract[side];
    const [across] = attrs.contract[other];
    const back = cx.producer(sides[side]);
    if (axis === undefined || across === undefined || more.length > 0 || back?.op.signature.name !== hadamard.name) continue;
    const [rounded] = back.operands;
    if (rounded === undefined || back.attrs["axis"] !== axis || !isRoundedWeight(rounded, cx)) continue;
    const rotated = rotatedAlong(sides[other], across, Number(back.attrs["block"]), cx);
    return [cx.builder.emit(dot, side === 0 ? [rounded, rotated] : [rotated, rounded], attrs)];
  }
  return undefined;
});

function isRoundedWeight(value: Value, { producer }: RewriteContext): boolean {
  const fake = producer(value);
  const [x] = fake?.operands ?? [];
  return fake?.op.signature.name === quantFake.name && x !== undefined && comesFromState(x, producer);
}

/** What was rotated by the same matrix before is there unrotated already. */
function rotatedAlong(value: Value, axis: number, block: number, { builder, producer }: RewriteContext): Value {
  const [before] = rotationOf(value, axis, block, producer)?.operands ?? [];
  return before ?? builder.emit(hadamard, [value], { axis, block }, { hint: `${value.hint}_h`, marks: regionOf(builder.marks) });
}
