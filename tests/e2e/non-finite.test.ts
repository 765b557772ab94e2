// A batch that holds a value that is not finite: the step says so and changes nothing, and the next step goes on as if it had not been.
import { afterAll, describe, expect, test } from "vitest";
import { Batches } from "../../runtime/data/batches.ts";
import type { Outputs } from "../../runtime/session.ts";
import { Session } from "../../runtime/session.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { compileDigits, openDigits, smallModel, stateBytes } from "../support/digits.ts";

const pixels = 28 * 28;
const poisons: readonly (readonly [string, (images: Float32Array) => void])[] = [
  ["one pixel that is NaN", (images) => images.fill(Number.NaN, 5 * pixels + 300, 5 * pixels + 301)],
  ["one infinite pixel", (images) => images.fill(Number.NEGATIVE_INFINITY, 63 * pixels + 783, 64 * pixels)],
  ["nothing but NaN", (images) => images.fill(Number.NaN)],
];

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(["float", "quest_w4a4", "quest_w1a1"])("%s", async (policy) => {
    const artifact = compileDigits({ policy, set: smallModel, targets: [await targetOn(await device)] });
    using session = await Session.open(artifact, await device, { seed: 3 });
    const batches = new Batches(await openDigits(), artifact.manifest.run!.data, artifact.manifest.entries["train"]!);
    const good = (step: number): Promise<Outputs> => session.run("train", batches.training(3, step), { step });

    const clean = [await good(0), await good(1)];
    const reached = await stateBytes(session);
    await session.initialise(3);
    expect(await good(0)).toEqual(clean[0]);
    const before = await stateBytes(session);
    expect(before).not.toEqual(reached);
    for (const [what, poison] of poisons) {
      const { images, labels } = batches.training(3, 9);
      const bad = (images as Float32Array).slice();
      poison(bad);
      const { ok } = await session.run("train", { images: bad, labels: labels! }, { step: 1 });
      expect(ok, what).toEqual(Uint32Array.of(0));
      expect(await stateBytes(session), what).toEqual(before);
    }
    expect(await good(1)).toEqual(clean[1]);
    expect(clean[1]!["ok"]).toEqual(Uint32Array.of(1));
    expect(await stateBytes(session)).toEqual(reached);
  });
});
