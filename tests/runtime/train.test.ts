// The training loop on a hand-written artifact: it learns, logs, evaluates, saves, resumes exactly, stops when asked, survives bad steps.
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ArtifactManifest } from "../../ir/artifact.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Dataset } from "../../runtime/data/dataset.ts";
import type { Device } from "../../runtime/device.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { TrainOptions } from "../../runtime/train-options.ts";
import { decodeWeights } from "../../runtime/weights.ts";
import { availableAdapters } from "../support/adapters.ts";
import { lineArtifact, lineDataset, trueWeights } from "../support/line-artifact.ts";

const run = lineArtifact().manifest.run!;
const lines = async (folder: string) =>
  (await readFile(join(folder, "metrics.jsonl"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    let device: Device;
    let folder: string;
    beforeAll(async () => {
      device = await adapter.open();
    });
    afterAll(() => device.dispose());
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "bitloom-run-"));
    });
    afterEach(() => rm(folder, { recursive: true }));

    const trainLine = async (options: TrainOptions, change: Partial<ArtifactManifest> = {}, prepare?: (session: Session) => void) => {
      using session = await Session.open(lineArtifact(change), device, { seed: options.seed ?? 0 });
      prepare?.(session);
      const result = await train(session, { dataset: lineDataset(), ...options });
      return { result, w: [...(await session.readState("w"))] };
    };
    const model = (step: string, from = folder) => readFile(join(from, "checkpoints", step, "model.safetensors"));

    it("learns, and the run folder tells how", async () => {
      const events: string[] = [];
      const { result, w } = await trainLine({
        folder,
        config: { note: "test" },
        progress: {
          started: ({ fromStep, steps }) => events.push(`start ${fromStep}-${steps}`),
          evaluated: ({ step }) => events.push(`eval ${step}`),
          saved: (path, step) => events.push(`save ${step} ${path.slice(folder.length + 1)}`),
        },
      });
      expect(events).toEqual([
        "start 0-300",
        ...[100, 200, 300].flatMap((step) => [`eval ${step}`, `save ${step} checkpoints/step-000${step}`]),
      ]);
      for (let i = 0; i < 4; i++) expect(Math.abs(w[i]! - trueWeights[i]!)).toBeLessThan(0.01);
      expect(result).toMatchObject({ ended: "finished", step: 300, skipped: 0, evaluation: { step: 300, val_accuracy: 1 } });
      expect(result.evaluation!.val_loss).toBeLessThan(1e-3);
      expect(result.checkpoint).toBe(join(folder, "checkpoints/step-000300"));

      const logged = await lines(folder);
      const steps = logged.filter((line) => "loss" in line);
      expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
      for (const line of steps) expect(Object.keys(line)).toEqual(["step", "loss", "lr", "grad_norm", "step_ms", "examples_per_s"]);
      expect(steps[299].loss).toBeLessThan(steps[0].loss / 100);
      expect(logged.filter((line) => "val_loss" in line).map(({ step }) => step)).toEqual([100, 200, 300]);

      expect((await readdir(folder)).sort()).toEqual(["checkpoints", "config.resolved.json", "latest", "metrics.jsonl"]);
      expect((await readdir(join(folder, "checkpoints"))).sort()).toEqual(["step-000100", "step-000200", "step-000300"]);
      expect((await readdir(join(folder, "checkpoints/step-000300"))).sort()).toEqual([
        "model.safetensors",
        "optimizer.safetensors",
        "state.json",
      ]);
      expect((await readFile(join(folder, "latest"), "utf8")).trim()).toBe(join("checkpoints", "step-000300"));
      const saved = decodeWeights(await model("step-000300"), "model").tensors.get("w")!;
      expect([...new Float32Array(saved.bytes.slice().buffer)]).toEqual(w);
      const state = JSON.parse(await readFile(join(folder, "checkpoints/step-000300/state.json"), "utf8"));
      expect(state).toMatchObject({ step: 300, seed: 0, dataPosition: 2400, policy: "float", adapter: { name: adapter.name } });
      expect(state.artifact).toMatch(/^sha256-[0-9a-f]{64}$/);
      const config = JSON.parse(await readFile(join(folder, "config.resolved.json"), "utf8"));
      expect(config).toMatchObject({
        model: "Line(inputs = 4)",
        seed: 0,
        steps: 300,
        note: "test",
        target: "portable",
        adapter: { isSoftware: adapter.description.isSoftware },
      });
    });

    it("gives the same bits for the same seed, and others for another", async () => {
      const again = await mkdtemp(join(tmpdir(), "bitloom-run-"));
      const other = await mkdtemp(join(tmpdir(), "bitloom-run-"));
      try {
        for (const [to, seed] of [
          [folder, 4],
          [again, 4],
          [other, 5],
        ] as const) {
          await trainLine({ folder: to, seed, steps: 50 });
        }
        expect(await model("step-000050", again)).toEqual(await model("step-000050"));
        expect(await model("step-000050", other)).not.toEqual(await model("step-000050"));
      } finally {
        await rm(again, { recursive: true });
        await rm(other, { recursive: true });
      }
    });

    it("resumes as if it had not stopped", async () => {
      const whole = await mkdtemp(join(tmpdir(), "bitloom-run-"));
      try {
        await trainLine({ folder: whole, seed: 9, steps: 120 });
        await trainLine({ folder, seed: 9, steps: 70 });
        // What a run wrote after its last checkpoint before it was killed.
        await writeFile(
          join(folder, "metrics.jsonl"),
          `${(await lines(folder)).map((line) => `${JSON.stringify(line)}\n`).join("")}{"step":71,"loss":5}\n{"step":7`,
        );
        let resumedFrom: string | undefined;
        // The resumed session begins with another seed's weights; all state comes from the checkpoint.
        using session = await Session.open(lineArtifact(), device, { seed: 1 });
        const result = await train(session, {
          folder,
          resume: true,
          steps: 120,
          dataset: lineDataset(),
          progress: { started: (r) => (resumedFrom = r.resumedFrom) },
        });
        expect(resumedFrom).toBe(join(folder, "checkpoints/step-000070"));
        expect(result).toMatchObject({ ended: "finished", step: 120 });
        for (const file of ["model.safetensors", "optimizer.safetensors"]) {
          expect(await readFile(join(folder, "checkpoints/step-000120", file))).toEqual(
            await readFile(join(whole, "checkpoints/step-000120", file)),
          );
        }
        const stepsOf = async (of: string) =>
          (await lines(of)).filter((line) => "loss" in line).map(({ step, loss, lr }) => [step, loss, lr]);
        expect(await stepsOf(folder)).toEqual(await stepsOf(whole));
      } finally {
        await rm(whole, { recursive: true });
      }
    });

    it("finishes its step, saves and says so when interrupted", async () => {
      const stop = new AbortController();
      const { result } = await trainLine({
        folder,
        signal: stop.signal,
        progress: {
          stepped: ({ step }) => {
            if (step === 37) stop.abort();
          },
        },
      });
      expect(result.ended).toBe("interrupted");
      expect(result.step).toBeGreaterThanOrEqual(37);
      expect(result.step).toBeLessThanOrEqual(39);
      expect(result.checkpoint).toBe(join(folder, `checkpoints/step-0000${result.step}`));
      expect(existsSync(join(result.checkpoint!, "model.safetensors"))).toBe(true);
      expect((await lines(folder)).filter((line) => "loss" in line)).toHaveLength(result.step);
    });

    it("counts bad steps, which change nothing, and goes on", async () => {
      // One training example in forty has an input that is not finite.
      const poisoned: Dataset = {
        ...lineDataset(),
        copy(split, example, field, out, at) {
          lineDataset().copy(split, example, field, out, at);
          if (split === "training" && example === 7 && field === 0) out[at] = Number.NaN;
        },
      };
      const { result, w } = await trainLine({ folder, dataset: poisoned, steps: 200 });
      // Each epoch of five steps meets it once.
      expect(result.skipped).toBe(40);
      const bad = (await lines(folder)).filter((line) => line.ok === false);
      expect(bad).toHaveLength(40);
      for (const line of bad) expect(line.loss).toBeNull();
      for (let i = 0; i < 4; i++) expect(Math.abs(w[i]! - trueWeights[i]!)).toBeLessThan(0.05);
    });

    it("gives up where no step is finite any more", async () => {
      const diverge = trainLine({ folder }, { host: { lr: { constant: { value: 1e30 } } } });
      await expect(diverge).rejects.toThrow("error[not-finite]: loss or gradient were not finite for 25 steps in a row");
      await expect(readFile(join(folder, "latest"))).rejects.toThrow();
    });

    it("says so when the device is lost, and the run can be resumed on another", async () => {
      using lost = await adapter.open();
      using session = await Session.open(lineArtifact(), lost);
      const options = { folder, dataset: lineDataset(), steps: 150 };
      const stepped = ({ step }: { readonly step: number }) => {
        if (step === 120) lost.gpu.destroy();
      };
      await expect(train(session, { ...options, progress: { stepped } })).rejects.toThrow("error[device-lost]");
      const { result } = await trainLine({ ...options, resume: true });
      expect(result).toMatchObject({ ended: "finished", step: 150 });
      expect((await lines(folder)).filter((line) => "loss" in line).map(({ step }) => step)).toEqual(
        Array.from({ length: 150 }, (_, i) => i + 1),
      );
    });

    it("evaluates every held-out example once, whatever the batch", async () => {
      using session = await Session.open(lineArtifact(), device);
      session.writeState("w", Float32Array.of(1, 2, 3, 5));
      const dataset = lineDataset();
      let loss = 0;
      let correct = 0;
      const x = new Float32Array(4);
      for (let i = 0; i < 20; i++) {
        dataset.copy("held-out", i, 0, x, 0);
        loss += x[3]! ** 2 / 20;
        correct += x[3] === 0 ? 1 : 0;
      }
      expect(loss).toBeGreaterThan(0);
      const result = await evaluate(session, dataset, run.data, run.evaluate!.metrics);
      expect(result).toEqual({ loss: expect.closeTo(loss, 6), accuracy: correct / 20, targets: 20 });
      const one = await evaluate(session, dataset, run.data, [
        { metric: "accuracy", batches: 1 },
        { metric: "loss", batches: 100 },
      ]);
      expect(one.targets).toBe(20);
      expect(one.accuracy! * 8).toBe(Math.round(one.accuracy! * 8));
    });

    it("refuses a folder that holds a run, and checkpoints that are not its own or damaged", async () => {
      await trainLine({ folder, steps: 10 });
      const again = (change: Partial<ArtifactManifest> = {}, options: TrainOptions = {}) =>
        trainLine({ folder, resume: true, steps: 20, ...options }, change);
      await expect(trainLine({ folder, steps: 10 })).rejects.toThrow("error[run-exists]");
      await expect(again({}, { seed: 3 })).rejects.toThrow("was made with seed 0, not 3");
      await expect(again({ policy: "quest_w4a4" })).rejects.toThrow("was made under the policy `float`, not `quest_w4a4`");
      const [w, moment] = lineArtifact().manifest.state;
      await expect(again({ state: [{ ...w!, name: "v" }, moment!] })).rejects.toThrow("error[checkpoint-mismatch]");
      await expect(again({ state: [{ ...w!, type: "f32[2, 2]" }, moment!] })).rejects.toThrow(
        "`w` is f32[2, 2] in the model and F32 [4] in the checkpoint",
      );

      const checkpoint = join(folder, "checkpoints/step-000010");
      const bytes = await readFile(join(checkpoint, "optimizer.safetensors"));
      await writeFile(join(checkpoint, "optimizer.safetensors"), bytes.subarray(0, bytes.length - 3));
      // Nothing of a damaged checkpoint is loaded, not even its good half.
      using session = await Session.open(lineArtifact(), device, { seed: 2 });
      const before = await session.readState("w");
      const failed = await train(session, { folder, resume: true, dataset: lineDataset() }).catch((e: unknown) => e);
      expect(String(failed)).toContain("is cut off: 125 of 128 bytes are there");
      expect(await session.readState("w")).toEqual(before);
      await writeFile(join(checkpoint, "optimizer.safetensors"), bytes);
      await writeFile(join(checkpoint, "state.json"), '{"step": "ten"}');
      await expect(again()).rejects.toThrow("error[bad-checkpoint]");
      await rm(join(checkpoint, "state.json"));
      await expect(again()).rejects.toThrow("error[bad-checkpoint]");
    });

    it("needs a recipe, and data that it knows", async () => {
      const { run: _, ...plain } = lineArtifact().manifest;
      using session = await Session.open({ ...lineArtifact(), manifest: plain }, device);
      await expect(train(session)).rejects.toThrow("error[no-recipe]");
      using known = await Session.open(lineArtifact(), device);
      const problem = (await train(known).catch((e: unknown) => e)) as { diagnostics: Parameters<typeof printDiagnostic>[0][] };
      expect(printDiagnostic(problem.diagnostics[0]!)).toContain("error[unknown-source]: no data source is called `line`");
    });
  });
}
