// Training gives the same bits again: twice from the start, and across a stop, a checkpoint and another session that goes on.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Dataset } from "../../runtime/data/dataset.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { compileDigits, openDigits, smallModel } from "../support/digits.ts";

const steps = 50;
const stop = 20;
const digits = await openDigits();
/** An epoch of 12 batches: the stop lies within the second one, the rest of the run crosses three more. */
const dataset: Dataset = { ...digits, count: (split) => (split === "training" ? 12 * 64 : digits.count(split)) };

const parent = mkdtempSync(join(tmpdir(), "bitloom-repeat-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const saved = (run: string, step: number, file: string) => readFileSync(join(run, `checkpoints/step-0000${step}`, file));
const losses = (run: string) =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((line) => "loss" in line)
    .map(({ step, loss, grad_norm, lr }) => ({ step, loss, grad_norm, lr }));

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());

  test.each(["quest_w4a4", "float"])("%s", async (policy) => {
    const artifact = compileDigits({ policy, set: smallModel, targets: [await targetOn(await device)] });
    const run = (name: string) => join(parent, `${adapter.name}-${policy}-${name}`);
    using first = await Session.open(artifact, await device, { seed: 7 });
    await train(first, { folder: run("first"), seed: 7, steps, dataset });
    using second = await Session.open(artifact, await device, { seed: 7 });
    await train(second, { folder: run("second"), seed: 7, steps, dataset });
    for (const file of ["model.safetensors", "optimizer.safetensors", "state.json"])
      expect(saved(run("second"), steps, file).equals(saved(run("first"), steps, file)), `${file} of the second run`).toBe(true);
    expect(losses(run("second"))).toEqual(losses(run("first")));

    await second.initialise(8);
    await train(second, { folder: run("other"), seed: 8, steps: 2, dataset });
    expect(losses(run("other"))[0]!.loss, "another seed").not.toBe(losses(run("first"))[0]!.loss);

    // The session that goes on holds other weights and moments; all of them come from the checkpoint.
    await second.initialise(7);
    await train(second, { folder: run("stopped"), seed: 7, steps: stop, dataset });
    const result = await train(first, { folder: run("stopped"), resume: true, steps, dataset });
    expect(result).toMatchObject({ ended: "finished", step: steps });
    for (const file of ["model.safetensors", "optimizer.safetensors", "state.json"])
      expect(saved(run("stopped"), steps, file).equals(saved(run("first"), steps, file)), `${file} of the resumed run`).toBe(true);
    expect(losses(run("stopped"))).toEqual(losses(run("first")));
  });
});
