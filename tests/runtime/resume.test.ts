// Going on with a run, on a hand-written artifact: from the latest checkpoint, an earlier one, another run's; and what is said where that cannot be.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { ArtifactManifest } from "../../ir/artifact.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { TrainOptions } from "../../runtime/train-options.ts";
import { availableAdapters } from "../support/adapters.ts";
import { lineArtifact, lineDataset } from "../support/line-artifact.ts";
import { checkpointBytes, checkpointPath, checkpointSteps, metricsOf } from "../support/runs.ts";

// What is tested here does not depend on the adapter.
const [adapter] = await availableAdapters();
const device = await adapter!.open();
afterAll(() => device.dispose());

const parent = mkdtempSync(join(tmpdir(), "bitloom-resume-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));
let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(parent, String(count++));
});

const { run, host } = lineArtifact().manifest;
/** Evaluations at 15, 30, 45, ...; checkpoints at 10, 20, 30, ... */
const often = { run: { ...run!, evaluate: { ...run!.evaluate!, everySteps: 15 }, checkpoint: { everySteps: 10 } } };

interface Told {
  readonly warnings: string[];
  readonly resumedFrom: (string | undefined)[];
}

async function trainLine(options: TrainOptions, change: Partial<ArtifactManifest> = {}) {
  const told: Told = { warnings: [], resumedFrom: [] };
  using session = await Session.open(lineArtifact({ ...often, ...change }), device, { seed: options.seed ?? 0 });
  const result = await train(session, {
    dataset: lineDataset(),
    progress: {
      warned: (problem) => told.warnings.push(printDiagnostic(problem)),
      started: ({ resumedFrom }) => told.resumedFrom.push(resumedFrom),
    },
    ...options,
  });
  return { result, ...told };
}

describe("going on", () => {
  const whole = join(parent, "whole");
  const expectWhole = async (of = folder) => {
    if (!existsSync(whole)) await trainLine({ folder: whole, seed: 5, steps: 40 });
    expect(checkpointBytes(of, 40)).toEqual(checkpointBytes(whole, 40));
    expect(metricsOf(of)).toEqual(metricsOf(whole));
  };

  test.each([7, 15, 20, 30])("from a run that ended at step %i gives the bytes of one without an end", async (stop) => {
    await trainLine({ folder, seed: 5, steps: stop });
    // An evaluation at its end is one more than a run without an end has there.
    expect(metricsOf(folder).at(-1)).toMatchObject({ step: stop, val_loss: expect.any(Number) });
    const { warnings, resumedFrom } = await trainLine({ folder, steps: 40, resume: true });
    expect(warnings).toEqual([]);
    expect(resumedFrom).toEqual([checkpointPath(folder, stop)]);
    await expectWhole();
  });

  test("where the run is at its end already changes nothing", async () => {
    await trainLine({ folder, seed: 5, steps: 40 });
    const { result } = await trainLine({ folder, steps: 40, resume: true });
    expect(result).toMatchObject({ ended: "finished", step: 40, evaluation: { step: 40 } });
    await expectWhole();
  });

  test("where nothing was saved begins", async () => {
    const { resumedFrom } = await trainLine({ folder, seed: 5, steps: 40, resume: true });
    expect(resumedFrom).toEqual([undefined]);
    await expectWhole();
  });

  test.each(["20", "step-000020", "path"])("from an earlier checkpoint, named as %s", async (named) => {
    await trainLine({ folder, seed: 5, steps: 40 });
    // What the run wrote later must not come back.
    rmSync(checkpointPath(folder, 30), { recursive: true });
    const resume = named === "path" ? checkpointPath(folder, 20) : named;
    await trainLine({ folder, steps: 25, resume });
    expect(metricsOf(folder).filter((line) => "loss" in line)).toHaveLength(25);
    // Back at 20 means that the run goes on there, although a later checkpoint stands beside it.
    const { resumedFrom } = await trainLine({ folder, steps: 40, resume: true });
    expect(resumedFrom).toEqual([checkpointPath(folder, 25)]);
    await expectWhole();
  });

  test("from a checkpoint of another run takes its metrics along, and leaves that run alone", async () => {
    const first = join(folder, "first");
    const second = join(folder, "second");
    await trainLine({ folder: first, seed: 5, steps: 30 });
    const before = readFileSync(join(first, "metrics.jsonl"), "utf8");
    await trainLine({ folder: second, steps: 40, resume: checkpointPath(first, 20) });
    await expectWhole(second);
    expect(readFileSync(join(first, "metrics.jsonl"), "utf8")).toBe(before);
    expect(readFileSync(join(first, "latest"), "utf8").trim()).toBe(join("checkpoints", "step-000030"));
    await expect(trainLine({ folder: second, resume: first })).rejects.toThrow("error[run-exists]");
  });

  test("does without the file `latest`, and with one that names nothing", async () => {
    await trainLine({ folder, seed: 5, steps: 20 });
    rmSync(join(folder, "latest"));
    await trainLine({ folder, steps: 30, resume: true });
    writeFileSync(join(folder, "latest"), "checkpoints/step-000099\n");
    await trainLine({ folder, steps: 40, resume: true });
    await expectWhole();
  });

  test("cleans up what a killed process left", async () => {
    await trainLine({ folder, seed: 5, steps: 20 });
    // A process id that no process has.
    const pid = 2 ** 22 + 1;
    const checkpoints = join(folder, "checkpoints");
    mkdirSync(join(checkpoints, `step-000030.partial-${pid}`));
    writeFileSync(join(checkpoints, `step-000030.partial-${pid}`, "model.safetensors"), "half");
    writeFileSync(join(folder, `latest.partial-${pid}`), "");
    writeFileSync(join(folder, `metrics.jsonl.partial-${pid}`), "");
    // Killed between moving the old one aside and putting the new one in its place.
    cpSync(checkpointPath(folder, 20), join(checkpoints, `step-000020.replaced-${pid}`), { recursive: true });
    rmSync(checkpointPath(folder, 20), { recursive: true });
    await trainLine({ folder, steps: 40, resume: true });
    expect(checkpointSteps(folder)).toEqual([10, 20, 30, 40]);
    await expectWhole();
  });

  test("says what keeps it from being exact", async () => {
    await trainLine({ folder, steps: 20 });
    const { warnings } = await trainLine(
      { folder, steps: 30, resume: true },
      { host: { lr: { constant: { value: 0.01 } } }, model: "Line(inputs = 4, bias = false)", sources: { "line.loom": "sha256-new" } },
    );
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("warning[not-the-same-run]");
    expect(warnings[0]).toContain("help: the model was Line(inputs = 4), it is Line(inputs = 4, bias = false)");
    expect(warnings[0]).toContain(`help: \`lr\` was ${JSON.stringify(host["lr"])}, it is {"constant":{"value":0.01}}`);
    expect(warnings[0]).toContain("help: `line.loom` has another text");
  });
});

