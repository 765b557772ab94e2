// insert-hadamard: the rotations that a policy asks for, before anything is rounded. Sites keep their mark for insert-quant.
import { regionOf } from "../ir/marks.ts";
import { type Instruction, mapEntries, type Value } from "../ir/module.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { type RewriteContext, type Rule, rewriteEntry, rule } from "../ir/rewrite.ts";
import { type OperandPlan, planContraction } from "./contraction.ts";
import { definePass, type PassContext } from "./pass.ts";
import { quantName } from "./quant-names.ts";

export const insertHadamard = definePass({
  name: "insert-hadamard",
  summary: "Rotate what each quantized contraction rounds, so that outliers spread over a block.",
  needs: "surface",
  leaves: "surface",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) => rewriteEntry(entry, [rotateOperands(cx)], (name) => cx.count(name), { once: true })),
});

/**
 * Half: dot(x H, w H) = dot(x, w), since the rotation runs along the contracted axis. Full: x becomes (x H) H = x, and insert-quant
 * rounds between the two; a lone quantized side is always full, so the other operand needs no rotation.
 */
const rotateOperands = (cx: PassContext): Rule =>
  rule("rotate-contraction", (instruction, { builder, producer }) => {
    const plan = planContraction(instruction, producer, cx);
    if (plan === undefined) return undefined;
    const operands = instruction.operands.map((value, i) => rotated(value, plan.operands[i], builder));
    if (operands.every((value, i) => value === instruction.operands[i])) return undefined;
    return builder.emitOp(instruction.op, operands, instruction.attrs);
  });

function rotated(value: Value, operand: OperandPlan | undefined, builder: RewriteContext["builder"]): Value {
  const side = operand?.side;
  if (operand === undefined || side === undefined || side.rotation === "none") return value;
  const rotation = { axis: operand.axis, block: side.block };
  const there = builder.emit(hadamard, [value], rotation, { hint: quantName(value, "h"), marks: regionOf(builder.marks) });
  return side.rotation === "half" ? there : builder.emit(hadamard, [there], rotation, { hint: value.hint, marks: regionOf(builder.marks) });
}

/** The transform that {@link insertHadamard} put in front of a quantized operand: its instruction, if `value` is its result. */
export function rotationOf(value: Value, axis: number, block: number, producer: RewriteContext["producer"]): Instruction | undefined {
  const from = producer(value);
  const isRotation = from?.op.signature.name === hadamard.name && from.attrs["axis"] === axis && from.attrs["block"] === block;
  return isRotation ? from : undefined;
}
