// Teacher-forced comparison of training steps: adapter and interpreter start each step from the same state, and the interpreter goes
// on with the adapter's codes, so that one code on a boundary does not make everything behind it differ.
import { expect } from "vitest";
import { evaluateEntry, evaluateInstruction } from "../../ir/interpreter.ts";
import type { Instruction, Module } from "../../ir/module.ts";
import { unpackValues } from "../../ir/packing.ts";
import { contiguous, denseTensor, type Tensor, type TensorData } from "../../ir/tensor.ts";
import { elementCount, shapeOf, type Type } from "../../ir/type.ts";
import type { Session } from "../../runtime/session.ts";
import type { HostArray } from "../../runtime/values.ts";
import { inputTypes, outputTypes, stateTypes } from "./backends.ts";
import { type Tensors, withEvidence } from "./failure.ts";
import type { StepTwin } from "./step-twin.ts";

const epsilon = 2 ** -23;

/** The data of a step. */
export type BatchOf = (step: number) => Readonly<Record<string, HostArray>>;

/** Of all codes and mask bits of a run, this share may differ, where a boundary explains it. */
const mostDiffering = 1e-4;

/**
 * Compare steps of a session over `twin.observed`: the first ones, as many as a number says, or those of a list in rising order, up to each of
 * which the session goes on by itself. What is compared: codes, masks, loss (1e-5) and gradients (1e-4 of the largest entry). Expects the session's
 * state at its beginning. Answers the adapter's losses of the compared steps.
 */
export async function expectStepsOfInterpreter(
  twin: StepTwin,
  session: Session,
  steps: number | readonly number[],
  batchOf: BatchOf,
): Promise<readonly number[]> {
  const losses: number[] = [];
  let [rounded, differing, done] = [0, 0, 0];
  for (const step of typeof steps === "number" ? Array.from({ length: steps }, (_, i) => i) : steps) {
    for (; done < step; done++) await session.submit("train", batchOf(done), { step: done, unread: true }).read();
    done = step + 1;
    const state = await readState(session, twin.observed);
    const batch = batchOf(step);
    const actual = namedTensors(outputTypes(twin.observed, "train"), await session.run("train", batch, { step }));
    const inputs = namedTensors(inputTypes(twin.reference, "train"), batch);
    const decided = Object.fromEntries(Object.entries(actual).filter(([name]) => /^(codes|mask|kink)_/.test(name)));
    const fed = evaluateEntry(twin.fed, "train", { precision: "f32", step, state, inputs: { ...inputs, ...decided }, keepValues: true });
    const roundings = twin.roundings.map(({ name, instruction, source, scale }) => {
      const [x, s] = [source, scale].map((value) => ({ type: value.type, tensor: fed.values.get(value)! }));
      const [decided] = evaluateInstruction(instruction.op, [x!, s!], instruction.attrs, "f32");
      return { name, decided: decided!, source: x!.tensor, scale: s!.tensor, fromBoundary: boundaryOf(instruction) };
    });
    const expected: Tensors = { ...fed.outputs, ...Object.fromEntries(roundings.map(({ name, decided }) => [name, decided])) };
    const sources: Tensors = Object.fromEntries(
      roundings.flatMap(
        (r) =>
          [
            [r.name, r.source],
            [`${r.name}_scale`, r.scale],
          ] as const,
      ),
    );
    await withEvidence(
      () => ({ module: twin.observed, artifact: session.artifact, tensors: { actual, expected, inputs, state, sources } }),
      () => {
        for (const { name, decided, source, scale, fromBoundary } of roundings) {
          const found = roundingDifferences(contiguous(actual[name]!), contiguous(decided), source, scale, fromBoundary);
          expect(found.unexplained, `step ${step}, ${name}: elements that differ away from boundaries`).toBe(0);
          rounded += elementCount(source.shape);
          differing += found.differing;
        }
        for (const { name, value } of twin.kinks)
          expect(unexplainedKinks(contiguous(actual[name]!), fed.values.get(value)!), `step ${step}, ${name}`).toBe(0);
        expect(relativeDifference(actual["loss"]!, expected["loss"]!), `loss of step ${step}`).toBeLessThan(1e-5);
        const gradients = Object.keys(expected).filter((name) => name.startsWith("gradient_"));
        expect(gradients.length).toBeGreaterThan(0);
        for (const name of gradients)
          expect(difference(contiguous(actual[name]!), contiguous(expected[name]!)), `${name} of step ${step}`).toBeLessThan(1e-4);
        expect(differing, "codes and mask bits that differ at boundaries").toBeLessThanOrEqual(rounded * mostDiffering);
      },
    );
    losses.push(contiguous(actual["loss"]!)[0]!);
  }
  return losses;
}

