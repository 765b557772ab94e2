// Gradient accumulation: a step of several micro-batches is the step of one batch of their common size, and what goes wrong in one of
// them leaves nothing behind.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../../compiler/driver/compile.ts";
import { compileChecked } from "../../compiler/driver/compile-checked.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Target } from "../../ir/plan.ts";
import { Batches } from "../../runtime/data/batches.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
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

const optionsOf = (parts: number, policy: string) => ({
  recipe: "digits",
  policy,
  set: [...smallModel, "schedule.warmup=1", `accumulate=${parts}`, `data.batch=${examples / parts}`],
});

/** The digits in steps of 24 examples, in that many micro-batches. */
function compileParts(parts: number, policy: string, target: Target): CompiledArtifact {
  const entries = (name: string) => name === "train" || name === "eval";
  return unwrap(compile(mlpSource(), { ...optionsOf(parts, policy), targets: [target], portable: false, entries }));
}

async function floats(session: Session): Promise<ReadonlyMap<string, readonly number[]>> {
  const states = session.artifact.manifest.state.filter(({ role }) => role !== "gradient");
  return new Map(await Promise.all(states.map(async ({ name }) => [name, [...(await session.readState(name))]] as const)));
}

const adapters = await availableAdapters();

describe.each(adapters)("$name", (adapter) => {
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

  test("what made a micro-batch not finite is found, with the example's place in the step", async () => {
    const target = await targetOn(await device);
    using session = await open(3, "float");
    const batches = new Batches(dataset, session.artifact.manifest.run!.data, trainingEntry(session.artifact.manifest)!);
    // The example with index 19 of the second step, whose pixels are told from all others by their sum.
    const sumOf = (pixels: Float32Array) => pixels.reduce((sum, x, i) => sum + x * (i + 1), 0);
    const wanted = sumOf((batches.training(5, 3 + 2)["images"] as Float32Array).subarray(3 * 784, 4 * 784));
    const poisoned: Dataset = {
      ...dataset,
      copy(split, example, field, out, from) {
        dataset.copy(split, example, field, out, from);
        if (split === "training" && field === 0 && sumOf((out as Float32Array).subarray(from, from + 784)) === wanted)
          out[from + 7] = Number.NaN;
      },
    };
    const warnings: string[] = [];
    const checked = () => unwrap(compileChecked(mlpSource(), { ...optionsOf(3, "float"), targets: [target], portable: false }));
    const { skipped } = await train(session, {
      seed: 5,
      steps: 3,
      dataset: poisoned,
      checked,
      progress: { warned: (d) => warnings.push(d.message) },
    });
    expect(skipped).toBe(1);
    expect(warnings).toEqual([expect.stringContaining("step 2 had a loss or a gradient that is not finite")]);
    expect(warnings[0]).toContain("example 19 of its batch holds a value in `images` that is not finite");
  });

  // On the driver that compiles its kernels in less time.
  test.runIf(adapter === adapters[0])("a recomputed forward pass changes no bit", async () => {
    const trainGpt = async (remat: readonly string[]) => {
      const path = "models/gpt.loom";
      const source = { path, text: readFileSync(new URL(`../../${path}`, import.meta.url), "utf8") };
      const set = ["recipe.batch=2", "recipe.context=16", "accumulate=2", "schedule.warmup=1", ...remat];
      const entries = (name: string) => name === "train";
      const artifact = unwrap(compile(source, { recipe: "small", set, targets: [await targetOn(await device)], portable: false, entries }));
      using gpt = await Session.open(artifact, await device, { seed: 5 });
      const again = Object.values(artifact.manifest.targets[0]!.dispatches).map((dispatches) => dispatches.length);
      for (let step = 0; step < 2; step++) {
        for (let part = 0; part < 2; part++) {
          const tokens = Int32Array.from({ length: 2 * 17 }, (_, i) => (i * i * (2 * step + part + 3)) % 101);
          await gpt.run("accumulate", { tokens });
        }
        expect(await gpt.run("apply", {}, { step })).toMatchObject({ ok: Uint32Array.of(1) });
      }
      return { state: await stateBytes(gpt), again };
    };
    const [kept, recomputed] = [await trainGpt([]), await trainGpt(["remat=layers.*"])];
    expect(recomputed.again[0]).toBeGreaterThan(kept.again[0]! + 10);
    expect(recomputed.again[1]).toBe(kept.again[1]);
    expect(recomputed.state).toEqual(kept.state);
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
