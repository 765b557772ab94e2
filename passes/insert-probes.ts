// insert-probes: `@probe` gives, for each operand that a contraction rounds, the share of trusted elements and the error of rounding.
import type { AttributesOf } from "../ir/attribute.ts";
import type { Entry, Instruction, Module, Value } from "../ir/module.ts";
import { entryNamed } from "../ir/module.ts";
import { div, mul, sub } from "../ir/ops/arithmetic.ts";
import { sum } from "../ir/ops/broadcast.ts";
import { cast } from "../ir/ops/cast.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { quantCenter, quantFake, quantMask } from "../ir/ops/quant.ts";
import { mean } from "../ir/ops/reductions.ts";
import { newBuilder } from "../ir/ops/table.ts";
import { type ProbeOutput, probeOutputName } from "../ir/probe-output.ts";
import { hasMask } from "../ir/quant/quantizer.ts";
import { removeDead } from "../ir/rewrite.ts";
import { comesFromState } from "./contraction.ts";
import { definePass } from "./pass.ts";

const probeEntry = "probe";

export const insertProbes = definePass({
  name: "insert-probes",
  summary: "Make `@probe` give each rounded operand's share of trusted elements and its squared error, relative to its squares.",
  needs: "quantized",
  leaves: "same",
  options: {},
  run(module, _options, cx) {
    const entry = entryNamed(module, probeEntry);
    if (entry === undefined) return module;
    const probed = probe(entry);
    cx.count("probes", probed.outputs.length);
    const entries = module.entries.flatMap((one) => (one !== entry ? [one] : probed.outputs.length === 0 ? [] : [probed]));
    return { ...module, entries } satisfies Module;
  },
});

/**
 * Of a site that runs twice those of its first run. Where no mask chooses whose gradients pass there is no share.
 */
function probe(entry: Entry): Entry {
  const producers = new Map<Value, Instruction>(entry.instructions.flatMap((i) => i.results.map((result) => [result, i] as const)));
  const producer = (value: Value) => producers.get(value);
  const builder = newBuilder();
  const outputs = new Map<string, Value>();
  for (const instruction of entry.instructions) {
    builder.instructions.push(instruction);
    const { site } = instruction.marks;
    builder.at = instruction.at;
    if (site === undefined) continue;
    for (const operand of instruction.operands) {
      const rounding = roundingOf(operand, producer);
      const [x, scale] = rounding?.operands ?? [];
      const [rounded] = rounding?.results ?? [];
      if (rounding === undefined || x === undefined || scale === undefined || rounded === undefined) continue;
      const from = producer(x);
      // Before a number was taken off its rows.
      const [whole = x] = from?.op.signature.name === quantCenter.name ? from.operands : [];
      const side = comesFromState(whole, producer) ? "w" : "a";
      const named = (what: ProbeOutput["what"]) => probeOutputName({ site, side, what });
      if (outputs.has(named("error"))) continue;
      const axes = x.type.dims.map((_, axis) => axis);
      const { scheme, bits, outer } = rounding.attrs as AttributesOf<typeof quantFake.attrs>;
      if (hasMask(outer)) {
        const mask = builder.emit(quantMask, [x, scale], { scheme, bits, outer });
        outputs.set(named("trusted"), builder.emit(mean, [builder.emit(cast, [mask], { to: "f32" })], { axes }, { hint: "trusted" }));
      }
      const off = builder.emit(sub, [rounded, x], {}, { hint: "off" });
      const [squares, errors] = [whole, off].map((value) => builder.emit(sum, [builder.emit(mul, [value, value], {})], { axes }));
      if (squares === undefined || errors === undefined) throw new Error("two values have two sums");
      outputs.set(named("error"), builder.emit(div, [errors, squares], {}, { hint: "error" }));
    }
  }
  const named = [...outputs].map(([name, value]) => ({ name, value }));
  return removeDead({ ...entry, instructions: builder.instructions, outputs: named, updates: [] });
}

/** What rounds an operand: a weight that is used alone is rotated back behind it. */
function roundingOf(operand: Value, producer: (value: Value) => Instruction | undefined): Instruction | undefined {
  const from = producer(operand);
  if (from?.op.signature.name === quantFake.name) return from;
  const [before] = from?.op.signature.name === hadamard.name ? from.operands : [];
  const rounding = before === undefined ? undefined : producer(before);
  return rounding?.op.signature.name === quantFake.name ? rounding : undefined;
}
