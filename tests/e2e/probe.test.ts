// `@probe`: what it tells is what the formulas give, on every kind of rounding; asking for it changes no bit of the training.
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { targetOf } from "../../cli/target.ts";
import { compile, lowerSource, runPasses } from "../../compiler/index.ts";
import { plotKinds } from "../../experiments/plots/plots.ts";
import { readRuns } from "../../experiments/plots/run-metrics.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { evaluateEntry } from "../../ir/interpreter.ts";
import { probeOutputName, probeOutputOf } from "../../ir/probe-output.ts";
import { denseTensor } from "../../ir/tensor.ts";
import { shapeOf } from "../../ir/type.ts";
import { Batches } from "../../runtime/data/batches.ts";
import { Device } from "../../runtime/device.ts";
import { probeQuantization, type QuantProbe } from "../../runtime/quant-probes.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import { mlpSource, openDigits, smallModel, stateBytes } from "../support/digits.ts";
import { quantized, rotated } from "../support/quest-reference.ts";
import { metricsOf } from "../support/runs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
// SwiftShader comes with npm, so it is everywhere.
const device = await Device.open({ adapter: "swiftshader" });
const target = await targetOf(device);
afterAll(() => device.dispose());

const options = (policy: string) => ({ recipe: "digits", policy, set: smallModel });
const artifactOf = (policy: string, probe: boolean) =>
  unwrap(
    compile(mlpSource(), {
      ...options(policy),
      targets: [target],
      portable: false,
      entries: (name) => ["train", "eval", "probe"].includes(name),
      ...(probe ? { probe } : {}),
    }),
  );

/** By QuEST's formulas written out: rows with one scale each. */
function reference(data: Float32Array, columns: number, bits: number, block: number): QuantProbe {
  let [trusted, errors, squares] = [0, 0, 0];
  for (let start = 0; start < data.length; start += columns) {
    const row = data.subarray(start, start + columns);
    const values = rotated(row, block);
    for (const [i, { code, trusted: passes, step }] of quantized(row, { bits, group: columns, block }).entries()) {
      const value = values[i] ?? 0;
      trusted += passes;
      errors += ((code + 0.5) * step - value) ** 2;
      squares += value ** 2;
    }
  }
  return { trusted: trusted / data.length, error: errors / squares };
}

describe("what is told", () => {
  test("of weights and of the first layer's input equals the formulas, of all layers the interpreter", async () => {
    const artifact = artifactOf("quest_w4a4", true);
    using session = await Session.open(artifact, device, { seed: 5 });
    const entry = artifact.manifest.entries["probe"];
    const { run } = artifact.manifest;
    if (entry === undefined || run === undefined) throw new Error("an artifact without what it was compiled for");
    const batches = new Batches(await openDigits(), run.data, entry);
    const probes = await probeQuantization(session, batches);
    expect(Object.keys(probes)).toEqual(["fc1", "fc2", "fc3"]);

    // 784 is 49 times 16, 64 is one block.
    for (const [site, block] of [
      ["fc1", 16],
      ["fc2", 64],
      ["fc3", 64],
    ] as const) {
      const weight = await session.readState(`${site}.weight`);
      const columns = site === "fc1" ? 784 : 64;
      const { trusted = Number.NaN, error } = reference(weight as Float32Array, columns, 4, block);
      expect(probes[site]?.w?.error).toBeCloseTo(error, 6);
      // An element at a boundary may fall on its other side.
      expect(Math.abs((probes[site]?.w?.trusted ?? Number.NaN) - trusted) * weight.length).toBeLessThan(2);
    }
    const { images } = batches.heldOut(0);
    // Black pixels lie where trust ends, so that its share depends on the last bit of a scale: the interpreter below rounds as the kernels do.
    expect(probes["fc1"]?.a?.error).toBeCloseTo(reference(images as Float32Array, 784, 4, 16).error, 5);

    const lowered = unwrap(lowerSource(mlpSource(), { ...options("quest_w4a4"), probe: true }));
    const { module } = unwrap(runPasses(lowered.module, { until: "quantized" }));
    const state = Object.fromEntries(
      await Promise.all(
        module.states.map(
          async ({ name, type }) => [name, denseTensor(shapeOf(type), Float64Array.from(await session.readState(name)))] as const,
        ),
      ),
    );
    const batch = batches.heldOut(0);
    const inputs = Object.fromEntries(
      entry.inputs.map(({ name }) => [name, denseTensor(name === "images" ? [64, 784] : [64], Float64Array.from(batch[name] ?? []))]),
    );
    const { outputs } = evaluateEntry(module, "probe", { precision: "f32", state, inputs });
    for (const [site, sides] of Object.entries(probes)) {
      for (const [side, { trusted, error }] of Object.entries(sides)) {
        expect(trusted, `${site} ${side}`).toBeCloseTo(outputs[`${side}_trusted_${site}`]?.data[0] ?? Number.NaN, 3);
        expect(error, `${site} ${side}`).toBeCloseTo(outputs[`${side}_error_${site}`]?.data[0] ?? Number.NaN, 4);
        expect(error).toBeGreaterThan(0);
      }
    }
  });

  test("weights alone have no activations; an estimator that trusts all has no share; float has no probe", () => {
    const outputsOf = (policy: string) => artifactOf(policy, true).manifest.entries["probe"]?.outputs.map(({ name }) => name);
    expect(outputsOf("quest_w4")).toEqual(["fc1", "fc2", "fc3"].flatMap((site) => [`w_trusted_${site}`, `w_error_${site}`]));
    expect(outputsOf("ste(w = 4, a = 4)")).toEqual(["fc1", "fc2", "fc3"].flatMap((site) => [`a_error_${site}`, `w_error_${site}`]));
    expect(outputsOf("adabin()")).toEqual(["fc1", "fc2", "fc3"].flatMap((site) => [`a_error_${site}`, `w_error_${site}`]));
    expect(outputsOf("adabin(on = weight, hadamard = 16)")).toEqual(["fc1", "fc2", "fc3"].map((site) => `w_error_${site}`));
    expect(outputsOf("float")).toBeUndefined();
    expect(artifactOf("quest_w4a4", false).manifest.entries["probe"]).toBeUndefined();
  });
});

