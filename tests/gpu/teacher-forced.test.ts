// Training steps of `digits` on every adapter against the interpreter, teacher-forced: both start each step from the same state.
import { afterAll, describe, expect, test } from "vitest";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { availableAdapters } from "../support/adapters.ts";
import { inputTypes, openSession, outputTypes } from "../support/backends.ts";
import { digitBatches } from "../support/digits.ts";
import { withEvidence } from "../support/failure.ts";
import { digitsStep } from "../support/step-twin.ts";
import { expectStepsOfInterpreter, namedTensors, readState, relativeDifference } from "../support/teacher-forced.ts";

const steps = 5;
const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each([
    ["float", 0],
    ["quest_w4a4", 11],
    ["quest_w1a1", 11],
  ] as const)(
    "%s: five teacher-forced steps",
    async (policy, roundings) => {
      const twin = digitsStep(policy);
      // Codes and masks of weight and activation of three layers, but no mask of the images, which get no gradient.
      expect(twin.roundings).toHaveLength(roundings);
      using session = await openSession(twin.observed, await device, {});
      await session.initialise(1);
      expect(await expectStepsOfInterpreter(twin, session, steps)).toHaveLength(steps);
    },
    120_000,
  );

  test("float: five steps free-running", async () => {
    const { observed, reference } = digitsStep("float");
    using session = await openSession(observed, await device, {});
    await session.initialise(1);
    const batches = await digitBatches(observed);
    let state = await readState(session, observed);
    for (let step = 0; step < steps; step++) {
      const batch = batches.training(1, step);
      const actual = namedTensors(outputTypes(observed, "train"), await session.run("train", batch, { step }));
      const inputs = namedTensors(inputTypes(reference, "train"), batch);
      const { outputs: expected, state: after } = evaluateEntry(reference, "train", { precision: "f32", step, state, inputs });
      await withEvidence(
        () => ({ module: observed, artifact: session.artifact, tensors: { actual, expected, inputs, state } }),
        () => expect(relativeDifference(actual["loss"]!, expected["loss"]!), `loss of step ${step}`).toBeLessThan(1e-5),
      );
      state = after;
    }
  }, 120_000);
});
