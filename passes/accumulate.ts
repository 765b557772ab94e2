// Gradient accumulation: `@accumulate` adds a micro-batch's gradients to sums that are state, `@apply` makes a step of them.
import type { Builder } from "../ir/builder.ts";
import type { Entry, Instruction, StateDeclaration, TrainingSpec, Value } from "../ir/module.ts";
import { add, div } from "../ir/ops/arithmetic.ts";
import { constant, stateRead } from "../ir/ops/source.ts";
import { newBuilder } from "../ir/ops/table.ts";
import { f32 } from "../ir/type.ts";
import { emitUpdates, type Trained, type Updates } from "./optimizer.ts";

/** The sum of the micro-batches' losses. It belongs to the whole model, whose path is empty. */
const lossSum = sumOf("#loss", f32());

/** The two entries that take the place of `@train`, and what they add to the module. */
export interface SplitStep extends Pick<Updates, "host" | "states"> {
  readonly accumulate: Entry;
  readonly apply: Entry;
  /** State of the model as a whole. */
  readonly shared: readonly StateDeclaration[];
}

/**
 * `builder` holds the instructions of `@train` and its gradients. A step's loss and gradients are the means of those of its
 * micro-batches, each of which counts the same. `@apply` leaves the sums at zero, also where the step was bad and changed nothing else.
 */
export function splitStep(entry: Entry, loss: Value, trained: readonly Trained[], training: TrainingSpec, builder: Builder): SplitStep {
  const summed = trained.map((each) => ({ ...each, sum: sumOf(`${each.state.name}#grad`, each.state.type) }));
  const additions = [{ sum: lossSum, value: loss }, ...summed.map(({ sum, gradient }) => ({ sum, value: gradient }))].map(additionTo);
  const accumulate: Entry = {
    name: "accumulate",
    inputs: entry.inputs,
    instructions: withAdditions(entry.inputs, builder.instructions, additions),
    outputs: entry.outputs,
    updates: [...entry.updates, ...additions.map(({ update }) => update)],
  };

  const step = newBuilder();
  const reread = summed.map(
    ({ state, weight, sum }): Trained => ({
      state,
      weight: read(step, state, weight.hint),
      gradient: read(step, sum, `${weight.hint}_grad`),
    }),
  );
  const count = step.emit(constant, [], { values: [training.accumulate ?? 1], type: f32() }, { hint: "count" });
  const mean = step.emit(div, [read(step, lossSum, "sum"), count], {}, { hint: "loss" });
  const { inputs, host, states, updates, gradNorm, ok } = emitUpdates([], mean, reread, training, step);
  const cleared = [lossSum, ...summed.map(({ sum }) => sum)].map(({ name, type }) => ({
    state: name,
    value: step.emit(constant, [], { values: [0], type }, { hint: "zero" }),
  }));
  const apply: Entry = {
    name: "apply",
    inputs,
    instructions: step.instructions,
    outputs: [
      { name: "loss", value: mean },
      { name: "grad_norm", value: gradNorm },
      { name: "ok", value: ok },
    ],
    updates: [...updates, ...cleared],
  };
  const declared = summed.map(({ state, sum }) => [state.name, [...(states.get(state.name) ?? []), sum]] as const);
  return { accumulate, apply, host, states: new Map(declared), shared: [lossSum] };
}

function sumOf(name: string, type: StateDeclaration["type"]): StateDeclaration {
  return { name, type, role: "gradient", init: "zeros", decay: false };
}

const read = (builder: Builder, { name, type }: StateDeclaration, hint: string): Value =>
  builder.emit(stateRead, [], { name, type }, { hint });

interface Addition {
  /** What is added. */
  readonly value: Value;
  readonly instructions: readonly Instruction[];
  readonly update: Entry["updates"][number];
}

function additionTo({ sum, value }: { readonly sum: StateDeclaration; readonly value: Value }): Addition {
  const builder = newBuilder();
  const next = builder.emit(add, [read(builder, sum, "sum"), value], {}, { hint: `${value.hint}_sum` });
  return { value, instructions: builder.instructions, update: { state: sum.name, value: next } };
}

/** Each addition right behind what it adds: kernels run in the order of the text, and a gradient that waits keeps memory. */
function withAdditions(inputs: Entry["inputs"], instructions: readonly Instruction[], additions: readonly Addition[]): Instruction[] {
  const byValue = Map.groupBy(additions, (a) => a.value);
  const behind = (value: Value) => byValue.get(value)?.flatMap((a) => a.instructions) ?? [];
  return [...inputs.flatMap((i) => behind(i.value)), ...instructions.flatMap((i) => [i, ...i.results.flatMap(behind)])];
}