test("a probed run has the bits of one that is not, and its metrics are drawn", async () => {
  const finished: Record<string, unknown>[] = [];
  for (const probe of [false, true]) {
    using session = await Session.open(artifactOf("quest_w2a2", probe), device, { seed: 3 });
    const run = join(folder.path, probe ? "probed" : "plain");
    await train(session, { folder: run, seed: 3, steps: 8, dataset: await openDigits(), ...(probe ? { probeEvery: 3 } : {}) });
    finished.push(await stateBytes(session));
  }
  expect(finished[1]).toEqual(finished[0]);
  const lines = metricsOf(join(folder.path, "probed"));
  expect(lines.filter((line) => !("probe" in line))).toEqual(metricsOf(join(folder.path, "plain")));
  const probed = lines.filter((line) => "probe" in line);
  expect(probed.map(({ step }) => step)).toEqual([3, 6]);

  const runs = readRuns([join(folder.path, "probed")]);
  const trusted = plotKinds.trusted.chart(runs);
  expect(trusted.series.map(({ name }) => name).toSorted()).toEqual(["fc1 a", "fc1 w", "fc2 a", "fc2 w", "fc3 a", "fc3 w"]);
  for (const { points } of trusted.series) {
    expect(points.map(({ x }) => x)).toEqual([3, 6]);
    for (const { y } of points) expect(y > 0.5 && y <= 1).toBe(true);
  }
  const { step, probe } = probed[0] as { step: number; probe: Record<string, { w: QuantProbe }> };
  const errors = plotKinds["quant-error"].chart(runs);
  expect(errors.series.find(({ name }) => name === "fc2 w")?.points[0]).toEqual({ x: step, y: probe["fc2"]?.w.error });
  expect(() => plotKinds.trusted.chart(readRuns([join(folder.path, "plain")]))).toThrow("the runs have no probes");
});

test("names of outputs are names of sites", () => {
  for (const site of ["fc1", "layers.0.attn.wq", "lm_head", "a_.b__d.d_d"]) {
    const output = { site, side: "w", what: "error" } as const;
    expect(probeOutputOf(probeOutputName(output))).toEqual(output);
    expect(probeOutputName(output)).toMatch(/^\w+$/);
  }
});

test("an artifact without the entry is not probed", async () => {
  using session = await Session.open(artifactOf("float", true), device);
  await expect(train(session, { probeEvery: 2, steps: 2, dataset: await openDigits() })).rejects.toThrow(
    "the artifact has no entry `probe`",
  );
});
