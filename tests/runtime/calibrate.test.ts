// Learned scales in a run: what they begin with, that they learn, and where they are left alone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { Batches } from "../../runtime/data/batches.ts";
import { giveWeights } from "../../runtime/given-weights.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { StepMetrics } from "../../runtime/train-options.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { compileDigits, openDigits, stateBytes } from "../support/digits.ts";

vi.setConfig({ testTimeout: 180_000 });

const parent = mkdtempSync(join(tmpdir(), "bitloom-scales-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// Which adapter it is matters to kernels alone, which other tests compare.
const [adapter] = await availableAdapters();
const device = await adapter!.open();
afterAll(() => device.dispose());
const target = await targetOn(device);

const set = ["model.hidden=32", "schedule.steps=60", "schedule.warmup=6", "checkpoint.every=30"];
const artifactOf = (policy: string) => compileDigits({ policy, set, targets: [target] });
const open = (policy: string) => Session.open(artifactOf(policy), device, { seed: 1 });

const scalar = async (session: Session, name: string) => (await session.readState(name))[0]!;
const firstStep = (values: ArrayLike<number>, bits: number) =>
  (2 * Array.from(values).reduce((sum, v) => sum + Math.abs(v), 0)) / values.length / Math.sqrt(2 ** (bits - 1) - 1);
const scalesOf = (session: Session) =>
  session.artifact.manifest.state.filter(({ name, role }) => name.includes("#") && role !== "optimizer");

async function trained(policy: string, folder: string) {
  const session = await open(policy);
  const seen: StepMetrics[] = [];
  const options = { folder: join(parent, folder), seed: 1, dataset: await openDigits() };
  const result = await train(session, { ...options, progress: { stepped: (m) => seen.push(m) } });
  return { session, seen, result };
}

test("calibration gives each weight the step of the whole weight, and the first layer's input that of the batch", async () => {
  using session = await open("lsq(w = 4, a = 3)");
  const { entries, run } = session.artifact.manifest;
  expect(session.needsCalibration).toBe(true);
  const batch = new Batches(await openDigits(), run!.data, entries["train"]!).training(1, 0);
  await session.run("calibrate", batch);
  expect(session.needsCalibration).toBe(false);
  for (const layer of ["fc1", "fc2", "fc3"]) {
    const expected = firstStep(await session.readState(`${layer}.weight`), 4);
    expect((await scalar(session, `${layer}.weight#step`)) / expected).toBeCloseTo(1, 5);
  }
  expect((await scalar(session, "fc1#a.step")) / firstStep(batch["images"]!, 3)).toBeCloseTo(1, 5);
  // What the second layer takes has been through the first one's rounding.
  expect(await scalar(session, "fc2#a.step")).toBeGreaterThan(0.01);
  await session.initialise(1);
  expect(session.needsCalibration).toBe(true);
});

describe.each(["scale", "factor"])("learn = %s", (learn) => {
  const policy = `lsq(w = 4, a = 4, learn = ${learn})`;
  test("a run learns its scales, and its weights bring them along", async () => {
    const { session, seen, result } = await trained(policy, learn);
    using ran = session;
    expect(result.skipped).toBe(0);
    expect(seen[0]!.loss).toBeGreaterThan(2.2);
    expect(seen.slice(-10).reduce((sum, { loss }) => sum + loss / 10, 0)).toBeLessThan(0.8 * seen[0]!.loss);
    const learned = scalesOf(ran).filter(({ role }) => role === "parameter");
    expect(learned).toHaveLength(6);
    for (const { name, decay } of learned) {
      expect(decay).toBe(false);
      const value = await scalar(ran, name);
      expect(Number.isFinite(value), name).toBe(true);
      if (learn === "factor") expect(Math.abs(value - 1), name).toBeGreaterThan(1e-3);
    }

    using fresh = await open(policy);
    expect(await giveWeights(join(parent, learn), fresh)).toEqual([]);
    expect(fresh.needsCalibration).toBe(false);
    const [there, here] = [await stateBytes(ran), await stateBytes(fresh)];
    for (const { name } of scalesOf(ran)) expect(here[name], name).toBe(there[name]);
  });
});

test("weights that were trained without them are calibrated", async () => {
  const folder = join(parent, "float");
  {
    using session = await open("float");
    await train(session, { folder, seed: 1, steps: 5, dataset: await openDigits() });
  }
  using session = await open("lsq(w = 4, a = 4)");
  expect(await giveWeights(folder, session)).toEqual([]);
  expect(session.needsCalibration).toBe(true);
  const weight = await session.readState("fc2.weight");
  await train(session, { seed: 1, steps: 1, dataset: await openDigits() });
  // One step of a warm-up of six later.
  expect(Math.abs((await scalar(session, "fc2.weight#step")) - firstStep(weight, 4))).toBeLessThan(1e-3);
  // What is used as it is wants all of them.
  using asIs = await open("lsq(w = 4, a = 4)");
  await expect(giveWeights(folder, asIs, { asTheyAre: true })).rejects.toThrow("it has no `fc1#a.step`: f32[1]");
});
