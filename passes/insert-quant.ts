// insert-quant: scales and fake quantization where the policy's mark says so. Consumes the mark; `site` stays.
import { calibrateEntry } from "../ir/artifact.ts";
import { Rejection } from "../ir/diagnostic.ts";
import { regionOf } from "../ir/marks.ts";
import { type Entry, entryNamed, type Module, mapEntries, type Value } from "../ir/module.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { prune, unitName } from "../ir/ops/prune.ts";
import { quantCenter, quantFake, quantScale } from "../ir/ops/quant.ts";
import type { Side } from "../ir/quant/quantizer.ts";
import { prunerNamed } from "../ir/quant/table.ts";
import { type RewriteContext, type Rule, removeDead, rewriteEntry, rule } from "../ir/rewrite.ts";
import { centeredRows } from "./centered-rows.ts";
import { type OperandPlan, planContraction, reportAtSite } from "./contraction.ts";
import { rotationOf } from "./insert-hadamard.ts";
import { EntryScales, LearnedScales } from "./learned-scales.ts";
import { type Rounded, withOffsets } from "./offset-terms.ts";
import { definePass, type PassContext } from "./pass.ts";
import { quantName } from "./quant-names.ts";

const trainEntry = "train";

export const insertQuant = definePass({
  name: "insert-quant",
  summary:
    "Round the operands of each quantized contraction to their grid, with scales that are computed from the rows or learned; for learned ones `@calibrate` is made of `@train`.",
  needs: "surface",
  leaves: "quantized",
  options: {},
  run(module, _options, cx) {
    const scales = new LearnedScales();
    const quantize = (entry: Entry, own: EntryScales, at: PassContext): Entry =>
      rewriteEntry(entry, [quantizeOperands(own, at)], (name) => at.count(name), { once: true });
    const quantized = mapEntries(module, (entry) => quantize(entry, new EntryScales(scales, false), cx));
    return scales.states.length === 0 ? quantized : withScales(module, quantized, scales, quantize);
  },
});

/** The module with the state of its learned scales and the entry that gives that state its first values. */
function withScales(
  surface: Module,
  quantized: Module,
  scales: LearnedScales,
  quantize: (entry: Entry, own: EntryScales, at: PassContext) => Entry,
): Module {
  const states = [...quantized.states, ...scales.states];
  const train = entryNamed(surface, trainEntry);
  if (train === undefined) return { ...quantized, states };
  const own = new EntryScales(scales, true);
  // Each problem has been reported for the entry itself.
  const measured = quantize(train, own, { count: () => undefined, report: () => undefined });
  const calibrate = removeDead({ ...measured, name: calibrateEntry, outputs: [], updates: own.updates });
  return { ...quantized, states, entries: [...quantized.entries, calibrate] };
}

const quantizeOperands = (scales: EntryScales, cx: PassContext): Rule =>
  rule("quantize-contraction", (instruction, rewrite) => {
    const plan = planContraction(instruction, rewrite.producer, cx);
    if (plan === undefined) return undefined;
    const { quantize: _consumed, ...marks } = instruction.marks;
    // What rounds the operands is of the region, and nothing else's.
    rewrite.builder.marks = regionOf(marks);
    const round = rounding(plan.scheme, scales, marks.site, rewrite);
    try {
      const operands: Rounded[] = [];
      for (const [i, value] of instruction.operands.entries()) {
        const rounded = quantized(value, plan.operands[i], round, rewrite);
        if (rounded === undefined) {
          const message = `operand ${i} is to be rounded in a rotation, which is not there`;
          reportAtSite(cx, instruction, "rotation-missing", message, ["run `insert-hadamard` before `insert-quant`"]);
          return undefined;
        }
        operands.push(rounded);
      }
      const [left, right] = operands;
      const values = operands.map(({ value }) => value);
      const products = rewrite.builder.emitOp(instruction.op, values, instruction.attrs, { marks });
      const [product] = products;
      if (left === undefined || right === undefined || product === undefined) throw new Error("a contraction has two operands");
      return [withOffsets(rewrite.builder, product, [left, right])];
    } catch (thrown) {
      if (!(thrown instanceof Rejection)) throw thrown;
      reportAtSite(cx, instruction, "quantize-misfit", thrown.message, thrown.help);
      return undefined;
    }
  });

/** A value on the grid that its side of a contraction asks for, or pruned. */
type Round = (value: Value, operand: OperandPlan & { readonly side: Side }) => Rounded;

/** The operand on its grid, or pruned; undefined where the rotation that the side asks for is not there. */
function quantized(
  value: Value,
  operand: OperandPlan | undefined,
  round: Round,
  { builder, producer }: RewriteContext,
): Rounded | undefined {
  if (operand?.side === undefined) return { value };
  const { axis, side, part } = operand;
  const asked = { axis, side, part };
  if (side.rotation === "none") return round(value, asked);
  const last = rotationOf(value, axis, side.block, producer);
  if (last === undefined) return undefined;
  if (side.rotation === "half") return round(value, asked);
  const [there] = last.operands;
  if (there === undefined || rotationOf(there, axis, side.block, producer) === undefined) return undefined;
  // Rounding goes between the two rotations. The one back is emitted anew: another site may use the old one with other settings.
  const { value: before, offset } = round(there, asked);
  const { block } = side;
  const back = builder.emit(hadamard, [before], { axis, block }, { hint: value.hint });
  return { value: back, ...(offset === undefined ? {} : { offset }), rotated: { before, block } };
}

const rounding =
  (ofSite: string, scales: EntryScales, site: string | undefined, cx: RewriteContext): Round =>
  (value, operand) => {
    const { scheme = ofSite, bits, group, outer, learned, centered } = operand.side;
    const pruner = prunerNamed(scheme);
    if (pruner !== undefined)
      return { value: cx.builder.emit(prune, [value], { unit: unitName(pruner.unit) }, { hint: quantName(value, "q") }) };
    const fake = (x: Value, scale: Value): Value =>
      cx.builder.emit(quantFake, [x, scale], { scheme, bits, outer }, { hint: quantName(value, "q") });
    if (centered !== undefined) {
      const { values, scale, offset } = centeredRows(cx.builder, value, scheme, bits);
      return { value: fake(values, scale), offset };
    }
    if (learned === undefined)
      return { value: fake(value, cx.builder.emit(quantScale, [value], { scheme, bits, group }, { hint: quantName(value, "s") })) };
    const { scale, offset } = scales.emit(value, scheme, operand, site, cx);
    if (offset === undefined) return { value: fake(value, scale) };
    return { value: fake(cx.builder.emit(quantCenter, [value, offset], {}, { hint: value.hint }), scale), offset };
  };
