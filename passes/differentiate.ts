// differentiate: turns `@train` from a loss into a training step: gradients, clipping, the optimizer's updates. With accumulation the
// step is two entries, `@accumulate` and `@apply`.

import type { Builder } from "../ir/builder.ts";
import { type Entry, entryNamed, type Module, type StateDeclaration, type TrainingSpec, type Value } from "../ir/module.ts";
import { stateRead } from "../ir/ops/source.ts";
import { newBuilder } from "../ir/ops/table.ts";
import { removeDead } from "../ir/rewrite.ts";
import { splitStep } from "./accumulate.ts";
import { emitGradients } from "./gradient.ts";
import { emitUpdates, type Trained, type Updates } from "./optimizer.ts";
import { definePass, type PassContext } from "./pass.ts";

const trainEntry = "train";

export const differentiate = definePass({
  name: "differentiate",
  summary:
    "Give `@train` the gradients of its loss, clipped by their global norm, and the updates of the recipe's optimizer; with accumulation split it into `@accumulate` and `@apply`.",
  needs: "quantized",
  leaves: "differentiated",
  options: {},
  applies: (module) => module.training !== undefined,
  run(module, _options, cx) {
    const { training, ...rest } = module;
    const entry = entryNamed(module, trainEntry);
    const loss = entry?.outputs[0]?.value;
    if (training === undefined || entry === undefined || loss === undefined)
      throw new Error("the verifier lets no training pass without a loss");
    const builder = newBuilder();
    builder.instructions.push(...entry.instructions);
    const parameters = module.states.filter((s) => s.role === "parameter");
    let refused = false;
    const watched: PassContext = {
      ...cx,
      report(problem) {
        refused ||= problem.severity === "error";
        cx.report(problem);
      },
    };
    const gradients = emitGradients(entry, loss, new Set(parameters.map((s) => s.name)), builder, watched);
    const trained = trainedParameters(entry, parameters, gradients);
    // What an op without a gradient hides would only repeat its error.
    if (refused) return module;
    if (trained.length === 0) {
      cx.report({ severity: "error", code: "nothing-to-train", message: "the loss has a gradient for no parameter" });
      return module;
    }
    warnOfUntrained(
      parameters.filter((s) => !trained.some((t) => t.state === s)),
      cx,
    );
    cx.count("parameters", trained.length);
    const { entries, host, states, shared } = stepsOf(entry, loss, trained, training, builder);
    return {
      ...rest,
      host: { ...module.host, ...host },
      states: [...module.states.flatMap((s) => [s, ...(states.get(s.name) ?? [])]), ...shared],
      // Gradients of data and of whatever else nobody asked for.
      entries: module.entries.flatMap((e) => (e === entry ? entries.map(removeDead) : [e])),
    } satisfies Module;
  },
});

/** The entries that make a training step of what the builder holds, and what they add to the module. */
interface Steps extends Pick<Updates, "host" | "states"> {
  readonly entries: readonly Entry[];
  readonly shared: readonly StateDeclaration[];
}

function stepsOf(entry: Entry, loss: Value, trained: readonly Trained[], training: TrainingSpec, builder: Builder): Steps {
  if ((training.accumulate ?? 1) > 1) {
    const { accumulate, apply, ...added } = splitStep(entry, loss, trained, training, builder);
    return { entries: [accumulate, apply], ...added };
  }
  const { inputs, host, states, updates, gradNorm, ok } = emitUpdates(entry.inputs, loss, trained, training, builder);
  const [lossOutput, ...others] = entry.outputs;
  const step: Entry = {
    name: entry.name,
    inputs: [...entry.inputs, ...inputs],
    instructions: builder.instructions,
    outputs: [
      ...(lossOutput === undefined ? [] : [lossOutput]),
      { name: "grad_norm", value: gradNorm },
      { name: "ok", value: ok },
      ...others,
    ],
    updates: [...entry.updates, ...updates],
  };
  return { entries: [step], host, states, shared: [] };
}

/** The parameters with a gradient, in order of declaration. */
function trainedParameters(
  entry: Entry,
  parameters: readonly StateDeclaration[],
  gradients: ReadonlyMap<string, Value>,
): readonly Trained[] {
  const reads = entry.instructions.filter((i) => i.op.signature.name === stateRead.name);
  // The first of several reads.
  const read = new Map(reads.toReversed().map(({ attrs, results }) => [attrs["name"], results[0]] as const));
  return parameters.flatMap((state): readonly Trained[] => {
    const gradient = gradients.get(state.name);
    const weight = read.get(state.name);
    return gradient === undefined || weight === undefined ? [] : [{ state, weight, gradient }];
  });
}

/** A silent zero would hide a mistake in the model. */
function warnOfUntrained(states: readonly StateDeclaration[], cx: PassContext): void {
  if (states.length === 0) return;
  const names = states.map(({ name }) => `"${name}"`).join(", ");
  const message = `the loss has no gradient for ${names}: training leaves ${states.length === 1 ? "it" : "them"} unchanged`;
  cx.report({ severity: "warning", code: "parameter-without-gradient", message });
}
