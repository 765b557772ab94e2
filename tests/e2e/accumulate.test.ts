// Gradient accumulation: a step of several micro-batches is the step of one batch of their common size, and what goes wrong in one of
// them leaves nothing behind.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Target } from "../../ir/plan.ts";
import { Batches } from "../../runtime/data/batches.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { StepMetrics } from "../../runtime/train-options.ts";
import { trainingEntry } from "../../runtime/training-step.ts";
import { readWeights } from "../../runtime/weights.ts";
import { availableAdapters } from "../support/adapters.ts";
import { targetOn } from "../support/backends.ts";
import { mlpSource, openDigits, smallModel, stateBytes } from "../support/digits.ts";

const steps = 6;
const examples = 24;
const dataset = await openDigits();
const parent = mkdtempSync(join(tmpdir(), "bitloom-accumulate-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

/** The digits in steps of 24 examples, in that many micro-batches. */
function compileParts(parts: number, policy: string, target: Target): CompiledArtifact {
  const { path, text } = mlpSource();
  const source = {
    path,
    text: text.replace("f32[64, 784], labels: i32[64]", `f32[${examples / parts}, 784], labels: i32[${examples / parts}]`),
  };
  const set = [...smallModel, "schedule.warmup=1", `accumulate=${parts}`];
  const entries = (name: string) => name === "train" || name === "eval";
  return unwrap(compile(source, { recipe: "digits", policy, set, targets: [target], portable: false, entries }));
}

async function floats(session: Session): Promise<ReadonlyMap<string, readonly number[]>> {
  const states = session.artifact.manifest.state.filter(({ role }) => role !== "gradient");
  return new Map(await Promise.all(states.map(async ({ name }) => [name, [...(await session.readState(name))]] as const)));
}

describe.each(await availableAdapters())("$name", (adapter) => {
  const device = adapter.open();
  afterAll(async () => (await device).dispose());
  const open = async (parts: number, policy: string) =>
    Session.open(compileParts(parts, policy, await targetOn(await device)), await device, { seed: 5 });

  async function trained(parts: number): Promise<{ metrics: readonly StepMetrics[]; state: ReadonlyMap<string, readonly number[]> }> {
    using session = await open(parts, "float");
    const metrics: StepMetrics[] = [];
    await train(session, { seed: 5, steps, dataset, progress: { stepped: (m) => metrics.push(m) } });
    return { metrics, state: await floats(session) };
  }
  const whole = trained(1);

  test.each([2, 3])("%i micro-batches are one batch, to rounding", async (parts) => {
    const [expected, actual] = [await whole, await trained(parts)];
    for (const [i, { step, loss, grad_norm: norm, lr }] of expected.metrics.entries()) {
      const other = actual.metrics[i]!;
      expect(other).toMatchObject({ step, lr });
      expect(Math.abs(other.loss - loss), `loss of step ${step}`).toBeLessThan(2e-6 * loss);
      expect(Math.abs(other.grad_norm! - norm!), `norm of step ${step}`).toBeLessThan(1e-5 * norm!);
    }
    expect([...actual.state.keys()]).toEqual([...expected.state.keys()]);
    for (const [name, values] of expected.state) {
      const largest = Math.max(...values.map(Math.abs));
      const worst = Math.max(...values.map((v, i) => Math.abs(v - actual.state.get(name)![i]!)));
      expect(worst, name).toBeLessThan(5e-5 * largest);
    }
  });

  test.each(["float", "quest_w4a4"])("%s: a bad micro-batch undoes its step and is forgotten", async (policy) => {
    using session = await open(3, policy);
    const batches = new Batches(dataset, session.artifact.manifest.run!.data, trainingEntry(session.artifact.manifest)!);
    const run = async (step: number, poisoned?: number) => {
      for (let part = 0; part < 3; part++) {
        const { images, labels } = batches.training(5, step * 3 + part);
        const changed = (images as Float32Array).slice();
        if (part === poisoned) changed[1234] = Number.NaN;
        await session.run("accumulate", { images: changed, labels: labels! });
      }
      return session.run("apply", {}, { step });
    };
    const clean = [await run(0), await run(1)];
    const reached = await stateBytes(session);
    await session.initialise(5);
    expect(await run(0)).toEqual(clean[0]);
    const before = await stateBytes(session);
    for (const part of [0, 1, 2]) {
      expect((await run(1, part))["ok"], `part ${part}`).toEqual(Uint32Array.of(0));
      expect(await stateBytes(session), `part ${part}`).toEqual(before);
    }
    expect(await run(1)).toEqual(clean[1]);
    expect(clean[1]!["ok"]).toEqual(Uint32Array.of(1));
    expect(await stateBytes(session)).toEqual(reached);
  });

  test("checkpoints hold no sums, and a resumed run goes on to the bit", async () => {
    const folder = (name: string) => join(parent, `${adapter.name}-${name}`);
    const saved = (name: string, file: string) => readFileSync(join(folder(name), `checkpoints/step-00000${steps}`, file));
    using session = await open(3, "quest_w4a4");
    await train(session, { folder: folder("whole"), seed: 5, steps, dataset });
    const { tensors } = await readWeights(join(folder("whole"), `checkpoints/step-00000${steps}`, "optimizer.safetensors"));
    expect([...tensors.keys()].filter((name) => name.endsWith("#grad") || name === "#loss")).toEqual([]);
    expect(JSON.parse(saved("whole", "state.json").toString())).toMatchObject({ step: steps, dataPosition: steps * examples });
    await session.initialise(5);
    await train(session, { folder: folder("stopped"), seed: 5, steps: 2, dataset });
    using other = await open(3, "quest_w4a4");
    await train(other, { folder: folder("stopped"), resume: true, steps, dataset });
    for (const file of ["model.safetensors", "optimizer.safetensors", "state.json"])
      expect(saved("stopped", file).equals(saved("whole", file)), file).toBe(true);
  });
});
