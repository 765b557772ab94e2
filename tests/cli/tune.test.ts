// `bitloom tune`: a table from the command line that other commands take, and what is known is written when it is interrupted.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseTable } from "../../compiler/codegen/tuned-table.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { cli, startCli } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "bitloom-tune-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const model = ["models/mlp.loom", "digits", "--policy", "float", "--adapter", "swiftshader"] as const;
const tableIn = (path: string) => unwrap(parseTable(readFileSync(path, "utf8"), path));

test("writes a table that `plan` and `tune` take", { timeout: 120_000 }, async () => {
  const path = join(folder, "mine.json");
  const { code, out } = await cli("tune", ...model, "--budget", "15s", "--from", "rules", "-o", path, "--json");
  expect(code).toBe(0);
  const result = JSON.parse(out);
  expect(result).toMatchObject({ file: path, adapter: { class: "swiftshader", subgroups: "fixed", subgroupSize: 4 }, isWithdrawn: false });
  expect(result.keys.length).toBeGreaterThan(0);
  expect(result.keysInAll).toBeGreaterThanOrEqual(result.keys.length);
  expect(tableIn(path).entries).toHaveLength(result.entries);
  expect(await cli("plan", ...model, "--summary", "--schedules", path)).toMatchObject({ code: 0 });

  const again = await cli("tune", ...model, "--budget", "2s", "--from", path, "-o", join(folder, "again.json"), "--against", "rules");
  expect(again.code).toBe(0);
  expect(again.out).toMatch(/^ {2}key +default +best +ratio +share\n/);
  expect(again.out).toMatch(/\d+ of \d+ keys were measured, [\d.]+ % of the time\n/);
  expect(again.out).toMatch(
    /the whole step, \d+ rounds in turn, load average [\d.]+:\n {2}from .*mine.json +[\d.]+ ms +speed 1\.000 +by CPU time 1\.000\n {2}tuned /,
  );
  expect(again.out).toMatch(/tuned to rules: \d\.\d{3}, by CPU time \d\.\d{3}\n/);
  expect(again.out).toMatch(/wrote .*again\.json: \d+ entries\n$/);
});

test("wrong words are usage, a table that is none is the user's mistake", async () => {
  expect(await cli("tune", ...model, "--budget", "soon")).toMatchObject({ code: 2, err: expect.stringContaining("such as 120s or 10min") });
  expect(await cli("tune", ...model, "--from", "models/mlp.loom")).toMatchObject({
    code: 1,
    err: expect.stringContaining("error[bad-schedules]"),
  });
  const nowhere = await cli("tune", ...model, "-o", join(folder, "nowhere", "mine.json"));
  expect(nowhere).toMatchObject({ code: 1, out: "", err: expect.stringContaining("error[file-system]: ENOENT") });
  expect(await cli("tune", ...model, "--from", "vulkan")).toMatchObject({ code: 1, err: expect.stringContaining("error[unknown-file]") });
});

test("a table of another adapter is no place to begin, and stays as it is", async () => {
  const shipped = "compiler/codegen/tuned/lavapipe.json";
  const path = join(folder, "lavapipe.json");
  copyFileSync(shipped, path);
  for (const flag of ["--from", "--against"])
    expect(await cli("tune", ...model, "--budget", "2s", flag, path, "-o", path)).toMatchObject({
      code: 1,
      out: "",
      err: expect.stringContaining("error[foreign-schedules]: the schedules are for lavapipe with fixed subgroups of 8"),
    });
  expect(readFileSync(path, "utf8")).toBe(readFileSync(shipped, "utf8"));
});

test("Ctrl-C ends the search, and what is known is written", { timeout: 120_000 }, async () => {
  const path = join(folder, "interrupted.json");
  const { child, said } = startCli(["tune", ...model, "--budget", "300s", "-o", path]);
  let shown = "";
  child.stderr?.on("data", (chunk) => {
    shown += chunk;
    // Once: the second would end it at once.
    if (!child.killed && /candidates is faster|times faster/.test(shown)) child.kill("SIGINT");
  });
  const { code, signal, out, err } = await said;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(err).toContain("stopping after this key");
  expect(out).toMatch(/[12] of \d+ keys were measured/);
  expect(out).not.toContain("the whole step");
  expect(existsSync(path)).toBe(true);
  expect(tableIn(path).entries.length).toBeLessThanOrEqual(1 + 60);
});
