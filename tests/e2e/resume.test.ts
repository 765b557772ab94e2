// `train --steps 40` against `--steps 20` and `--resume` to 40: the same bytes in every checkpoint and the same metrics, times aside.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { cli } from "../cli/run-cli.ts";
import { availableAdapters } from "../support/adapters.ts";
import { smallModel } from "../support/digits.ts";
import { checkpointBytes, checkpointSteps, metricsOf } from "../support/runs.ts";

vi.setConfig({ testTimeout: 180_000 });

const parent = mkdtempSync(join(tmpdir(), "bitloom-resume-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

// The schedule's own steps (1,250, warm-up 100) do not follow --steps. Neither evaluations nor checkpoints fall on step 20 by themselves.
const settings = [...smallModel, "eval.every=15", "checkpoint.every=8"].flatMap((setting) => ["--set", setting]);
const software = (await availableAdapters()).flatMap(({ description }) =>
  description.adapterClass === "gpu" ? [] : [description.adapterClass],
);

const policies = ["quest_w4a4", "lsq(w = 4, a = 4, learn = factor)"];

describe.each(software)("%s", (adapter) => {
  // What is saved and read is alike on all drivers; a slow one shows it with the policy that has most state.
  test.each(adapter === "swiftshader" && software.length > 1 ? policies.slice(-1) : policies)("%s", async (policy) => {
    const run = async (name: string, ...args: readonly string[]) => {
      const out = join(parent, `${adapter}-${policy.replaceAll(/\W+/g, "-")}-${name}`);
      const command = ["train", "models/mlp.loom", "digits", "--adapter", adapter, "--policy", policy, "--seed", "3", ...settings];
      const { code, err } = await cli(...command, "--out", out, ...args);
      expect({ code, warned: /warning\[.*/.exec(err)?.[0] }).toEqual({ code: 0 });
      return out;
    };
    const whole = await run("whole", "--steps", "40");
    await run("parts", "--steps", "20");
    const parts = await run("parts", "--steps", "40", "--resume");
    const expectWhole = (steps: readonly number[]) => {
      for (const step of steps) expect(checkpointBytes(parts, step), `step ${step}`).toEqual(checkpointBytes(whole, step));
      expect(metricsOf(parts)).toEqual(metricsOf(whole));
    };
    expect(checkpointSteps(whole)).toEqual([8, 16, 24, 32, 40]);
    expect(checkpointSteps(parts)).toEqual([8, 16, 20, 24, 32, 40]);
    expectWhole([8, 16, 24, 32, 40]);
    expect(metricsOf(whole).filter((line) => "val_loss" in line)).toHaveLength(3);
    // Back to an earlier one, named by its step.
    await run("parts", "--steps", "40", "--resume", "16", "--keep", "2");
    expect(checkpointSteps(parts)).toEqual([32, 40]);
    expectWhole([32, 40]);
  });
});
