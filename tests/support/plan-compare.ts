// Plans against the interpreter: whatever a module is, its plan run on the CPU answers the same values and leaves the same state.
import { evaluateEntry } from "../../ir/interpreter.ts";
import { type Entry, type Module, valueNames } from "../../ir/module.ts";
import { packValues, storageOf } from "../../ir/packing.ts";
import { allocate, contiguous, denseTensor, type Tensor, type TensorData } from "../../ir/tensor.ts";
import { printModule } from "../../ir/text/print.ts";
import { elementCount, shapeOf, type Type } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runPipeline } from "../../passes/runner.ts";
import { numbersFor } from "../passes/runnable-module.ts";
import { smallest } from "../passes/smallest.ts";
import { runPlan } from "./plan-runner.ts";

const plain = (type: Type, number: number): Tensor => {
  const data = allocate(type, 0, "f32").constructor as new (values: readonly number[]) => TensorData;
  return denseTensor(shapeOf(type), new data(numbersFor(type, number)));
};

const zeros = (type: Type): Tensor => denseTensor(shapeOf(type), allocate(type, elementCount(shapeOf(type)), "f32"));

/** As a buffer holds it: packed types as words. */
const stored = (type: Type, tensor: Tensor): TensorData =>
  storageOf(type).kind === "packed" ? new Uint32Array(packValues(type, contiguous(tensor))) : contiguous(tensor);

const mapValues = <T, U>(record: Readonly<Record<string, T>>, of: (value: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, of(value, name)]));

function inputsOf(entry: Entry): Record<string, { readonly type: Type; readonly tensor: Tensor }> {
  const names = valueNames(entry);
  return Object.fromEntries(
    entry.inputs.flatMap(({ value, origin }, i) =>
      origin === "caller" ? [[names.get(value) ?? "", { type: value.type, tensor: plain(value.type, i) }] as const] : [],
    ),
  );
}

/** From `quantized` (or, for a module of form primitive, `fuse` alone) to kernels; undefined where a pass rejects it. */
export function throughPasses(module: Module, until?: string): Module | undefined {
  const at = pipeline.findIndex((s) => s.pass.name === (module.form === "primitive" ? "fuse" : "differentiate"));
  const outcome = runPipeline(module, pipeline.slice(at), until === undefined ? {} : { until });
  if (outcome.kind === "crashed") throw outcome.crash.error;
  return outcome.kind === "done" ? outcome.module : undefined;
}

/**
 * Run every entry twice, each on the state that the one before left. `tolerance`: the largest difference as a share of a tensor's
 * largest element (0 for equality).
 */
export function expectPlanEqual(reference: Module, kernels: Module, tolerance: number): void {
  const types = Object.fromEntries(kernels.states.map((s) => [s.name, s.type]));
  const initial = kernels.states.map((s, i) => [s.name, s.role === "optimizer" ? zeros(s.type) : plain(s.type, 40 + i)] as const);
  let state: Readonly<Record<string, Tensor>> = Object.fromEntries(initial);
  const plan = runPlan(kernels, mapValues(state, (t, name) => stored(types[name]!, t)));
  for (const [step, entry] of [...reference.entries, ...reference.entries].entries()) {
    const inputs = inputsOf(entry);
    const expected = evaluateEntry(reference, entry.name, { precision: "f32", inputs: mapValues(inputs, (i) => i.tensor), state, step });
    const actual = plan.run(entry.name, mapValues(inputs, (i) => stored(i.type, i.tensor)), step);
    for (const [name, tensor] of Object.entries(expected.outputs)) expectNear(actual[name], tensor, tolerance, `@${entry.name} ${name}`);
    state = expected.state;
    for (const [name, tensor] of Object.entries(state)) expectNear(plan.state(name), tensor, tolerance, `state ${name} after @${entry.name}`);
  }
}

function expectNear(actual: ArrayLike<number> | undefined, expected: Tensor, tolerance: number, name: string): void {
  const wanted = contiguous(expected);
  let largest = 0;
  for (const e of wanted) if (Number.isFinite(e)) largest = Math.max(largest, Math.abs(e));
  for (let i = 0; i < wanted.length; i++) {
    const [a = Number.NaN, e = Number.NaN] = [actual?.[i], wanted[i]];
    // 0 and -0 are equal, and so is NaN to itself.
    const same = a === e || (Number.isNaN(a) && Number.isNaN(e)) || Math.abs(a - e) <= tolerance * largest;
    if (!same) throw new Error(`${name}[${i}] is ${a}, the interpreter says ${e}`);
  }
}

/** Fails with the smallest module that has a problem. */
export function expectNone(module: Module, check: (module: Module) => void): void {
  const problemOf = (m: Module): Error | undefined => {
    try {
      check(m);
      return undefined;
    } catch (problem) {
      return problem as Error;
    }
  };
  if (problemOf(module) === undefined) return;
  const small = smallest(module, (m) => verifyModule(m).length === 0 && problemOf(m) !== undefined);
  throw new Error(`${problemOf(small)?.message}\n${printModule(small)}`, { cause: problemOf(small) });
}