describe("checkpoints that stay", () => {
  test("are all of them where the recipe saves by steps", async () => {
    await trainLine({ folder, steps: 45 });
    expect(checkpointSteps(folder)).toEqual([10, 20, 30, 40, 45]);
  });

  test("are as many as asked for", async () => {
    await trainLine({ folder, steps: 45, keep: 3 });
    expect(checkpointSteps(folder)).toEqual([30, 40, 45]);
    await trainLine({ folder, steps: 60, resume: true, keep: 1 });
    expect(checkpointSteps(folder)).toEqual([60]);
  });

  test("are the last two where it saves by time", async () => {
    const { result } = await trainLine({ folder, steps: 20 }, { run: { ...run!, checkpoint: { everySeconds: 1e-6 } } });
    expect(checkpointSteps(folder)).toEqual([19, 20]);
    expect(result.checkpoint).toBe(checkpointPath(folder, 20));
  });

  test("are one at the end where it says nothing and takes less than five minutes", async () => {
    const { checkpoint: _, ...silent } = run!;
    await trainLine({ folder, steps: 20 }, { run: silent });
    expect(checkpointSteps(folder)).toEqual([20]);
  });
});

describe("a checkpoint that cannot be used", () => {
  const failure = async (options: TrainOptions = {}, change: Partial<ArtifactManifest> = {}) => {
    const failed = await trainLine({ folder, resume: true, ...options }, change).catch((problem: unknown) => problem);
    return String(failed);
  };
  const damage = (step: number, file: string, change: (bytes: Buffer) => Buffer) => {
    const path = join(checkpointPath(folder, step), file);
    writeFileSync(path, change(readFileSync(path)));
    return path;
  };

  test.each<readonly [string, (path: string) => void, string]>([
    ["is cut off", (path) => truncateSync(path, 100), "is cut off: 100 of 128 bytes are there"],
    ["is empty", (path) => truncateSync(path, 0), "is cut off: 0 of 128 bytes are there"],
    ["has grown", (path) => writeFileSync(path, "x", { flag: "a" }), "has 129 bytes, 128 were written"],
    ["is gone", (path) => rmSync(path), "is missing"],
    [
      "has one bit that flipped",
      (path) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 2]! ^= 4;
        writeFileSync(path, bytes);
      },
      "was changed or damaged: its hash is not that of what was written",
    ],
  ])("since a file %s: named, with the newest intact one before it", async (_, harm, expected) => {
    await trainLine({ folder, steps: 40 });
    const path = join(checkpointPath(folder, 40), "optimizer.safetensors");
    harm(path);
    // The one before it is damaged too, so it is no way out.
    damage(30, "model.safetensors", (bytes) => bytes.subarray(0, -1) as Buffer);
    const said = await failure();
    expect(said).toContain(`error[bad-checkpoint]: \`${path}\` ${expected}`);
    expect(said).toContain(`help: the newest intact one before it is ${checkpointPath(folder, 20)}: \`--resume 20\` goes on from there`);
    // Which writes the damaged ones again.
    await trainLine({ folder, steps: 40, resume: "20" });
    const { resumedFrom } = await trainLine({ folder, steps: 50, resume: true });
    expect(resumedFrom).toEqual([checkpointPath(folder, 40)]);
  });

  test("says so where no older one is intact", async () => {
    await trainLine({ folder, steps: 10 });
    damage(10, "model.safetensors", () => Buffer.alloc(0));
    expect(await failure()).toContain("help: no older checkpoint of this run is intact: `--overwrite` begins again");
  });

  test.each<readonly [string, (text: string) => string, string]>([
    ["is empty", () => "", "is empty"],
    ["is cut off", (text) => text.slice(0, 200), "is not JSON, perhaps cut off"],
    ["is something else", () => '{"step": 20}', 'is no `state.json` of a checkpoint: `format` is not "bitloom-checkpoint"'],
    ["is of another version", (text) => text.replace('"version": 1', '"version": 7'), "has version 7, this Bitloom reads version 1"],
    [
      "lacks fields",
      (text) => text.replace(/"(seed|policy)": .*\n/g, "").replace('"step": 20', '"step": "twenty"'),
      "`step` is no whole number, `seed` is missing, `policy` is missing",
    ],
    ["lacks the hashes", (text) => text.replace('"files"', '"fils"'), "`files` is missing"],
    ["lacks one hash", (text) => text.replace('"model.safetensors"', '"other.safetensors"'), "has no size and hash of `model.safetensors`"],
  ])("since state.json %s", async (_, change, expected) => {
    await trainLine({ folder, steps: 20 });
    const path = damage(20, "state.json", (bytes) => Buffer.from(change(bytes.toString())));
    const said = await failure();
    expect(said).toContain(`error[bad-checkpoint]: \`${path}\` ${expected}`);
    expect(said).toContain("`--resume 10` goes on from there");
  });

  test("since it is of another model: every tensor that differs is named", async () => {
    await trainLine({ folder, steps: 10 });
    const [w, moment] = lineArtifact().manifest.state;
    const said = await failure(
      {},
      {
        model: "Square(inputs = 4)",
        state: [
          { ...w!, type: "f32[2, 2]" },
          { ...moment!, name: "v#sgd.m" },
        ],
      },
    );
    expect(said).toContain(
      `error[checkpoint-mismatch]: ${checkpointPath(folder, 10)} holds the state of another model: it was made with Line(inputs = 4), this is Square(inputs = 4)`,
    );
    expect(said).toContain("help: `w` is f32[2, 2] in the model and F32 [4] in the checkpoint");
    expect(said).toContain("help: it has no tensor `v#sgd.m`: f32[4]");
    expect(said).toContain("help: the model has no `w#sgd.m`, which the checkpoint holds");
  });

  test("since it is of another policy, recipe, seed or batch: all are named", async () => {
    await trainLine({ folder, steps: 10 });
    const said = await failure({ seed: 3 }, { policy: "quest_w4a4", recipe: "circle" });
    expect(said).toContain("was made by the recipe `line`, not `circle`");
    expect(said).toContain("was made under the policy `float`, not `quest_w4a4`");
    expect(said).toContain("was made with seed 0, not 3");
    damage(10, "state.json", (bytes) => Buffer.from(bytes.toString().replace('"dataPosition": 80', '"dataPosition": 160')));
    expect(await failure()).toContain("was made with 16 examples a step, not 8");
  });

  test("since it is not there", async () => {
    await trainLine({ folder, steps: 20 });
    const said = await failure({ resume: "15" });
    expect(said).toContain("error[no-checkpoint]: there is no checkpoint `15`");
    expect(said).toContain(`help: ${folder} has those of step 10, 20`);
  });
});
