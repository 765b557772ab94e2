// One training step in two hands: the module whose step also answers its codes, masks and gradients, and its twin that takes the
// codes and masks from outside. Quantized steps are compared through these, teacher-forced: free-running they are chaotic.
import { selectEntries } from "../../compiler/driver/entries.ts";
import { type FrontEndOptions, lowerSource } from "../../compiler/driver/frontend.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Entry, Instruction, Module, Value } from "../../ir/module.ts";
import type { Source } from "../../ir/source.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { mlpSource } from "./digits.ts";
import { runSteps } from "./quantized-linear.ts";

/** A decision about rounding in the step: codes or a mask, and the float values and scales that they come from. */
export interface Rounding {
  readonly name: string;
  /** `quant.encode` or `quant.mask`. */
  readonly instruction: Instruction;
  readonly source: Value;
  readonly scale: Value;
}

/** Where relu's gradient is decided: `passes` is whether it passes, `value` what relu was taken of. */
export interface Kink {
  readonly name: string;
  readonly value: Value;
}

export interface StepTwin {
  /** Form primitive, entry `train` with further outputs `codes_N`, `mask_N`, `kink_N` and `gradient_STATE`. Kernels are numbered. */
  readonly observed: Module;
  /** The same step before fusion, for the interpreter (values are those of `roundings`). */
  readonly reference: Module;
  /** The same step, in which `codes_N`, `mask_N` and `kink_N` are inputs. */
  readonly fed: Module;
  readonly roundings: readonly Rounding[];
  readonly kinks: readonly Kink[];
}

const isNamed = (i: Instruction, name: string) => i.op.signature.name === name;

export function digitsStep(policy: string, set: readonly string[] = []): StepTwin {
  return stepTwin(mlpSource(), { recipe: "digits", policy, set });
}

export function stepTwin(source: Source, options: Pick<FrontEndOptions, "recipe" | "policy" | "set">): StepTwin {
  const { module } = unwrap(lowerSource(source, options));
  const bound = unwrap(selectEntries(module, (name) => name === "train"));
  const beforeFusion = runSteps(
    bound,
    pipeline.filter((s) => s.pass.name !== "fuse"),
  );
  const [entry] = beforeFusion.entries;
  if (entry === undefined) throw new Error("no entry train");
  const encodes = entry.instructions.filter((i) => isNamed(i, "quant.encode"));
  const masks = entry.instructions.filter((i) => isNamed(i, "quant.mask"));
  const producer = (value: Value | undefined) => entry.instructions.find((i) => value !== undefined && i.results.includes(value));
  const passing = entry.instructions.filter((i) => isNamed(i, "greater") && producer(i.operands[0])?.op.signature.name === "relu");
  const outputsOf = (what: string, list: readonly Instruction[]) => list.map((i, n) => ({ name: `${what}_${n}`, value: resultOf(i) }));
  const named = [...outputsOf("codes", encodes), ...outputsOf("mask", masks), ...outputsOf("kink", passing)];
  const given = new Set([...encodes, ...masks, ...passing]);
  const gradients = entry.instructions
    .filter((i) => isNamed(i, "adamw"))
    .map((i) => {
      const [weight, , , gradient] = i.operands;
      const read = entry.instructions.find((r) => weight !== undefined && r.results.includes(weight));
      if (gradient === undefined || read === undefined) throw new Error("adamw takes a weight and a gradient");
      return { name: `gradient_${String(read.attrs["name"]).replaceAll(".", "_")}`, value: gradient };
    });
  const reference = withEntry(beforeFusion, { ...entry, outputs: [...entry.outputs, ...named, ...gradients] });
  const fedNames = new Map(named.map(({ name, value }) => [value, { ...value, hint: name }]));
  const swap = (v: Value): Value => fedNames.get(v) ?? v;
  const fed: Entry = {
    ...entry,
    inputs: [...entry.inputs, ...[...fedNames.values()].map((value) => ({ value, origin: "caller" as const }))],
    instructions: entry.instructions.filter((i) => !given.has(i)).map((i) => ({ ...i, operands: i.operands.map(swap) })),
    outputs: [...entry.outputs, ...gradients.map((g) => ({ ...g, value: swap(g.value) }))],
  };
  return {
    observed: runSteps(
      reference,
      pipeline.filter((s) => s.pass.name === "fuse"),
    ),
    reference,
    fed: withEntry(beforeFusion, fed),
    kinks: passing.map((i, n) => {
      const [value] = producer(i.operands[0])?.operands ?? [];
      if (value === undefined) throw new Error("relu takes an operand");
      return { name: `kink_${n}`, value };
    }),
    roundings: [...encodes, ...masks].map((instruction) => {
      const [source, scale] = instruction.operands;
      const name = named.find(({ value }) => value === resultOf(instruction))?.name;
      if (source === undefined || scale === undefined || name === undefined) throw new Error("roundings take two operands");
      return { name, instruction, source, scale };
    }),
  };
}

function withEntry(module: Module, entry: Entry): Module {
  return { ...module, entries: [entry] };
}

function resultOf(i: Instruction): Value {
  const [result] = i.results;
  if (result === undefined) throw new Error("an instruction without a result");
  return result;
}
