// `bitloom train` as a user starts it: what it says, what it leaves behind, how it stops and goes on.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Output } from "../../cli/output.ts";
import { trainProgress } from "../../cli/progress.ts";
import { cli, Kept, startCli } from "./run-cli.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-train-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// SwiftShader comes with npm, so it is everywhere.
const digits = ["train", "models/mlp.loom", "digits", "--adapter", "swiftshader"] as const;
const metricsOf = (run: string) =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a short run", () => {
  const run = () => join(folder, "short");

  test("names the adapter and that it is software, and prints held-out accuracy at the end", async () => {
    const { code, out, err } = await cli(...digits, "--policy", "quest_w4a4", "--steps", "20", "--out", run());
    expect(code).toBe(0);
    expect(err).toContain("adapter: SwiftShader, software: it computes on the CPU");
    expect(err).toContain("recipe digits, policy quest_w4a4");
    expect(err).toMatch(/^step +1\/20 {2}loss \d\.\d{4} /m);
    const accuracy = Number(/^held-out accuracy ([\d.]+) %$/m.exec(out)?.[1]);
    // 20 steps of a warm-up are little, but far from guessing.
    expect(accuracy).toBeGreaterThan(20);
    expect(out).toMatch(/^20 steps in [\d.]+ s on SwiftShader \(software\); saved /m);
  });

  test("leaves metrics, settings and a checkpoint", () => {
    const lines = metricsOf(run());
    expect(lines.filter((line) => "loss" in line).map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(lines.at(-1)).toMatchObject({ step: 20, val_accuracy: expect.any(Number) });
    expect(JSON.parse(readFileSync(join(run(), "config.resolved.json"), "utf8"))).toMatchObject({
      policy: "quest_w4a4",
      adapter: { isSoftware: true },
    });
    expect(readdirSync(join(run(), "checkpoints/step-000020")).sort()).toEqual([
      "model.safetensors",
      "optimizer.safetensors",
      "state.json",
    ]);
  });

  test("is not overwritten by accident", async () => {
    const { code, err } = await cli(...digits, "--policy", "quest_w4a4", "--out", run());
    expect(code).toBe(1);
    expect(err).toContain("error[run-exists]");
    expect(err).toContain("help: `--resume` goes on from there, `--overwrite` begins again, `--out` names another folder");
  });

  test("goes on with --resume", async () => {
    const { code, out } = await cli(...digits, "--policy", "quest_w4a4", "--steps", "24", "--out", run(), "--resume", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ended: "finished",
      step: 24,
      skipped: 0,
      adapter: { name: "SwiftShader", isSoftware: true },
      heldOut: { accuracy: expect.any(Number) },
    });
    expect(metricsOf(run()).filter((line) => "loss" in line)).toHaveLength(24);
  });

  test("begins again with --overwrite", async () => {
    const { code } = await cli(...digits, "--policy", "float", "--steps", "2", "--out", run(), "--overwrite", "--json");
    expect(code).toBe(0);
    expect(readdirSync(join(run(), "checkpoints"))).toEqual(["step-000002"]);
  });
});

describe("Ctrl-C", () => {
  test("finishes the step, saves, says how to go on, and the process ends by itself", async () => {
    const run = join(folder, "interrupted");
    const { child, said } = startCli([...digits, "--policy", "float", "--out", run]);
    child.stderr?.on("data", (chunk: Buffer) => {
      if (/^step +1\//m.test(String(chunk))) child.kill("SIGINT");
    });
    const { code, out, err } = await said;
    expect(code).toBe(0);
    expect(err).toContain("stopping after this step; Ctrl-C again to quit at once");
    const step = Number(/^stopped after step (\d+); saved /m.exec(out)?.[1]);
    expect(step).toBeGreaterThan(0);
    expect(out).toContain("go on with the same command and `--resume`");
    expect(existsSync(join(run, "checkpoints", `step-${String(step).padStart(6, "0")}`, "model.safetensors"))).toBe(true);
  });
});

describe("progress", () => {
  const metrics = (step: number) => ({ step, loss: 2 / step, lr: 1e-3, step_ms: 10, examples_per_s: 6400 });

  test("is a bar on a terminal, which evaluations stand above", async () => {
    const terminal = new Kept(true);
    const progress = trainProgress(new Output(false, new Kept(), terminal));
    progress.started?.({ fromStep: 0, steps: 4 });
    for (const step of [1, 2]) progress.stepped?.(metrics(step));
    progress.evaluated?.({ step: 2, val_loss: 0.5, val_accuracy: 0.875 });
    for (const step of [3, 4]) progress.stepped?.(metrics(step));
    // The bar draws a few times a second.
    await new Promise((resolve) => setTimeout(resolve, 300));
    progress.close();
    expect(terminal.text).toContain("held out at step 2: loss 0.5000, accuracy 87.50 %\n");
    expect(terminal.text).toMatch(/4\/4 steps {2}loss 0\.5000 {2}6400 examples\/s/);
    // The cursor is given back.
    expect(terminal.text.lastIndexOf("\u001b[?25h")).toBeGreaterThan(terminal.text.lastIndexOf("\u001b[?25l"));
  });

  test("is plain lines elsewhere: a few for a long run", () => {
    const err = new Kept();
    const progress = trainProgress(new Output(false, new Kept(), err));
    progress.started?.({ fromStep: 0, steps: 1000 });
    for (let step = 1; step <= 1000; step++) progress.stepped?.(metrics(step));
    progress.close();
    const lines = err.text.trim().split("\n");
    expect(lines).toHaveLength(21);
    expect(lines[0]).toBe("step    1/1000  loss 2.0000  lr 1.00e-3  6400 examples/s");
    expect(lines.at(-1)).toContain("step 1000/1000");
  });

  test("is silent for machines", () => {
    const [out, err] = [new Kept(), new Kept(true)];
    const progress = trainProgress(new Output(true, out, err));
    progress.started?.({ fromStep: 0, steps: 2 });
    progress.stepped?.(metrics(1));
    progress.close();
    expect(out.text + err.text).toBe("");
  });
});
