// Plans against the interpreter: whatever a module is, its plan run on the CPU answers the same values and leaves the same state.
import { portable } from "../../compiler/driver/targets.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { type Entry, type Module, valueNames } from "../../ir/module.ts";
import { bufferBytes, packValues, storageOf, unpackValues } from "../../ir/packing.ts";
import type { Target } from "../../ir/plan.ts";
import { allocate, contiguous, denseTensor, type Precision, type Tensor, type TensorData } from "../../ir/tensor.ts";
import { printModule } from "../../ir/text/print.ts";
import { elementCount, shapeOf, type Type } from "../../ir/type.ts";
import { verifyModule } from "../../ir/verify.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { runPipeline } from "../../passes/runner.ts";
import type { Device } from "../../runtime/device.ts";
import type { HostArray } from "../../runtime/values.ts";
import { numbersFor } from "../passes/runnable-module.ts";
import { smallest } from "../passes/smallest.ts";
import { openSession } from "./backends.ts";
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

const initialState = (module: Module): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(module.states.map((s, i) => [s.name, s.role === "optimizer" ? zeros(s.type) : plain(s.type, 40 + i)] as const));

/**
 * Run every entry twice, each on the state that the one before left. `tolerance`: the largest difference as a share of a tensor's
 * largest element or 1 (0 for equality).
 */
export function expectPlanEqual(reference: Module, kernels: Module, tolerance: number, target: Target = portable): void {
  const types = Object.fromEntries(kernels.states.map((s) => [s.name, s.type]));
  let state = initialState(kernels);
  const plan = runPlan(
    kernels,
    mapValues(state, (t, name) => stored(types[name]!, t)),
    target,
  );
  for (const [step, entry] of [...reference.entries, ...reference.entries].entries()) {
    const inputs = inputsOf(entry);
    const expected = evaluateEntry(reference, entry.name, { precision: "f32", inputs: mapValues(inputs, (i) => i.tensor), state, step });
    const actual = plan.run(
      entry.name,
      mapValues(inputs, (i) => stored(i.type, i.tensor)),
      step,
    );
    for (const [name, tensor] of Object.entries(expected.outputs)) expectNear(actual[name], tensor, tolerance, `@${entry.name} ${name}`);
    state = expected.state;
    for (const [name, tensor] of Object.entries(state))
      expectNear(plan.state(name), tensor, tolerance, `state ${name} after @${entry.name}`);
  }
}

const otherValue = "the interpreter says";

function expectNear(actual: ArrayLike<number> | undefined, expected: Tensor, tolerance: number, name: string): void {
  const wanted = contiguous(expected);
  let largest = 1;
  for (const e of wanted) if (Number.isFinite(e)) largest = Math.max(largest, Math.abs(e));
  for (let i = 0; i < wanted.length; i++) {
    const [a = Number.NaN, e = Number.NaN] = [actual?.[i], wanted[i]];
    // 0 and -0 are equal, and so is NaN to itself.
    const same = a === e || (Number.isNaN(a) && Number.isNaN(e)) || Math.abs(a - e) <= tolerance * largest;
    if (!same) throw new Error(`${name}[${i}] is ${a}, ${otherValue} ${e}`);
  }
}

/** A target that binds no more than the module's largest tensor: slabs are cut wherever they can be. */
export function tightTarget(kernels: Module): Target {
  const values = kernels.entries.flatMap((e) => [...e.inputs.map((i) => i.value), ...e.instructions.flatMap((i) => i.results)]);
  const largest = Math.max(256, ...[...values, ...kernels.states].map(({ type }) => bufferBytes(type)));
  return { ...portable, limits: { ...portable.limits, maxStorageBufferBindingSize: largest } };
}

