// Training steps of the Llama `tiny` on every adapter against the interpreter, teacher-forced: both start each step from the same state.
import { afterAll, describe, expect, test } from "vitest";
import { availableAdapters } from "../support/adapters.ts";
import { openSession } from "../support/backends.ts";
import { llamaSource, textBatches } from "../support/llama.ts";
import { stepTwin } from "../support/step-twin.ts";
import { expectFreeSteps, expectStepsOfInterpreter } from "../support/teacher-forced.ts";

const [rows, length, steps] = [2, 32, 3];
const adapters = await availableAdapters();
const twinOf = (policy: string) => stepTwin(llamaSource(rows, length), { recipe: "tiny", policy });

describe.each(adapters)("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each([
    ["float", 0],
    // Codes and masks of seven weights a layer, and of four activations: q, k and v share one, gate and up another.
    ["quest_w4a4", 4 * 2 * (7 + 4)],
    ["quest_w1a1", 4 * 2 * (7 + 4)],
  ] as const)(
    "%s: teacher-forced steps",
    async (policy, roundings) => {
      const twin = twinOf(policy);
      expect(twin.roundings).toHaveLength(roundings);
      using session = await openSession(twin.observed, await device, {});
      await session.initialise(1);
      expect(await expectStepsOfInterpreter(twin, session, steps, textBatches(rows, length))).toHaveLength(steps);
    },
    300_000,
  );

  test("float: steps free-running", async () => {
    const twin = twinOf("float");
    using session = await openSession(twin.observed, await device, {});
    await session.initialise(1);
    await expectFreeSteps(twin, session, steps, textBatches(rows, length));
  }, 300_000);
});
