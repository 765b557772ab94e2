// Training steps of `digits` on every adapter against the interpreter, teacher-forced: both start each step from the same state.
import { afterAll, describe, expect, test } from "vitest";
import { availableAdapters } from "../support/adapters.ts";
import { openSession } from "../support/backends.ts";
import { digitSteps } from "../support/digits.ts";
import { digitsStep } from "../support/step-twin.ts";
import { expectFreeSteps, expectStepsOfInterpreter } from "../support/teacher-forced.ts";

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
      expect(await expectStepsOfInterpreter(twin, session, steps, await digitSteps(twin.observed))).toHaveLength(steps);
    },
    120_000,
  );

  test("float: five steps free-running", async () => {
    const twin = digitsStep("float");
    using session = await openSession(twin.observed, await device, {});
    await session.initialise(1);
    await expectFreeSteps(twin, session, steps, await digitSteps(twin.observed));
  }, 120_000);
});
