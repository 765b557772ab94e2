// Ways to run a module whose kernels are numbered: the interpreter, the plan's problems on the CPU, and every adapter.
import { compileModule } from "../../compiler/driver/compile.ts";
import { targetFor } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { entryNamed, type Module } from "../../ir/module.ts";
import { storageOf, unpackValues } from "../../ir/packing.ts";
import type { SubgroupPath, Target } from "../../ir/plan.ts";
import { contiguous, denseTensor, type TensorData } from "../../ir/tensor.ts";
import { shapeOf, type Type } from "../../ir/type.ts";
import type { Device } from "../../runtime/device.ts";
import { bestSubgroups, probeSubgroups } from "../../runtime/probe.ts";
import { Session } from "../../runtime/session.ts";
import type { HostArray } from "../../runtime/values.ts";
import { availableAdapters, type TestAdapter } from "./adapters.ts";
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

/** The subgroup paths that a device supports, or the one that is asked for. */
export async function targetOn(device: Device, path?: SubgroupPath): Promise<Target> {
  const support = await probeSubgroups(device);
  const subgroups = path === undefined ? bestSubgroups(support) : { path, size: path === "none" ? 1 : device.adapter.subgroupMinSize };
  return targetFor(device.adapter, subgroups);
}

/** A session over a module on an adapter, with given state; the rest of the state is zero. */
export async function openSession(module: Module, device: Device, state: Arrays, target?: Target): Promise<Session> {
  const artifact = unwrap(compileModule(module, { targets: [target ?? (await targetOn(device))], portable: false, entries: () => true }));
  const session = await Session.open(artifact, device);
  for (const [name, data] of Object.entries(state)) session.writeState(name, data as HostArray);
  return session;
}

/** What a session answers as one number an element: codes and masks come back from it as words. */
function unpacked(module: Module, entry: string, outputs: Readonly<Record<string, HostArray>>): NumberArrays {
  const types = outputTypes(module, entry);
  return Object.fromEntries(
    Object.entries(outputs).map(([name, data]) => {
      const type = types[name];
      return [name, type !== undefined && storageOf(type).kind === "packed" ? unpackValues(type, data.buffer as ArrayBuffer) : data];
    }),
  );
}

async function gpuBackend(adapter: TestAdapter): Promise<Backend> {
  const device = await adapter.open();
  return {
    name: adapter.name,
    async run(module, entry, inputs, state) {
      using session = await openSession(module, device, state);
      return unpacked(module, entry, await session.run(entry, inputs as Readonly<Record<string, HostArray>>));
    },
    async train(module, inputs, state, steps) {
      using session = await openSession(module, device, state);
      const losses: number[] = [];
      for (let step = 0; step < steps; step++) {
        const out = await session.run("train", inputs as Readonly<Record<string, HostArray>>, { step });
        losses.push(out["loss"]?.[0] ?? Number.NaN);
      }
      return losses;
    },
    dispose: () => device.dispose(),
  };
}

/** The interpreter, the plan on the CPU, and every adapter of the machine. */
export async function allBackends(): Promise<readonly Backend[]> {
  const adapters = await availableAdapters();
  return [interpreter, planBackend, ...(await Promise.all(adapters.map(gpuBackend)))];
}
