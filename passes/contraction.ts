// Which contractions a policy quantizes and how: the reading of the mark `quantize` that insert-hadamard and insert-quant share.

import type { AttributesOf } from "../ir/attribute.ts";
import { Rejection, reject } from "../ir/diagnostic.ts";
import { printDim } from "../ir/dim.ts";
import type { DiagnosticCode } from "../ir/errors/table.ts";
import type { Instruction, Value } from "../ir/module.ts";
import { dot } from "../ir/ops/dot.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { quantCenter } from "../ir/ops/quant.ts";
import { stateRead } from "../ir/ops/source.ts";
import type { Side } from "../ir/quant/quantizer.ts";
import { checkChoice, schemeNamed } from "../ir/quant/table.ts";
import type { PassContext } from "./pass.ts";

/** One operand of a quantized contraction. Codes and scales run along the last axis, which is the contracted one. */
export interface OperandPlan {
  readonly axis: number;
  readonly part: "weight" | "activation";
  /** Absent: this operand stays in float. */
  readonly side?: Side;
}

/** What the policy means at one contraction. */
export interface ContractionPlan {
  readonly scheme: string;
  readonly operands: readonly [OperandPlan, OperandPlan];
}

type Producer = (value: Value) => Instruction | undefined;

/**
 * The plan of an instruction that the policy stamped; undefined where it stamped nothing, or where what it says does not fit
 * (which is reported at the instruction's location).
 */
export function planContraction(instruction: Instruction, producer: Producer, cx: PassContext): ContractionPlan | undefined {
  const choice = instruction.marks.quantize;
  if (choice === undefined) return undefined;
  try {
    checkChoice(choice);
    const [left, right] = contractedLastAxes(instruction);
    const sides = schemeNamed(choice.scheme).sides(choice.settings, left.columns);
    const weightFirst = weightIsFirst(instruction, producer);
    const plan = ({ axis }: Contracted, part: OperandPlan["part"]): OperandPlan => {
      const side = sides[part];
      return side === undefined ? { axis, part } : { axis, part, side };
    };
    return {
      scheme: choice.scheme,
      operands: weightFirst ? [plan(left, "weight"), plan(right, "activation")] : [plan(left, "activation"), plan(right, "weight")],
    };
  } catch (thrown) {
    if (!(thrown instanceof Rejection)) throw thrown;
    reportAtSite(cx, instruction, "quantize-misfit", thrown.message, thrown.help);
    return undefined;
  }
}

/** An error about a contraction, begun with the site that it is. */
export function reportAtSite(
  cx: PassContext,
  instruction: Instruction,
  code: DiagnosticCode,
  message: string,
  help: readonly string[],
): void {
  const { site } = instruction.marks;
  cx.report({ severity: "error", code, message: site === undefined ? message : `\`${site}\`: ${message}`, instruction, help });
}

/** The one contracted axis of each operand, last in both, and its size. Rejects any other contraction. */
function contractedLastAxes(instruction: Instruction): readonly [Contracted, Contracted] {
  const { op, operands } = instruction;
  if (op.signature.name !== dot.name) return reject(`only a \`dot\` can be quantized by a policy, this is \`${op.signature.name}\``);
  const { contract, batch } = instruction.attrs as AttributesOf<typeof dot.attrs>;
  const [left, right] = [0, 1].map((i) => contractedLastAxis(operands[i], contract[i] ?? []));
  if (left === undefined || right === undefined) {
    return reject("a quantized `dot` contracts the last axis of both operands and no other", [
      "transpose the operand first, or leave this site at `none`",
    ]);
  }
  if ((batch[0] ?? []).length > 0) return reject("a quantized `dot` has no batch axes", ["leave this site at `none`"]);
  return [left, right];
}

interface Contracted {
  readonly axis: number;
  readonly columns: number;
}

function contractedLastAxis(operand: Value | undefined, contract: readonly number[]): Contracted | undefined {
  const [axis, ...more] = contract;
  if (operand === undefined || axis === undefined || more.length > 0 || axis !== operand.type.dims.length - 1) return undefined;
  const columns = operand.type.dims[axis] ?? 0;
  if (typeof columns !== "number")
    return reject(`the contracted axis has the unbound size ${printDim(columns)}`, ["make it a parameter of the model"]);
  return { axis, columns };
}

/** Whether the first operand is the weight: it comes from state and the second does not. The language writes `dot(x, weight)`. */
function weightIsFirst({ operands: [left, right] }: Instruction, producer: Producer): boolean {
  return left !== undefined && right !== undefined && comesFromState(left, producer) && !comesFromState(right, producer);
}

/** Whether a value is state, seen otherwise, rotated, or less a number for each row. */
export const comesFromState = (value: Value, producer: Producer): boolean => stateBehind(value, producer) !== undefined;

/** The state that a value is, but for views, rotations and centers. */
export function stateBehind(value: Value, producer: Producer): string | undefined {
  for (let from = producer(value); from !== undefined; ) {
    if (from.op.signature.name === stateRead.name) return String(from.attrs["name"]);
    const [x, ...more] = from.operands;
    const { name } = from.op.signature;
    const isOfOne = (from.op.lower.kind === "view" || name === hadamard.name) && more.length === 0;
    if (x === undefined || !(isOfOne || name === quantCenter.name)) return undefined;
    from = producer(x);
  }
  return undefined;
}
