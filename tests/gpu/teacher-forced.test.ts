// Training steps of `digits` on every adapter against the interpreter, teacher-forced: both start each step from the same state.
import { afterAll, describe, expect, test } from "vitest";
import { evaluateEntry, evaluateInstruction } from "../../ir/interpreter.ts";
import type { Module } from "../../ir/module.ts";
import { unpackValues } from "../../ir/packing.ts";
import { contiguous, denseTensor, type Tensor, type TensorData } from "../../ir/tensor.ts";
import { elementCount, printType, shapeOf, type Type } from "../../ir/type.ts";
import { Batches } from "../../runtime/data/batches.ts";
import { openData } from "../../runtime/data/source.ts";
import type { Session } from "../../runtime/session.ts";
import type { HostArray } from "../../runtime/values.ts";
import { availableAdapters } from "../support/adapters.ts";
import { openSession } from "../support/backends.ts";
import { digitsStep, type StepTwin } from "../support/step-twin.ts";

const steps = 5;
const epsilon = 2 ** -23;
const call = { source: "mnist", args: [], named: {}, arrays: ["images", "labels"] };
const digits = await openData(call);

function batches(module: Module): Batches {
  const inputs = module.entries[0]?.inputs ?? [];
  const data = inputs.filter((i) => i.origin !== "caller" && "data" in i.origin);
  const record = data.map((i) => ({ name: i.value.hint, type: printType(i.value.type), source: "data" as const }));
  return new Batches(digits, call, { inputs: record, outputs: [], updates: [] });
}

const elements = (type: Type, data: HostArray): TensorData => {
  if (type.kind === "codes" || type.scalar === "b1" || type.scalar === "bool") {
    const values = unpackValues(type, data.buffer as ArrayBuffer);
    return type.kind === "codes" ? Int32Array.from(values) : Uint8Array.from(values);
  }
  return data as TensorData;
};
const tensor = (type: Type, data: TensorData): Tensor => denseTensor(shapeOf(type), data);

async function readAll(session: Session, module: Module): Promise<Record<string, Tensor>> {
  const read = module.states.map(async (s) => [s.name, tensor(s.type, (await session.readState(s.name)) as TensorData)] as const);
  return Object.fromEntries(await Promise.all(read));
}

/** Share of the largest expected entry by which two arrays differ at most. */
function difference(actual: TensorData, expected: TensorData): number {
  let [largest, worst] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  }
  return worst / largest;
}

/** Codes that differ although no rounding boundary is near enough to explain it; and how many differ at all. */
function codeDifferences(actual: TensorData, expected: TensorData, source: Tensor, scale: Tensor) {
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
    const v = x[i]! / step;
    if (Math.abs(v - Math.round(v)) > (32 * epsilon * largest) / step) unexplained++;
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

const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(["float", "quest_w4a4", "quest_w1a1"])(
    "%s: five teacher-forced steps",
    async (policy) => {
      const twin: StepTwin = digitsStep(policy);
      using session = await openSession(twin.observed, await device, {});
      await session.initialise(1);
      const source = batches(twin.observed);
      const outputs = Object.fromEntries(twin.observed.entries[0]!.outputs.map((o) => [o.name, o.value.type]));
      let [rounded, differing] = [0, 0];
      for (let step = 0; step < steps; step++) {
        const state = await readAll(session, twin.observed);
        const batch = { ...source.training(1, step) };
        const answer = await session.run("train", batch, { step });
        const on = Object.fromEntries(
          Object.entries(answer).map(([name, data]) => [name, tensor(outputs[name]!, elements(outputs[name]!, data))]),
        );
        const types = Object.fromEntries(twin.reference.entries[0]!.inputs.map((i) => [i.value.hint, i.value.type]));
        const inputs = Object.fromEntries(Object.entries(batch).map(([name, data]) => [name, tensor(types[name]!, data as TensorData)]));
        // The interpreter goes on with the adapter's codes, so that one code on a boundary does not make everything behind it differ.
        const fedInputs = Object.fromEntries(
          Object.entries(on)
            .filter(([name]) => /^(codes|mask|kink)_/.test(name))
            .map(([name, t]) => [name, t]),
        );
        const fed = evaluateEntry(twin.fed, "train", {
          precision: "f32",
          step,
          state,
          inputs: { ...inputs, ...fedInputs },
          keepValues: true,
        });
        for (const { name, encode, source: from, scale } of twin.roundings) {
          const operands = [from, scale].map((value) => ({ type: value.type, tensor: fed.values.get(value)! }));
          const [expected] = evaluateInstruction(encode.op, operands, encode.attrs, "f32");
          const found = codeDifferences(contiguous(on[name]!), contiguous(expected!), operands[0]!.tensor, operands[1]!.tensor);
          expect(found.unexplained, `step ${step}, ${name}`).toBe(0);
          rounded += elementCount(shapeOf(from.type));
          differing += found.differing;
        }
        for (const { name, value } of twin.kinks)
          expect(unexplainedKinks(contiguous(on[name]!), fed.values.get(value)!), `step ${step}, ${name}`).toBe(0);
        const loss = (t: Tensor | undefined) => contiguous(t!)[0]!;
        expect(Math.abs(loss(on["loss"]) / loss(fed.outputs["loss"]) - 1), `loss of step ${step}`).toBeLessThan(1e-5);
        for (const [name, gradient] of Object.entries(fed.outputs).filter(([n]) => n.startsWith("gradient_"))) {
          expect(difference(contiguous(on[name]!), contiguous(gradient)), `${name} of step ${step}`).toBeLessThan(1e-4);
        }
      }
      expect(differing).toBeLessThanOrEqual(rounded / 1e4);
      if (policy !== "float") expect(rounded).toBeGreaterThan(0);
    },
    120_000,
  );

  test("float: five steps free-running", async () => {
    const { observed, reference } = digitsStep("float");
    using session = await openSession(observed, await device, {});
    await session.initialise(1);
    const source = batches(observed);
    let state = await readAll(session, observed);
    for (let step = 0; step < steps; step++) {
      const batch = { ...source.training(1, step) };
      const answer = await session.run("train", batch, { step });
      const inputs = {
        images: denseTensor([64, 784], batch["images"] as TensorData),
        labels: denseTensor([64], batch["labels"] as TensorData),
      };
      const result = evaluateEntry(reference, "train", { precision: "f32", step, state, inputs });
      state = { ...result.state };
      expect(
        Math.abs((answer["loss"]?.[0] ?? Number.NaN) / contiguous(result.outputs["loss"]!)[0]! - 1),
        `loss of step ${step}`,
      ).toBeLessThan(1e-5);
    }
  }, 120_000);
});
