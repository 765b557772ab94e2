// pack-weights: the codes of weights become state. `read`: entries load codes and scales instead of rounding parameters, and parameters
// that nothing reads any more are gone. `write`: one entry, `@pack`, makes that state from the parameters, by the ops that rounded them.
//
// While quant.fake stands: there each weight is rounded by one instruction, and what follows (lower-quant, expand) treats codes that were read
// like codes that were made.
import { calibrateEntry, packEntry } from "../ir/artifact.ts";
import { oneOf, withDefault } from "../ir/attribute.ts";
import { regionOf } from "../ir/marks.ts";
import { type Entry, type Instruction, type Module, mapEntries, type StateDeclaration, type Value } from "../ir/module.ts";
import { quantDecode, quantEncode, quantFake } from "../ir/ops/quant.ts";
import { stateRead, statesUsedBy } from "../ir/ops/source.ts";
import { newBuilder, opNamed } from "../ir/ops/table.ts";
import { removeDead, rewriteEntry, rule } from "../ir/rewrite.ts";
import { definePass, type PassContext } from "./pass.ts";
import { quantName } from "./quant-names.ts";
import { type WeightRounding, type WeightRoundings, weightRoundings } from "./weight-roundings.ts";

/** `none`: weights are rounded where they are used. */
const packedForms = ["none", "read", "write"] as const;
export type PackedForm = (typeof packedForms)[number];

/** What the passes that pack weights are told. */
export const packedOption = { packed: withDefault(oneOf(...packedForms), "none" as PackedForm) };

export const packWeights = definePass({
  name: "pack-weights",
  summary: "Make the codes and scales of weights state: entries read it (`packed = read`), or one entry makes it (`packed = write`).",
  needs: "quantized",
  leaves: "same",
  options: packedOption,
  run(module, { packed }, cx) {
    if (packed === "none") return module;
    // Gradients belong to parameters, so nothing trains here.
    const { training: _, ...rest } = module;
    const inference: Module = { ...rest, entries: module.entries.filter(({ name }) => name !== "train" && name !== calibrateEntry) };
    const roundings = weightRoundings(inference);
    const { all } = roundings;
    if (all.length === 0) {
      const help = ["packed weights are codes: choose a policy that rounds some"];
      cx.report({ severity: "error", code: "nothing-to-pack", message: "the policy quantizes no weight of this model", help });
      return module;
    }
    cx.count("weights", all.length);
    return packed === "write" ? withPackEntry(inference, all) : readingCodes(inference, roundings, cx);
  },
});

function readingCodes(module: Module, { all, ofFakes, offsets }: WeightRoundings, cx: PassContext): Module {
  const readPacked = rule("read-packed", (instruction, { builder }) => {
    if (instruction.op.signature.name !== quantFake.name) return undefined;
    const rounding = ofFakes.get(instruction);
    if (rounding === undefined) return undefined;
    const [x] = rounding.fake.operands;
    if (x === undefined) throw new Error("quant.fake without operands");
    const marks = regionOf(builder.marks);
    const read = ({ name, type }: StateDeclaration, part: "c" | "s"): Value =>
      builder.emit(stateRead, [], { name, type }, { hint: quantName(x, part), marks });
    return [builder.emit(quantDecode, [read(rounding.codes, "c"), read(rounding.scale, "s")])];
  });
  // Behind the roundings, which are found by the values that the offsets have been.
  const readOffset = rule("read-offset", ({ results: [result] }, { builder }) => {
    const state = result && offsets.get(result);
    if (result === undefined || state === undefined) return undefined;
    const { name, type } = state;
    return [builder.emit(stateRead, [], { name, type }, { hint: result.hint })];
  });
  const next = [readPacked, readOffset].reduce(
    (before, each) => mapEntries(before, (entry) => rewriteEntry(entry, [each], (name) => cx.count(name), { once: true })),
    module,
  );
  return withUsedState({ ...next, states: [...next.states, ...packedStates(all)] });
}

function withPackEntry(module: Module, all: readonly WeightRounding[]): Module {
  const builder = newBuilder();
  const done = new Set<Instruction>();
  const updates = all.flatMap(({ fake, steps, codes, scale, offset }) => {
    const [x, s] = fake.operands;
    if (x === undefined || s === undefined) throw new Error("quant.fake without operands");
    for (const step of steps) {
      if (done.has(step)) continue;
      done.add(step);
      builder.instructions.push(step);
    }
    const [encoded] = builder.emitOp(opNamed(quantEncode.name), [x, s], fake.attrs, { hint: quantName(x, "c"), marks: {} });
    if (encoded === undefined) throw new Error("quant.encode without a result");
    return [
      { state: codes.name, value: encoded },
      { state: scale.name, value: s },
      ...(offset === undefined ? [] : [{ state: offset.state.name, value: offset.value }]),
    ];
  });
  const entry: Entry = { name: packEntry, inputs: [], instructions: builder.instructions, outputs: [], updates };
  return withUsedState({ ...module, entries: [removeDead(entry)], states: [...module.states, ...packedStates(all)] });
}

const packedStates = (all: readonly WeightRounding[]): readonly StateDeclaration[] =>
  all.flatMap(({ codes, scale, offset }) => [codes, scale, ...(offset === undefined ? [] : [offset.state])]);

/** State that an entry reads or replaces, and the ties that name it. */
function withUsedState(module: Module): Module {
  const used = new Set(module.entries.flatMap(statesUsedBy));
  return {
    ...module,
    states: module.states.filter(({ name }) => used.has(name)),
    ties: module.ties.filter(({ state }) => used.has(state)),
  };
}
