// `bitloom fit` and `bitloom plot`: what they print and write, and what they refuse.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { questResults } from "../../experiments/published.ts";
import { printRow } from "../../experiments/results-table.ts";
import { cli, projectRoot } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "bitloom-experiments-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The published rows of QuEST alone, as a user's file. */
const quest = join(folder, "quest.jsonl");
writeFileSync(quest, questResults.rows.flatMap((row) => (row.series === "quest" ? [`${printRow(row)}\n`] : [])).join(""));

describe("fit", () => {
  test("prints the law as JSON, with intervals of the same names beside", async () => {
    const { code, out } = await cli("fit", "--published", "--resamples", "3", "--json");
    expect(code).toBe(0);
    const result = JSON.parse(out);
    expect(result).toMatchObject({
      A: expect.any(Number),
      alpha: expect.any(Number),
      B: expect.any(Number),
      beta: expect.any(Number),
      E: 0,
    });
    expect(result.eff["4"]).toBeCloseTo(0.69, 2);
    expect(result.optima).toContainEqual({ series: "quest", p: "4", share: 1 });
    expect(Object.keys(result.intervals)).toEqual(["confidence", "A", "alpha", "B", "beta", "E", "eff", "perBit"]);
    expect(Object.keys(result.intervals.eff).toSorted()).toEqual(Object.keys(result.eff).toSorted());
    expect(result.perBit["4"]).toBeCloseTo(4 * result.eff["4"], 10);
  });

  test("prints what docs/scaling-law.md shows", async () => {
    const { code, out } = await cli("fit", "--published", "--resamples", "0");
    expect(code).toBe(0);
    expect(readFileSync(join(projectRoot, "docs/scaling-law.md"), "utf8")).toContain(`\`\`\`text\n${out}\`\`\``);
  });

  test("reads a file, names its best precision, draws it", async () => {
    const path = join(folder, "efficiency.svg");
    const { code, out } = await cli("fit", quest, "--resamples", "2", "-o", path);
    expect(code).toBe(0);
    expect(out).toContain("best eff(P)/P of quest: 4, in 100 % of the resamples");
    expect(out).toContain(`wrote ${path}`);
    expect(readFileSync(path, "utf8")).toContain("Efficiency per bit");
  });

  test("a byte order mark in front of a file is none of its text", async () => {
    const path = join(folder, "marked.jsonl");
    writeFileSync(path, `\uFEFF${readFileSync(quest, "utf8")}`);
    expect((await cli("fit", path, "--resamples", "0")).code).toBe(0);
  });

  test("points into a file that is wrong", async () => {
    const path = join(folder, "wrong.jsonl");
    writeFileSync(path, '{"p": "4", "bits": 4, "n": 1000, "d": 20000, "loss": null}\n');
    const { code, out, err } = await cli("fit", path);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain(`--> ${path}:1:46`);
    expect(err).toContain("^^^^^^^^^^^^ `loss` must be a finite number, not null");
  });

  test("takes a file or the published losses, not both and not neither", async () => {
    for (const args of [[], [quest, "--published"]]) {
      const { code, err } = await cli("fit", ...args);
      expect(code).toBe(2);
      expect(err).toContain("error[usage]: `fit` takes one file of results, or --published");
    }
    expect((await cli("fit", quest, "-o", "plot.png")).err).toContain("It must be the path of an .svg file.");
  });
});

describe("plot", () => {
  test("draws results as text, and writes them as SVG", async () => {
    const text = await cli("plot", "bits", quest);
    expect(text.code).toBe(0);
    expect(text.out).toContain("Loss against the size of the model");
    expect(text.out).toContain("o 16   x 8   + 4   * 3   # 2   @ 1");
    const path = join(folder, "plots/bits.svg");
    expect(await cli("plot", "bits", "--published", "-o", path)).toMatchObject({ code: 0, out: `wrote ${path}\n` });
    expect(readFileSync(path, "utf8")).toMatch(/^<svg /);
  });

  test("gives the chart itself as JSON", async () => {
    const { out } = await cli("plot", "bits", quest, "--json");
    expect(JSON.parse(out)).toMatchObject({ title: "Loss against the size of the model", x: { scale: "log" } });
    expect(JSON.parse(out).series.length).toBe(6);
  });

  test("a folder without a run, no folder, a kind that there is not", async () => {
    expect(await cli("plot", "loss", folder)).toMatchObject({ code: 1, err: expect.stringContaining(`error[no-metrics]: \`${folder}\``) });
    expect(await cli("plot", "loss")).toMatchObject({ code: 2, err: expect.stringContaining("`plot loss` takes folders of runs") });
    expect(await cli("plot", "los", folder)).toMatchObject({
      code: 2,
      err: expect.stringContaining("Allowed choices are loss, val-loss, trusted"),
    });
  });
});
