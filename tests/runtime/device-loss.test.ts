// The device is lost while a run trains, for real: it begins again on another one from its last checkpoint, once, and ends in the same bytes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { OpenRun } from "../../cli/open-run.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import type { Device } from "../../runtime/device.ts";
import { wordStream } from "../../runtime/philox.ts";
import { Session } from "../../runtime/session.ts";
import { train } from "../../runtime/train.ts";
import type { TrainOptions, TrainProgress } from "../../runtime/train-options.ts";
import { availableAdapters, type TestAdapter } from "../support/adapters.ts";
import { lineArtifact, lineDataset } from "../support/line-artifact.ts";
import { checkpointBytes, checkpointPath, metricsOf } from "../support/runs.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-loss-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));
let folder = "";
let count = 0;
beforeEach(() => {
  folder = join(parent, String(count++));
});

const { run } = lineArtifact().manifest;
const often = { run: { ...run!, evaluate: { ...run!.evaluate!, everySteps: 15 }, checkpoint: { everySteps: 10 } } };

/** Train 60 steps. `watch` is given what ends the device that the run has at that time. */
async function trainLine(adapter: TestAdapter, options: TrainOptions, watch: (lose: () => void) => TrainProgress = () => ({})) {
  const warnings: string[] = [];
  const starts: [step: number, from: string | undefined][] = [];
  const devices: Device[] = [await adapter.open()];
  const openDevice = async () => {
    devices.push(await adapter.open());
    return devices.at(-1)!;
  };
  using open = new OpenRun(devices[0]!, openDevice, (device) => Session.open(lineArtifact(often), device, { seed: 6 }));
  const progress: TrainProgress = {
    ...watch(() => devices.at(-1)!.gpu.destroy()),
    started: ({ fromStep, resumedFrom }) => starts.push([fromStep, resumedFrom]),
    warned: (problem) => warnings.push(printDiagnostic(problem)),
  };
  const reopen = () => open.reopen();
  const result = await train(await open.open(), { dataset: lineDataset(), steps: 60, seed: 6, progress, reopen, ...options }).catch(String);
  return { result, warnings, starts };
}

/** Ends the device at these steps, each once. */
const at =
  (...steps: readonly number[]) =>
  (lose: () => void): TrainProgress => {
    const left = [...steps];
    return {
      stepped({ step }) {
        if (step === left[0]) {
          left.shift();
          lose();
        }
      },
    };
  };

describe.each(await availableAdapters())("$name", (adapter) => {
  const whole = join(parent, `whole-${adapter.name}`);
  const expectWhole = async () => {
    if (metricsOf(whole).length === 0) await trainLine(adapter, { folder: whole });
    expect(checkpointBytes(folder, 60)).toEqual(checkpointBytes(whole, 60));
    expect(metricsOf(folder)).toEqual(metricsOf(whole));
  };

  test("goes on from the last checkpoint", async () => {
    const { result, warnings, starts } = await trainLine(adapter, { folder }, at(25));
    expect(result).toMatchObject({ ended: "finished", step: 60 });
    expect(starts).toEqual([
      [0, undefined],
      [20, checkpointPath(folder, 20)],
    ]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("warning[device-lost]: the GPU device was lost");
    expect(warnings[0]).toContain("help: the run begins again from its last checkpoint, once");
    await expectWhole();
  });

  test("goes on from the beginning where nothing was saved", async () => {
    const { starts } = await trainLine(adapter, { folder }, at(7));
    expect(starts).toEqual([
      [0, undefined],
      [0, undefined],
    ]);
    await expectWhole();
  });

  test("goes on from the checkpoint of another run that it had gone on from", async () => {
    const first = `${folder}-first`;
    await trainLine(adapter, { folder: first, steps: 20 });
    const { starts } = await trainLine(adapter, { folder, resume: first }, at(24));
    expect(starts).toEqual([
      [20, checkpointPath(first, 20)],
      [20, checkpointPath(first, 20)],
    ]);
    await expectWhole();
  });

  test("goes on without a folder", async () => {
    const { result, starts } = await trainLine(adapter, {}, at(33));
    expect(starts).toHaveLength(2);
    expect(result).toMatchObject({ ended: "finished", step: 60 });
  });

  test("whatever it does when it is lost", async () => {
    const next = wordStream(2, "device loss");
    for (let i = 0; i < 6; i++) {
      folder = join(parent, String(count++));
      let begun = false;
      const { result } = await trainLine(adapter, { folder }, (lose) => ({
        evaluated: () => {
          // While a checkpoint is read back, a step runs, an evaluation runs, or files are written.
          if (!begun) setTimeout(lose, next() % 12);
          begun = true;
        },
      }));
      expect(result).toMatchObject({ ended: "finished", step: 60 });
      await expectWhole();
    }
  });

  test("a second loss is an error, and what was saved is there", async () => {
    const { result, warnings } = await trainLine(adapter, { folder }, at(25, 41));
    expect(warnings).toHaveLength(1);
    expect(result).toMatch(/error\[device-lost\]: the GPU device was lost \(.*\), for the second time in this run/s);
    expect(result).toContain("then `--resume` goes on from the last checkpoint");
    const { starts } = await trainLine(adapter, { folder, resume: true });
    expect(starts).toEqual([[40, checkpointPath(folder, 40)]]);
    await expectWhole();
  });
});
