// A sweep that is killed with all its processes, and stopped by Ctrl-C, gives in the end the table of one that was never stopped.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseResults } from "../../experiments/results-table.ts";
import { startCli } from "../cli/run-cli.ts";
import { checkpointBytes, metricsOf } from "../support/runs.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { writeTinySweep } from "../support/tiny-sweep.ts";

const folder = temporaryFolder();
const steps = 200;
writeTinySweep(folder.path, {
  policies: ["float", { policy: "quest(w = 4, a = 4)", p: "w4a4", series: "quest" }],
  sizes: ["line", { recipe: "line", name: "wide", set: ["recipe.width=32"] }],
  steps: [steps],
  seeds: [0, 1, 2],
});

// SwiftShader comes with npm, so it is everywhere.
const start = (out: string) =>
  startCli(["sweep", "grid.json", "--adapter", "swiftshader", "--jobs", "2", "--out", out], { cwd: folder.path, detached: true });
const inside = (...path: readonly string[]) => join(folder.path, ...path);

const runsOf = (out: string): readonly string[] =>
  readdirSync(inside(out), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
const isDone = (out: string, run: string): boolean => existsSync(inside(out, run, "result.json"));
/** Runs that saved something and are not done. */
const halfDone = (out: string): readonly string[] =>
  existsSync(inside(out)) ? runsOf(out).filter((run) => existsSync(inside(out, run, "latest")) && !isDone(out, run)) : [];
const done = (out: string): readonly string[] => (existsSync(inside(out)) ? runsOf(out).filter((run) => isDone(out, run)) : []);

/** Answers when a sweep has so many runs done, and another one under way that saved something. */
function underWay(out: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (done(out).length < count || halfDone(out).length === 0) return;
      clearInterval(timer);
      resolve();
    }, 2);
  });
}

test("killed, interrupted and gone on with, a sweep ends in the bytes of one that was not", async () => {
  const whole = await start("whole").said;
  expect(whole.code).toBe(0);
  expect(whole.out).toContain("12 of 12 runs are done; the table is whole/results.jsonl");
  const table = readFileSync(inside("whole/results.jsonl"), "utf8");
  const { value: rows = [], diagnostics } = parseResults({ path: "results.jsonl", text: table });
  expect(diagnostics).toEqual([]);
  expect(rows.map(({ p, bits, n, d, seed, series }) => ({ p, bits, n, d, seed, series }))).toEqual(
    (["float", "w4a4"] as const).flatMap((p) =>
      [16, 32].flatMap((width) =>
        [0, 1, 2].map((seed) => ({
          p,
          bits: p === "float" ? 32 : 4,
          n: 2 * 16 * width,
          d: steps * 8,
          seed,
          series: p === "float" ? undefined : "quest",
        })),
      ),
    ),
  );
  expect(new Set(rows.map(({ loss }) => loss)).size).toBe(12);

  // The whole tree at once, as a power cut would.
  const killed = start("stopped");
  await underWay("stopped", 4);
  process.kill(-(killed.child.pid ?? Number.NaN), "SIGKILL");
  expect((await killed.said).signal).toBe("SIGKILL");
  const kept = new Map(done("stopped").map((run) => [run, statSync(inside("stopped", run, "result.json")).mtimeMs]));
  expect(kept.size).toBeLessThan(9);
  const cut = halfDone("stopped");
  expect(cut.length).toBeGreaterThan(0);

  // Ctrl-C, as a terminal sends it: to all processes.
  const interrupted = start("stopped");
  await underWay("stopped", kept.size + 2);
  process.kill(-(interrupted.child.pid ?? Number.NaN), "SIGINT");
  const stopped = await interrupted.said;
  expect(stopped).toMatchObject({ code: 0, out: expect.stringContaining("go on with the same command") });
  expect(stopped.err).toContain(`${kept.size} of 12 runs are done already`);
  for (const run of cut) expect(stopped.err).toMatch(new RegExp(`${run}: resuming at step \\d+ of ${steps}`));
  expect(done("stopped").length).toBeLessThan(12);

  const last = await start("stopped").said;
  expect(last).toMatchObject({ code: 0, out: expect.stringContaining("12 of 12 runs are done") });
  expect(readFileSync(inside("stopped/results.jsonl"), "utf8")).toBe(table);
  for (const [run, time] of kept) expect(statSync(inside("stopped", run, "result.json")).mtimeMs, `${run} is not run again`).toBe(time);
  for (const run of runsOf("whole")) {
    expect(checkpointBytes(inside("stopped", run), steps), run).toEqual(checkpointBytes(inside("whole", run), steps));
    expect(metricsOf(inside("stopped", run)), run).toEqual(metricsOf(inside("whole", run)));
  }

  // Nothing is left to do, so nothing runs.
  const again = await start("stopped").said;
  expect(again.err).toBe("12 of 12 runs are done already\n");
  expect(readFileSync(inside("stopped/results.jsonl"), "utf8")).toBe(table);
}, 600_000);
