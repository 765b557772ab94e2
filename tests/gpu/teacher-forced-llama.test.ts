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

describe.each(adapters)("$name", ({ description, open }) => {
  const device = open();
  afterAll(async () => (await device).dispose());

  const first = [0, 1, 2];
  // Trained weights round differently from drawn ones; SwiftShader would take minutes to get there.
  const trained = description.adapterClass === "swiftshader" ? first : [0, 50, 200];
  test.each([
    ["float", 0, first],
    // Codes and masks of seven weights a layer, and of four activations: q, k and v share one, gate and up another.
    ["quest_w4a4", 4 * 2 * (7 + 4), trained],
    ["quest_w1a1", 4 * 2 * (7 + 4), trained],
  ] as const)(
    "%s: teacher-forced steps, and free-running ones in float",
    async (policy, roundings, compared) => {
      const twin = twinOf(policy);
      expect(twin.roundings).toHaveLength(roundings);
      using session = await openSession(twin.observed, await device, {});
      await session.initialise(1);
      expect(await expectStepsOfInterpreter(twin, session, compared, textBatches(rows, length))).toHaveLength(compared.length);
      if (policy !== "float") return;
      await session.initialise(1);
      await expectFreeSteps(twin, session, steps, textBatches(rows, length));
    },
    300_000,
  );
});
