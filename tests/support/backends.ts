// Ways to run a module whose kernels are numbered: the interpreter, the plan's problems on the CPU, and every adapter.
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import { storageOf, unpackValues } from "../../ir/packing.ts";
import { contiguous, denseTensor, type TensorData } from "../../ir/tensor.ts";
import { shapeOf, type Type } from "../../ir/type.ts";
import { runPlan } from "./plan-runner.ts";

export type Arrays = Readonly<Record<string, TensorData>>;
export type NumberArrays = Readonly<Record<string, ArrayLike<number>>>;

/** Codes and masks come back as one number an element. */
export interface Backend {
  readonly name: string;
  run(module: Module, entry: string, inputs: Arrays, state: Arrays): Promise<NumberArrays>;
  /** The losses of `steps` runs of entry `train`, each on the state that the one before left. */
  train(module: Module, inputs: Arrays, state: Arrays, steps: number): Promise<readonly number[]>;
  dispose(): void;
}

/** Plain arrays as tensors of the module's types. */
function tensorsOf(types: Readonly<Record<string, Type>>, arrays: Arrays) {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, data]) => {
      const type = types[name];
      if (type === undefined) throw new Error(`the module has no ${name}`);
      return [name, denseTensor(shapeOf(type), data)];
    }),
  );
}

export const stateTypes = (module: Module) => Object.fromEntries(module.states.map((s) => [s.name, s.type]));
export const inputTypes = (module: Module, entry: string) =>
  Object.fromEntries((entryNamed(module, entry)?.inputs ?? []).map((i) => [i.value.hint, i.value.type]));
export const outputTypes = (module: Module, entry: string) =>
  Object.fromEntries((entryNamed(module, entry)?.outputs ?? []).map((o) => [o.name, o.value.type]));

/** Words as a buffer holds them, one number an element. */
export function elementsOf(type: Type, bytes: ArrayBuffer): ArrayLike<number> {
  const storage = storageOf(type);
  return storage.kind === "packed"
    ? unpackValues(type, bytes)
    : storage.scalar === "f32"
      ? new Float32Array(bytes)
      : storage.scalar === "i32"
        ? new Int32Array(bytes)
        : new Uint32Array(bytes);
}

const interpreter: Backend = {
  name: "interpreter",
  run(module, entry, inputs, state) {
    const result = evaluateEntry(module, entry, {
      precision: "f32",
      step: 0,
      inputs: tensorsOf(inputTypes(module, entry), inputs),
      state: { ...zeroState(module), ...tensorsOf(stateTypes(module), state) },
    });
    return Promise.resolve(Object.fromEntries(Object.entries(result.outputs).map(([name, t]) => [name, contiguous(t)])));
  },
  train(module, inputs, state, steps) {
    let current = { ...zeroState(module), ...tensorsOf(stateTypes(module), state) };
    const losses: number[] = [];
    for (let step = 0; step < steps; step++) {
      const result = evaluateEntry(module, "train", {
        precision: "f32",
        step,
        inputs: tensorsOf(inputTypes(module, "train"), inputs),
        state: current,
      });
      current = result.state as typeof current;
      losses.push(contiguous(result.outputs["loss"] ?? denseTensor([], new Float32Array([Number.NaN])))[0] ?? Number.NaN);
    }
    return Promise.resolve(losses);
  },
  dispose() {},
};

function zeroState(module: Module) {
  return Object.fromEntries(
    module.states.map((s) => [s.name, denseTensor(shapeOf(s.type), new Float32Array(shapeOf(s.type).reduce((a, b) => a * b, 1)))]),
  );
}

/** Every dispatch of the plan evaluated on the CPU, at the places that plan-memory gave: no driver, but every planning decision. */
const planBackend: Backend = {
  name: "plan on the CPU",
  run: (module, entry, inputs, state) => Promise.resolve(runPlan(module, state).run(entry, inputs, 0)),
  train(module, inputs, state, steps) {
    const plan = runPlan(module, state);
    return Promise.resolve(Array.from({ length: steps }, (_, step) => plan.run("train", inputs, step)["loss"]?.[0] ?? Number.NaN));
  },
  dispose() {},
};

export const choosableBackends = (): Promise<readonly Backend[]> => Promise.resolve([interpreter, planBackend]);
