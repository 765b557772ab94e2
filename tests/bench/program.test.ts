// `npm run bench` as one starts it: its list, its refusals, and a round of a cheap work on SwiftShader.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { benchmarks } from "../../bench/benchmarks.ts";
import { runBench } from "../../bench/program.ts";
import type { BenchReport } from "../../bench/report.ts";
import { subjects } from "../../bench/subject.ts";
import { SubjectFailure, SubjectProcess } from "../../bench/subject-process.ts";
import { Kept } from "../cli/run-cli.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

async function bench(...args: readonly string[]) {
  const [out, err] = [new Kept(), new Kept()];
  const code = await runBench(args, out, err);
  return { code, out: out.text, err: err.text };
}

test("--list names every work", async () => {
  const { code, out } = await bench("--list");
  expect(code).toBe(0);
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(benchmarks.map(({ name }) => name));
  const listed = JSON.parse((await bench("--list", "--json")).out) as { readonly works: readonly { readonly name: string }[] };
  expect(listed.works.map(({ name }) => name)).toEqual(benchmarks.map(({ name }) => name));
});

test("an unknown work or subject is named, with the nearest that there is", async () => {
  const work = await bench("--only", "gtp");
  expect(work.code).toBe(2);
  expect(work.err).toContain("There is no work `gtp`.");
  expect(work.err).toContain("help: did you mean `gpt`?");
  const subject = await bench("--only", "gpt", "--subject", "jax");
  expect(subject.code).toBe(2);
  expect(subject.err).toContain("There is no subject `jax`.");
});

test("a wrong option is a matter of usage", async () => {
  const { code, err } = await bench("--rounds", "0");
  expect(code).toBe(2);
  expect(err).toContain("at least 1");
});

test("one round is a row with its times, printed and in the folder of results", async () => {
  const { path: folder } = temporaryFolder();
  const args = ["--only", "mlp", "--subject", "bitloom", "--rounds", "1", "--adapter", "swiftshader", "--out", folder, "--json"];
  const { code, out, err } = await bench(...args);
  expect(err).toBe("");
  expect(code).toBe(0);
  const report = JSON.parse(out) as BenchReport;
  expect(report).toMatchObject({ format: "bitloom-bench", version: 1, adapter: "SwiftShader", isSoftware: true, rounds: 1 });
  const [row] = report.rows;
  expect(report.rows).toHaveLength(1);
  expect(row).toMatchObject({ work: "mlp", subject: "bitloom", adapter: "SwiftShader", ratio: 1, parameters: 669_706 });
  if (row === undefined || !("ms" in row)) throw new Error("no times");
  const { min, median, max } = row.ms;
  expect(min).toBeGreaterThan(0);
  expect([min, median, max]).toEqual([min, median, max].toSorted((a, b) => a - b));
  expect(row.firstMs).toBeGreaterThan(min);
  // Ten classes: a loss that has fallen from log 10, after a few steps on one batch.
  expect(row.loss).toBeLessThan(Math.log(10));
  const [file = ""] = readdirSync(folder);
  expect(file).toMatch(/^swiftshader-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.json$/);
  expect(JSON.parse(readFileSync(join(folder, file), "utf8"))).toEqual(report);
});

test("a subject that cannot do its work says why, and its process is gone", async () => {
  const start = SubjectProcess.start(subjects.bitloom, { task: "nothing", adapter: "swiftshader", environment: {} });
  await expect(start).rejects.toThrow(new SubjectFailure("bitloom has no part in `nothing`"));
});
