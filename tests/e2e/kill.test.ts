// Twenty times `kill -9`: at random moments and while a checkpoint is being written. The run folder stays usable, and the run ends in the bytes
// of one that was never stopped.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, watch } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";
import { latestCheckpoint } from "../../runtime/checkpoint-history.ts";
import { SavedState } from "../../runtime/checkpoint-state.ts";
import { wordStream } from "../../runtime/philox.ts";
import { projectRoot } from "../cli/run-cli.ts";
import { checkpointBytes, checkpointSteps, metricsOf } from "../support/runs.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-kill-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const kills = 20;
/** More than all killed processes together come to, also where the machine is fast. */
const steps = 3_000;

/** A process that trains, and what became of it. */
function start(run: string) {
  const child = spawn(process.execPath, [join(projectRoot, "tests/support/train-child.ts"), run, String(steps)]);
  const ended = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal }));
  });
  return { child, ended, said: text(child.stderr) };
}

test("every run folder survives, to the byte", async () => {
  const whole = join(parent, "whole");
  const begun = performance.now();
  expect(await start(whole).ended).toEqual({ code: 0, signal: null });
  const longestDelayMs = Math.min(500, (performance.now() - begun) / (2 * kills));

  const run = join(parent, "killed");
  await mkdir(join(run, "checkpoints"), { recursive: true });
  const next = wordStream(7, "kill -9");
  const reached: number[] = [];
  let whileWriting = 0;
  for (let kill = 0; kill < kills; kill++) {
    const { child, ended, said } = start(run);
    if (kill % 2 === 0) {
      // From the start of the process, or from that of the training: both are moments at which runs die.
      if (kill % 4 === 0) setTimeout(() => child.kill("SIGKILL"), next() % 500);
      else {
        const delayMs = next() % longestDelayMs;
        child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), delayMs));
      }
    } else {
      // While one of the first checkpoints is being written.
      let seen = 0;
      const wanted = 1 + (next() % 30);
      const watcher = watch(join(run, "checkpoints"), (_, name) => {
        if (name?.includes(".partial-") && ++seen === wanted) child.kill("SIGKILL");
      });
      child.on("exit", () => watcher.close());
    }
    const { signal } = await ended;
    expect({ signal, said: await said }).toEqual({ signal: "SIGKILL", said: "" });
    if (readdirSync(join(run, "checkpoints")).some((name) => /\.(partial|replaced)-/.test(name))) whileWriting++;
    const checkpoint = latestCheckpoint(run);
    if (checkpoint === undefined) continue;
    expect(await SavedState.damageOf(checkpoint), checkpoint).toBeUndefined();
    reached.push((await SavedState.read(checkpoint)).state.step);
  }
  process.stderr.write(
    `killed ${kills} times, ${whileWriting} of them while a checkpoint was written; saved steps ${reached.join(", ")}\n`,
  );
  expect(whileWriting).toBeGreaterThan(3);
  expect(reached, "nothing that was saved is lost").toEqual(reached.toSorted((a, b) => a - b));
  expect(reached.at(-1)).toBeGreaterThan(reached[0]!);

  expect(await start(run).ended).toEqual({ code: 0, signal: null });
  expect(checkpointSteps(run)).toEqual(checkpointSteps(whole));
  for (const step of checkpointSteps(whole)) expect(checkpointBytes(run, step), `step ${step}`).toEqual(checkpointBytes(whole, step));
  expect(metricsOf(run)).toEqual(metricsOf(whole));
  expect(readdirSync(run).sort()).toEqual(["checkpoints", "config.resolved.json", "latest", "metrics.jsonl"]);
}, 300_000);
