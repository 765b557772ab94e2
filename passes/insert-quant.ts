// insert-quant: scales and fake quantization where the policy's mark says so. Consumes the mark; `site` stays.
import { regionOf } from "../ir/marks.ts";
import { mapEntries, type Value } from "../ir/module.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { prune, unitName } from "../ir/ops/prune.ts";
import { quantFake, quantScale } from "../ir/ops/quant.ts";
import type { Side } from "../ir/quant/quantizer.ts";
import { prunerNamed } from "../ir/quant/table.ts";
import { type RewriteContext, type Rule, rewriteEntry, rule } from "../ir/rewrite.ts";
import { type OperandPlan, planContraction, reportAtSite } from "./contraction.ts";
import { rotationOf } from "./insert-hadamard.ts";
import { definePass, type PassContext } from "./pass.ts";
import { quantName } from "./quant-names.ts";

export const insertQuant = definePass({
  name: "insert-quant",
  summary: "Round the operands of each quantized contraction to their grid, with scales computed from the rows.",
  needs: "surface",
  leaves: "quantized",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) => rewriteEntry(entry, [quantizeOperands(cx)], (name) => cx.count(name), { once: true })),
});

const quantizeOperands = (cx: PassContext): Rule =>
  rule("quantize-contraction", (instruction, { builder, producer }) => {
    const plan = planContraction(instruction, producer, cx);
    if (plan === undefined) return undefined;
    const { quantize: _consumed, ...marks } = instruction.marks;
    const operands: Value[] = [];
    for (const [i, value] of instruction.operands.entries()) {
      const rounded = quantized(value, plan.scheme, plan.operands[i], builder, producer);
      if (rounded === undefined) {
        const message = `operand ${i} is to be rounded in a rotation, which is not there`;
        reportAtSite(cx, instruction, "rotation-missing", message, ["run `insert-hadamard` before `insert-quant`"]);
        return undefined;
      }
      operands.push(rounded);
    }
    return builder.emitOp(instruction.op, operands, instruction.attrs, { marks });
  });

/** The operand on its grid, or pruned; undefined where the rotation that the side asks for is not there. */
function quantized(
  value: Value,
  scheme: string,
  operand: OperandPlan | undefined,
  builder: RewriteContext["builder"],
  producer: RewriteContext["producer"],
): Value | undefined {
  const side = operand?.side;
  if (operand === undefined || side === undefined) return value;
  if (side.rotation === "none") return rounded(value, scheme, side, builder);
  const last = rotationOf(value, operand.axis, side.block, producer);
  if (last === undefined) return undefined;
  if (side.rotation === "half") return rounded(value, scheme, side, builder);
  const [there] = last.operands;
  if (there === undefined || rotationOf(there, operand.axis, side.block, producer) === undefined) return undefined;
  // Rounding goes between the two rotations. The one back is emitted anew: another site may use the old one with other settings.
  const back = { axis: operand.axis, block: side.block };
  return builder.emit(hadamard, [rounded(there, scheme, side, builder)], back, { hint: value.hint, marks: regionOf(builder.marks) });
}

function rounded(value: Value, ofSite: string, side: Side, builder: RewriteContext["builder"]): Value {
  const { scheme = ofSite, bits, group, outer } = side;
  const pruner = prunerNamed(scheme);
  if (pruner !== undefined)
    return builder.emit(prune, [value], { unit: unitName(pruner.unit) }, { hint: quantName(value, "q"), marks: regionOf(builder.marks) });
  const scale = builder.emit(quantScale, [value], { scheme, bits, group }, { hint: quantName(value, "s"), marks: regionOf(builder.marks) });
  return builder.emit(quantFake, [value, scale], { scheme, bits, outer }, { hint: quantName(value, "q"), marks: regionOf(builder.marks) });
}
