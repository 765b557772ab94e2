// `bitloom sweep`: what it lists, what it refuses and where it points, and what becomes of a run that fails.
import { mkdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { lockFolder } from "../../cli/folder-lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { writeTinySweep } from "../support/tiny-sweep.ts";
import { cli, startCli } from "./run-cli.ts";

const folder = temporaryFolder();

/** The file of a sweep over the project's own models. */
const sweepOf = (name: string, fields: object) =>
  folder.write(name, JSON.stringify({ model: `${process.cwd()}/models/llama.loom`, ...fields }, null, 2));

describe("--dry-run", () => {
  test("lists the runs in the grid's order, with what counts of them and what they cost", async () => {
    const file = sweepOf("grid.json", {
      policies: ["float", { policy: "quest_w4a4", series: "quest" }],
      sizes: ["demo", { recipe: "demo", name: "deep", set: ["recipe.depth=3"], n: 99 }],
      tokens: [20480],
      seeds: [7],
      vary: { "schedule.peak": [0.001, 0.002] },
    });
    const { code, out } = await cli("sweep", file, "--dry-run", "--json");
    expect(code).toBe(0);
    const { runs, flops } = JSON.parse(out);
    expect(runs.map((run: { name: string }) => run.name)).toEqual([
      "float-demo-20480t-schedule.peak=0.001-s7",
      "float-demo-20480t-schedule.peak=0.002-s7",
      "float-deep-20480t-schedule.peak=0.001-s7",
      "float-deep-20480t-schedule.peak=0.002-s7",
      "quest_w4a4-demo-20480t-schedule.peak=0.001-s7",
      "quest_w4a4-demo-20480t-schedule.peak=0.002-s7",
      "quest_w4a4-deep-20480t-schedule.peak=0.001-s7",
      "quest_w4a4-deep-20480t-schedule.peak=0.002-s7",
    ]);
    // Two layers of 4 * 64^2 + 3 * 64 * 192 without embedding and head; 20 steps of 8 windows of 128 bytes.
    expect(runs[4]).toMatchObject({
      set: ["schedule.peak=0.001", "recipe.steps=20"],
      steps: 20,
      row: { series: "quest", p: "quest_w4a4", bits: 4, n: 2 * (4 * 64 ** 2 + 3 * 64 * 192), d: 20480, seed: 7 },
    });
    expect(runs[2].row).toMatchObject({ bits: 32, n: 99 });
    // Forward and backward of a contraction are six operations a weight and token, and there is more than contractions.
    expect(runs[0].flops).toBeGreaterThan(6 * runs[0].row.n * 20480);
    expect(flops).toBeCloseTo(
      runs.reduce((sum: number, run: { flops: number }) => sum + run.flops, 0),
      0,
    );
  });

  test("a schedule takes the steps of a recipe that has no parameter for them", async () => {
    const file = folder.write(
      "mlp.json",
      JSON.stringify({ model: `${process.cwd()}/models/mlp.loom`, policies: ["mixed"], sizes: ["digits"], steps: [200] }),
    );
    const { out } = await cli("sweep", file, "--dry-run", "--json");
    const [run] = JSON.parse(out).runs;
    // fc3 makes the logits; fc1 has 4 bits and fc2 2.
    const [fc1, fc2] = [784 * 256, 256 * 256];
    expect(run).toMatchObject({ set: ["schedule.steps=200"], row: { n: fc1 + fc2, d: 200 * 64, bits: (4 * fc1 + 2 * fc2) / (fc1 + fc2) } });
  });
});

describe("a file that is wrong", () => {
  const policies = ["float"];
  const sizes = ["demo"];
  test.each([
    ["an unknown field", { policies, sizes, seed: [1] }, "`seed` is no field that is known", "did you mean `seeds`?", '"seed": ['],
    ["a wrong type", { policies, sizes, steps: ["100"] }, "`steps[0]` must be a whole number from 1", undefined, '"100"'],
    [
      "a field of a field",
      { policies: [{ policy: "float", bit: 3 }], sizes },
      "`policies[0].bit` is no field",
      "did you mean `bits`?",
      '"bit": 3',
    ],
    ["a missing field", { policies }, "`sizes` must be a list, not missing", undefined, "{"],
    ["nothing on an axis", { policies: [], sizes }, "`policies` must not be empty", undefined, '"policies": []'],
    ["the same twice", { policies: ["float", "float"], sizes }, "`policies[1]` stands there twice", undefined, '"float"'],
    ["two lengths", { policies, sizes, steps: [1], tokens: [1] }, "lengths of runs once more", undefined, '"tokens": ['],
    ["batches that are not whole", { policies, sizes, heldOut: 100 }, "`demo` has batches of 8", undefined, '"heldOut": 100'],
    [
      "runs of one name",
      { policies, sizes: ["demo", { recipe: "demo", set: ["recipe.depth=3"] }] },
      "give this size another `name`",
      undefined,
      "{",
    ],
  ])("%s", async (_, fields, message, help, marked) => {
    const { code, err } = await cli("sweep", sweepOf("wrong.json", fields), "--dry-run");
    expect(code).toBe(1);
    expect(err).toContain("error[bad-sweep]");
    expect(err).toContain(message);
    if (help !== undefined) expect(err).toContain(`help: ${help}`);
    const [, line = "", marks = ""] = /\n *\d+ \| (.*)\n *\| ([ ]*\^+)/.exec(err) ?? [];
    expect(line.slice(marks.indexOf("^"), marks.length)).toBe(marked);
  });

  test("no JSON at all is shown where it ends to be some", async () => {
    const file = folder.write("cut.json", '{\n  "model": "llama.loom",\n  "policies" ["float"]\n}\n');
    expect((await cli("sweep", file)).err).toContain(`--> ${file}:3:14`);
  });

  test("what the model does not have is the compiler's to say, before anything runs", async () => {
    const { code, err } = await cli("sweep", sweepOf("no-recipe.json", { policies, sizes: ["dem"] }), "--out", `${folder.path}/none`);
    expect(code).toBe(1);
    expect(err).toContain("error[unknown-recipe]");
    expect(err).toContain("did you mean `demo`?");
    expect((await cli("sweep", sweepOf("no-policy.json", { policies: ["quest_w4a5"], sizes }))).err).toContain(
      "did you mean `quest_w4a4`?",
    );
  });
});

test("a run that fails leaves the others alone; a changed sweep does not go on", { timeout: 240_000 }, async () => {
  const path = `${folder.path}/failing`;
  mkdirSync(path);
  const rates = { vary: { "recipe.rate": [1e30, 0.05] } };
  writeTinySweep(path, { policies: ["float"], sizes: ["line"], steps: [60], ...rates });
  const command = ["sweep", `${path}/grid.json`, "--adapter", "swiftshader", "--out", `${path}/runs`];
  const { code, out, err } = await cli(...command);
  expect(code).toBe(1);
  expect(err).toContain("[1/2] float-line-60-recipe.rate=1e+30-s0 failed\nerror[not-finite]");
  expect(err).toContain("error[failed-runs]: 1 of 2 runs failed");
  expect(err).not.toContain("its process ended");
  expect(out).toMatch(/float-line-60-recipe\.rate=1e\+30-s0 .* failed\n.*float-line-60-recipe\.rate=0\.05-s0 .* \d\.\d{4}\n/);
  const rows = readFileSync(`${path}/runs/results.jsonl`, "utf8").trim().split("\n");
  expect(rows.map((row) => JSON.parse(row).run)).toEqual(["float-line-60-recipe.rate=0.05-s0"]);

  const forMachines = await cli(...command, "--json");
  expect(forMachines).toMatchObject({ code: 1, err: "" });
  expect(JSON.parse(forMachines.out)).toMatchObject({
    done: 1,
    failed: 1,
    diagnostics: [{ code: "failed-runs", message: "1 of 2 runs failed" }],
  });

  writeTinySweep(path, { policies: ["float"], sizes: ["line"], steps: [60], ...rates, heldOut: 8 });
  const changed = await cli(...command);
  expect(changed.code).toBe(1);
  expect(changed.err).toContain("error[changed-sweep]: the run `float-line-60-recipe.rate=0.05-s0` was begun otherwise");
  expect(changed.err).toContain("help: `heldOut` was as the recipe says, it is 1");

  using lock = await lockFolder(`${path}/runs`);
  expect(lock).toBeDefined();
  expect(await cli(...command)).toMatchObject({ code: 1, err: expect.stringContaining("error[sweep-runs]") });
});

test("a process that is killed is a run that failed; the other one goes on", { timeout: 240_000 }, async () => {
  const path = `${folder.path}/killed`;
  mkdirSync(path);
  writeTinySweep(path, { policies: ["float"], sizes: ["line"], steps: [400], seeds: [0, 1] });
  const { child, said } = startCli(["sweep", `${path}/grid.json`, "--adapter", "swiftshader", "--out", `${path}/runs`]);
  child.stderr?.once("data", () => {
    // The first run has begun: its process is the only child.
    const pid = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ")[0];
    process.kill(Number(pid), "SIGKILL");
  });
  const { code, err, out } = await said;
  expect(code).toBe(1);
  expect(err).toContain("[1/2] float-line-400-s0 failed\nits process ended by SIGKILL");
  expect(out).toMatch(/float-line-400-s1 .* \d\.\d{4}\n1 of 2 runs are done/);
});
