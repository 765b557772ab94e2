// Runs ops as modules do: a small entry built with the builder, evaluated by the interpreter.
import type { Attributes } from "../../../ir/attribute.ts";
import type { Builder } from "../../../ir/builder.ts";
import type { TypedTensor } from "../../../ir/evaluate-op.ts";
import { evaluateEntry } from "../../../ir/interpreter.ts";
import type { Instruction, Module, Value } from "../../../ir/module.ts";
import { newBuilder, opNamed } from "../../../ir/ops/table.ts";
import type { Precision, Tensor } from "../../../ir/tensor.ts";

/** Build an entry over inputs with the types of `given`, run it, and answer the values that `build` returns. */
export function runEntry(
  given: readonly TypedTensor[],
  precision: Precision,
  build: (b: Builder, inputs: readonly Value[]) => readonly Value[],
  state: Readonly<Record<string, Tensor>> = {},
): readonly TypedTensor[] {
  const builder = newBuilder();
  const inputs = given.map((g, i): Value => ({ hint: `x${i}`, type: g.type }));
  const results = build(builder, inputs);
  const module: Module = {
    form: "surface",
    sources: [],
    host: {},
    states: [],
    ties: [],
    entries: [
      {
        name: "f",
        inputs: inputs.map((v) => ({ value: v, origin: "caller" })),
        instructions: builder.instructions,
        outputs: results.map((v, i) => ({ name: `y${i}`, value: v })),
        updates: [],
      },
    ],
  };
  const tensors = Object.fromEntries(given.map((g, i) => [`x${i}`, g.tensor]));
  const { outputs } = evaluateEntry(module, "f", { precision, inputs: tensors, state });
  return results.map((v, i) => ({ type: v.type, tensor: outputs[`y${i}`]! }));
}

/** The results of one op. */
export const runOp = (
  name: string,
  operands: readonly TypedTensor[],
  attrs: Attributes = {},
  precision: Precision = "wide",
  state: Readonly<Record<string, Tensor>> = {},
): readonly TypedTensor[] => runEntry(operands, precision, (b, inputs) => b.emitOp(opNamed(name), inputs, attrs), state);

/**
 * Reverse mode by the ops' own rules: what the instructions after `from` make of the inputs, given cotangents of `outputs`.
 * Answers a value or nothing per input.
 */
export function emitGradients(
  b: Builder,
  from: number,
  inputs: readonly Value[],
  outputs: readonly (readonly [Value, Value])[],
): readonly (Value | undefined)[] {
  const cotangents = new Map<Value, Value>();
  const accumulate = (value: Value, ct: Value) => {
    const known = cotangents.get(value);
    cotangents.set(value, known === undefined ? ct : b.emitOp(opNamed("add"), [known, ct], {})[0]!);
  };
  for (const [value, ct] of outputs) accumulate(value, ct);
  const forward: readonly Instruction[] = b.instructions.slice(from);
  for (const { op, operands, results, attrs } of [...forward].reverse()) {
    const cts = results.map((r) => cotangents.get(r));
    if (op.vjp === "none" || cts.every((ct) => ct === undefined)) continue;
    const grads = op.vjp(b, cts, operands, results, attrs);
    for (const [i, grad] of grads.entries()) if (grad !== undefined) accumulate(operands[i]!, grad);
  }
  return inputs.map((v) => cotangents.get(v));
}