/** The same on an adapter. Equality to the last bit (tolerance 0) takes arithmetic that is exact: see {@link isExact}. */
export async function expectSessionEqual(
  reference: Module,
  kernels: Module,
  device: Device,
  target: Target,
  tolerance: number,
): Promise<void> {
  const types = Object.fromEntries(kernels.states.map((s) => [s.name, s.type]));
  let state = initialState(kernels);
  using session = await openSession(kernels, device, {}, target);
  for (const [name, tensor] of Object.entries(state)) session.writeState(name, handed(types[name]!, tensor));
  for (const [step, entry] of [...reference.entries, ...reference.entries].entries()) {
    const inputs = inputsOf(entry);
    const expected = evaluateEntry(reference, entry.name, { precision: "f32", inputs: mapValues(inputs, (i) => i.tensor), state, step });
    const actual = await session.run(
      entry.name,
      mapValues(inputs, (i) => handed(i.type, i.tensor)),
      { step },
    );
    for (const { name, value } of entry.outputs)
      expectNear(unpacked(value.type, actual[name]), expected.outputs[name]!, tolerance, `@${entry.name} ${name}`);
    state = expected.state;
    for (const [name, tensor] of Object.entries(state))
      expectNear(unpacked(types[name]!, await session.readState(name)), tensor, tolerance, `state ${name} after @${entry.name}`);
  }
}

/** As a session takes it: bits and codes as words, bytes dense. */
function handed(type: Type, tensor: Tensor): HostArray {
  if (type.kind === "tensor" && type.scalar === "i8") return Int8Array.from(contiguous(tensor));
  if (type.kind === "tensor" && type.scalar === "u8") return Uint8Array.from(contiguous(tensor));
  return stored(type, tensor) as HostArray;
}

const unpacked = (type: Type, data: HostArray | undefined): ArrayLike<number> | undefined =>
  data instanceof Uint32Array && storageOf(type).kind === "packed" ? unpackValues(type, data.buffer as ArrayBuffer) : data;

/**
 * Whether every value of every entry (of a training step: up to its gradients) is the same number in f64 and in f32, and finite: then
 * no order of additions can change it.
 */
export function isExact(module: Module): boolean {
  const state = initialState(module);
  let [narrow, wide] = [state, state];
  for (const [step, entry] of [...module.entries, ...module.entries].entries()) {
    const inputs = mapValues(inputsOf(entry), (i) => i.tensor);
    const run = (precision: Precision, from: Readonly<Record<string, Tensor>>) =>
      evaluateEntry(module, entry.name, { precision, inputs, state: from, step, keepValues: true });
    const [f32, f64] = [run("f32", narrow), run("wide", wide)];
    const norm = entry.instructions.findIndex((i) => i.op.signature.name === "global_norm");
    for (const { results } of norm < 0 ? entry.instructions : entry.instructions.slice(0, norm)) {
      for (const value of results) {
        const [a, b] = [f32.values.get(value), f64.values.get(value)].map((t) => (t === undefined ? [] : contiguous(t)));
        if (b === undefined || !b.every((v, i) => v === a?.[i] && Math.abs(v) < 2 ** 20)) return false;
      }
    }
    // What the optimizer leaves is rounded: the second step would start from two states.
    if (norm >= 0) return true;
    [narrow, wide] = [f32.state, f64.state];
  }
  return true;
}

/** Fails with the smallest module that has a problem of the same kind as this one. */
export async function expectNone(module: Module, check: (module: Module) => void | Promise<void>, what = ""): Promise<void> {
  const problemOf = async (m: Module): Promise<Error | undefined> => {
    try {
      await check(m);
      return undefined;
    } catch (problem) {
      return problem as Error;
    }
  };
  const first = await problemOf(module);
  if (first === undefined) return;
  const kindOf = ({ message }: Error) => (message.includes(otherValue) ? otherValue : message.replace(/[\d.]+|"[^"]*"|%\S+|@\S+/g, ""));
  const same = (problem: Error | undefined) => problem !== undefined && kindOf(problem) === kindOf(first);
  const small = await smallest(module, async (m) => verifyModule(m).length === 0 && same(await problemOf(m)));
  throw new Error(`${what} ${(await problemOf(small))?.message}\n${printModule(small)}`, { cause: first });
}