/** Every tensor of state as the interpreter takes it. */
export async function readState(session: Session, module: Module): Promise<Tensors> {
  const types = stateTypes(module);
  const read = Object.keys(types).map(async (name) => [name, await session.readState(name)] as const);
  return namedTensors(types, Object.fromEntries(await Promise.all(read)));
}

/** What a session takes or answers, as tensors; codes and masks as one number an element. */
export function namedTensors(types: Readonly<Record<string, Type>>, arrays: Readonly<Record<string, HostArray>>): Tensors {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, data]) => {
      const type = types[name];
      if (type === undefined) throw new Error(`the module has no ${name}`);
      return [name, denseTensor(shapeOf(type), elements(type, data))];
    }),
  );
}

function elements(type: Type, data: HostArray): TensorData {
  if (type.kind === "codes") return Int32Array.from(unpackValues(type, data.buffer as ArrayBuffer));
  if (type.scalar === "b1" || type.scalar === "bool") return Uint8Array.from(unpackValues(type, data.buffer as ArrayBuffer));
  return data as TensorData;
}

/** Difference of two scalars as a share of the expected one. */
function relativeDifference(actual: Tensor, expected: Tensor): number {
  return Math.abs(contiguous(actual)[0]! / contiguous(expected)[0]! - 1);
}

/** Share of the largest expected entry by which two arrays differ at most; NaN where either has one. */
function difference(actual: TensorData, expected: TensorData): number {
  let [largest, worst] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  }
  return worst / largest;
}

/** How far x / step lies from where the decision changes, in steps. */
type FromBoundary = (v: number) => number;

/**
 * Codes change between levels. So does a trust mask, which holds within half a step of a level and so changes half a step beyond the
 * outermost; that of a factor changes at this factor of the clip scale.
 */
function boundaryOf({ op, attrs }: Instruction): FromBoundary {
  const { outer, bits } = attrs;
  if (op.signature.name === "quant.encode" || outer === "trust") return (v) => Math.abs(v - Math.round(v));
  const edge = (Number(outer) * (2 ** Number(bits) - 1)) / 2;
  return (v) => Math.abs(Math.abs(v) - edge);
}

/** Elements that differ although no boundary is near enough to explain it; and how many differ at all. */
function roundingDifferences(actual: TensorData, expected: TensorData, source: Tensor, scale: Tensor, fromBoundary: FromBoundary) {
  const [x, s] = [contiguous(source), contiguous(scale)];
  const columns = source.shape.at(-1)!;
  let [differing, unexplained] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    if (actual[i] === expected[i]) continue;
    differing++;
    const row = Math.floor(i / columns);
    const step = s[row]!;
    let largest = 0;
    for (let c = row * columns; c < (row + 1) * columns; c++) largest = Math.max(largest, Math.abs(x[c]!));
    if (!(fromBoundary(x[i]! / step) <= (32 * epsilon * largest) / step)) unexplained++;
  }
  return { differing, unexplained };
}

/**
 * Elements whose gradient passes relu on one side only, although they are not zero but for rounding. A sum of products of half-grid
 * levels is exactly zero surprisingly often (at 1 bit for one element in twenty), and then rounding decides its sign.
 */
function unexplainedKinks(passes: TensorData, of: Tensor): number {
  const y = contiguous(of);
  let largest = 0;
  for (const v of y) largest = Math.max(largest, Math.abs(v));
  let unexplained = 0;
  for (let i = 0; i < y.length; i++) if (y[i]! > 0 !== (passes[i] === 1) && Math.abs(y[i]!) > 32 * epsilon * largest) unexplained++;
  return unexplained;
}

/** Compare the losses of float steps without forcing: each side goes on from its own state. Expects the session's state at its beginning. */
export async function expectFreeSteps({ observed, reference }: StepTwin, session: Session, steps: number, batchOf: BatchOf): Promise<void> {
  let state = await readState(session, observed);
  for (let step = 0; step < steps; step++) {
    const batch = batchOf(step);
    const actual = namedTensors(outputTypes(observed, "train"), await session.run("train", batch, { step }));
    const inputs = namedTensors(inputTypes(reference, "train"), batch);
    const { outputs: expected, state: after } = evaluateEntry(reference, "train", { precision: "f32", step, state, inputs });
    await withEvidence(
      () => ({ module: observed, artifact: session.artifact, tensors: { actual, expected, inputs, state } }),
      () => expect(relativeDifference(actual["loss"]!, expected["loss"]!), `loss of step ${step}`).toBeLessThan(1e-5),
    );
    state = after;
  }
}
