// What happens to a run whose folder is taken away or refuses to be written while it trains: it goes on, says so, and loses nothing it can save.
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
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

const parent = mkdtempSync(join(tmpdir(), "bitloom-folder-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));
let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(parent, String(count++));
});

const { run } = lineArtifact().manifest;
const often = { run: { ...run!, evaluate: { ...run!.evaluate!, everySteps: 15 }, checkpoint: { everySteps: 10 } } };

/** Train 40 steps; `at` is called when a step is done. */
async function trainLine(options: TrainOptions = {}, at: (step: number) => void = () => undefined) {
  const warnings: string[] = [];
  using session = await Session.open(lineArtifact(often), device);
  const progress = {
    stepped: ({ step }: { readonly step: number }) => at(step),
    warned: (problem: Parameters<typeof printDiagnostic>[0]) => warnings.push(printDiagnostic(problem)),
  };
  const result = await train(session, { folder, dataset: lineDataset(), steps: 40, progress, ...options });
  return { result, warnings };
}

const whole = join(parent, "whole");
await trainLine({ folder: whole });

test("a run folder that was removed is made again, with all metrics", async () => {
  const { warnings } = await trainLine({}, (step) => {
    if (step === 25) rmSync(folder, { recursive: true });
  });
  expect(warnings).toEqual([
    `warning[folder-removed]: the run folder \`${folder}\` was removed while the run went on, and is made again; the checkpoints that it held are gone`,
  ]);
  expect(checkpointSteps(folder)).toEqual([30, 40]);
  expect(checkpointBytes(folder, 40)).toEqual(checkpointBytes(whole, 40));
  expect(metricsOf(folder)).toEqual(metricsOf(whole));
  expect(readdirSync(folder).sort()).toEqual(["checkpoints", "config.resolved.json", "latest", "metrics.jsonl"]);
});

test("one that was moved away too, and what was moved stays as it was", async () => {
  await trainLine({}, (step) => {
    if (step === 25) renameSync(folder, `${folder}-moved`);
  });
  expect(checkpointSteps(`${folder}-moved`)).toEqual([10, 20]);
  expect(checkpointBytes(folder, 40)).toEqual(checkpointBytes(whole, 40));
  expect(metricsOf(folder)).toEqual(metricsOf(whole));
});

test("metrics that were removed are written again", async () => {
  const { warnings } = await trainLine({}, (step) => {
    if (step === 12) rmSync(join(folder, "metrics.jsonl"));
  });
  expect(warnings).toEqual([
    `warning[folder-removed]: \`${join(folder, "metrics.jsonl")}\` was removed while the run went on, and is made again`,
  ]);
  expect(checkpointSteps(folder)).toEqual([10, 20, 30, 40]);
  expect(metricsOf(folder)).toEqual(metricsOf(whole));
});

test("a checkpoint that cannot be written is told; the run goes on and saves the next", async () => {
  const checkpoints = join(folder, "checkpoints");
  const { warnings, result } = await trainLine({}, (step) => {
    if (step === 12) {
      renameSync(checkpoints, `${checkpoints}-before`);
      writeFileSync(checkpoints, "a file where the folder should be");
    }
    if (step === 35) {
      rmSync(checkpoints);
      renameSync(`${checkpoints}-before`, checkpoints);
    }
  });
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain("warning[not-saved]: the checkpoint of step 20 could not be written: ENOTDIR");
  expect(warnings[0]).toContain("help: a file stands where a folder is needed");
  expect(warnings[0]).toContain("help: the run goes on, and tries again at the next checkpoint");
  expect(checkpointSteps(folder)).toEqual([10, 40]);
  expect(result.checkpoint).toBe(checkpointPath(folder, 40));
  expect(checkpointBytes(folder, 40)).toEqual(checkpointBytes(whole, 40));
  expect(metricsOf(folder)).toEqual(metricsOf(whole));
});

test("at the end the run is saved elsewhere where its folder refuses, and can go on there", async () => {
  const failed = await trainLine({ steps: 37 }, (step) => {
    if (step !== 32) return;
    rmSync(join(folder, "checkpoints"), { recursive: true });
    writeFileSync(join(folder, "checkpoints"), "a file where the folder should be");
  }).catch(String);
  expect(failed).toContain("error[not-saved]: the checkpoint of step 37 could not be written: ENOTDIR");
  const [, rescued = ""] =
    /help: the run was saved in (\S+) instead: move it away, or go on with `--out \1 --resume`/.exec(String(failed)) ?? [];
  try {
    expect(checkpointSteps(rescued)).toEqual([37]);
    expect(readdirSync(rescued).sort()).toEqual(["checkpoints", "config.resolved.json", "latest", "metrics.jsonl"]);
    const { warnings } = await trainLine({ folder: rescued, resume: true });
    expect(warnings).toEqual([]);
    expect(checkpointBytes(rescued, 40)).toEqual(checkpointBytes(whole, 40));
    expect(metricsOf(rescued)).toEqual(metricsOf(whole));
  } finally {
    rmSync(rescued, { recursive: true });
  }
});
