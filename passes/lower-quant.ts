// lower-quant: fake quantization becomes codes and their decoding, with the gradient mask made where the codes are made.
import { type Entry, type Instruction, mapEntries } from "../ir/module.ts";
import { quantDecode, quantEncode, quantFake, quantMask } from "../ir/ops/quant.ts";
import type { Signature } from "../ir/op.ts";
import { type Rule, rewriteEntry, ruleFor } from "../ir/rewrite.ts";
import { definePass } from "./pass.ts";

export const lowerQuant = definePass({
  name: "lower-quant",
  summary: "Turn quant.fake into quant.encode and quant.decode, so that codes, scales and one mask bit are what lives until backward.",
  needs: ["quantized", "differentiated"],
  leaves: "same",
  options: {},
  run: (module, _options, cx) =>
    mapEntries(module, (entry) => {
      const hoisted = hoistMasks(entry, (times) => cx.count("hoist-mask", times));
      return rewriteEntry(hoisted, [fakeToCodes], (name) => cx.count(name));
    }),
});

/** Forward and backward contractions share one decode: it is pointwise, each of them loads the codes through it. */
const fakeToCodes: Rule = ruleFor(quantFake, "fake-to-codes", ([x, scale], { scheme, bits }, { builder }) => {
  const hint = x.hint;
  const codes = builder.emit(quantEncode, [x, scale], { scheme, bits }, { hint: `${hint}c` });
  return [builder.emit(quantDecode, [codes, scale])];
});

/**
 * Move each mask up behind the rounding of the same values. Backward emits it where the gradient needs it, which would keep the
 * float values alive until there; behind the rounding only its bits live on, and one kernel makes both.
 */
function hoistMasks(entry: Entry, count: (times: number) => void): Entry {
  const roundingOf = (mask: Instruction): Instruction | undefined =>
    entry.instructions.find((i) => isOp(i, quantFake) && i.operands.every((value, at) => value === mask.operands[at]));
  const behind = new Map<Instruction, Instruction[]>();
  const moved = new Set<Instruction>();
  for (const [at, instruction] of entry.instructions.entries()) {
    const rounding = isOp(instruction, quantMask) ? roundingOf(instruction) : undefined;
    if (rounding === undefined || entry.instructions.indexOf(rounding) >= at - 1) continue;
    behind.set(rounding, [...(behind.get(rounding) ?? []), instruction]);
    moved.add(instruction);
  }
  if (moved.size === 0) return entry;
  count(moved.size);
  const instructions = entry.instructions.flatMap((i) => (moved.has(i) ? [] : [i, ...(behind.get(i) ?? [])]));
  return { ...entry, instructions };
}

const isOp = ({ op }: Instruction, { name }: Signature): boolean => op.signature.name === name;
