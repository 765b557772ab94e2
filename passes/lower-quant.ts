// lower-quant: fake quantization becomes codes and their decoding, with the gradient mask made where the codes are made, and
// contractions of two decoded tensors become contractions of their codes.
import { regionOf } from "../ir/marks.ts";
import { type Entry, type Instruction, mapEntries, type Value } from "../ir/module.ts";
import type { Signature } from "../ir/op.ts";
import { dot } from "../ir/ops/dot.ts";
import { quantDecode, quantEncode, quantFake, quantMask } from "../ir/ops/quant.ts";
import { quantDot, sumsFit } from "../ir/ops/quant-dot.ts";
import { integerLevels } from "../ir/quant/grid.ts";
import { type RewriteContext, type Rule, replaceValues, rewriteEntry, ruleFor } from "../ir/rewrite.ts";
import type { CodesType } from "../ir/type.ts";
import { definePass } from "./pass.ts";
import { quantName } from "./quant-names.ts";

export const lowerQuant = definePass({
  name: "lower-quant",
  summary: "Turn quant.fake into codes and their decoding, and contractions of two decoded tensors into quant.dot on the codes.",
  needs: ["quantized", "differentiated"],
  leaves: "same",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) => {
      const hoisted = hoistMasks(entry, (times) => cx.count("hoist-mask", times));
      return rewriteEntry(hoisted, [fakeToCodes, dotOfDecoded], (name) => cx.count(name));
    }),
});

/** Forward and backward contractions share one decode: it is pointwise, each of them loads the codes through it. */
const fakeToCodes: Rule = ruleFor(quantFake, "fake-to-codes", ([x, scale], attrs, { builder }) => {
  const codes = builder.emit(quantEncode, [x, scale], { ...attrs, layout: "auto" }, { hint: quantName(x, "c") });
  return [builder.emit(quantDecode, [codes, scale])];
});

/**
 * dot(decode(x), decode(w)) = quant.dot(x, w), where each row has one scale and levels are whole multiples of it. Backward contractions
 * have a gradient on one side and keep the decode, which is fused as their load.
 */
const dotOfDecoded: Rule = ruleFor(dot, "dot-of-decoded", ([lhs, rhs], { contract, batch }, cx) => {
  const [left, right] = [rowsOfCodes(lhs, contract[0], cx), rowsOfCodes(rhs, contract[1], cx)];
  if (left === undefined || right === undefined || batch[0].length > 0) return undefined;
  if (!sumsFit(left.type, right.type)) return undefined;
  return [cx.builder.emit(quantDot, [left.codes, left.scale, right.codes, right.scale], { contract, batch, arithmetic: "auto" })];
});

interface RowsOfCodes {
  readonly codes: Value;
  readonly scale: Value;
  readonly type: CodesType;
}

function rowsOfCodes(value: Value, contract: readonly number[], cx: RewriteContext): RowsOfCodes | undefined {
  const decode = cx.producer(value);
  const [codes, scale] = decode?.operands ?? [];
  if (decode === undefined || !isOp(decode, quantDecode) || codes?.type.kind !== "codes" || scale === undefined) return undefined;
  const { type } = codes;
  const columns = type.dims.at(-1);
  const isAlongLast = contract.length === 1 && contract[0] === type.dims.length - 1;
  if (!isAlongLast || typeof columns !== "number" || scale.type.dims.at(-1) !== 1) return undefined;
  return integerLevels(type.grid) === undefined ? undefined : { codes, scale, type };
}

/**
 * Move each mask up behind the rounding of the same values. Backward emits it where the gradient needs it, which would keep the
 * float values alive until there; behind the rounding only its bits live on, and one kernel makes both.
 */
function hoistMasks(entry: Entry, count: (times: number) => void): Entry {
  const roundings = new Map<Value | undefined, { readonly at: number; readonly scale: Value | undefined }[]>();
  for (const [at, instruction] of entry.instructions.entries()) {
    if (!isOp(instruction, quantFake)) continue;
    const [x, scale] = instruction.operands;
    const known = roundings.get(x);
    if (known === undefined) roundings.set(x, [{ at, scale }]);
    else known.push({ at, scale });
  }
  const roundingOf = ({ operands: [x, scale] }: Instruction): number => roundings.get(x)?.find((r) => r.scale === scale)?.at ?? -1;
  const behind = new Map<number, Instruction[]>();
  const moved = new Set<number>();
  const renamed = new Map<Value, Value>();
  for (const [at, instruction] of entry.instructions.entries()) {
    if (!isOp(instruction, quantMask)) continue;
    const rounding = roundingOf(instruction);
    const [x] = instruction.operands;
    const [old] = instruction.results;
    if (rounding < 0 || rounding >= at - 1 || x === undefined || old === undefined) continue;
    const mask: Value = { ...old, hint: quantName(x, "m") };
    renamed.set(old, mask);
    moved.add(at);
    const marks = { ...instruction.marks, ...regionOf(entry.instructions[rounding]?.marks ?? {}) };
    behind.set(rounding, [...(behind.get(rounding) ?? []), { ...instruction, results: [mask], marks }]);
  }
  if (moved.size === 0) return entry;
  count(moved.size);
  const instructions = entry.instructions.flatMap((i, at) => (moved.has(at) ? [] : [i, ...(behind.get(at) ?? [])]));
  return replaceValues({ ...entry, instructions }, renamed);
}

const isOp = ({ op }: Instruction, { name }: Signature): boolean => op.signature.name === name;
