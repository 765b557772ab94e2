// Plots: what they draw, as text and as SVG.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Chart } from "../../experiments/plots/chart.ts";
import { efficiencyPerBit, plotKinds } from "../../experiments/plots/plots.ts";
import { readRuns } from "../../experiments/plots/run-metrics.ts";
import { renderSvg } from "../../experiments/plots/svg.ts";
import { renderTerminal, shortNumber } from "../../experiments/plots/terminal.ts";
import { questResults } from "../../experiments/published.ts";
import { MetricsLog } from "../../runtime/metrics.ts";

const folder = mkdtempSync(join(tmpdir(), "bitloom-plots-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const line: Chart = {
  title: "Two",
  x: { label: "step", scale: "linear" },
  y: { label: "loss", scale: "linear" },
  series: [
    { name: "falls", mark: "line", points: [0, 10, 20].map((x) => ({ x, y: 4 - x / 10 })) },
    {
      name: "stands",
      mark: "points",
      points: [
        { x: 0, y: 2, low: 2, high: 3 },
        { x: 20, y: 3 },
      ],
    },
  ],
};

test("text: lines are joined, points and intervals are not, ticks are round numbers", () => {
  expect(renderTerminal(line, { columns: 24, rows: 5 })).toEqual([
    "Two",
    "loss",
    "4 ┤ooo",
    "  │   ooooo",
    "3 ┤|       ooooo       x",
    "  │|            ooooo",
    "2 ┤x                 ooo",
    "  └┬─────────┬─────────┬",
    "   0        10        20",
    "           step",
    "o falls   x stands",
  ]);
});

test("text: marks are painted by series, and a logarithmic axis shows what there is room for", () => {
  const log: Chart = {
    ...line,
    x: { label: "bits", scale: "log" },
    series: [{ name: "a", mark: "points", points: [1, 10, 100].map((x) => ({ x, y: x })) }],
  };
  const lines = renderTerminal(log, { columns: 50, rows: 10 }, (series, text) => `<${series}${text}>`);
  expect(lines.join("\n").match(/<0o>/g)?.length).toBe(3);
  expect(lines.at(-2)?.trim().split(/ +/)).toEqual(["1", "10", "100"]);
  // Equal ratios are equal distances.
  expect(lines.at(-3)).toMatch(/└┬(─+)┬\1┬$/);
  expect([950, 12_000, 3e8, 1.5e9, 0.25].map(shortNumber)).toEqual(["950", "12k", "300M", "1.5G", "0.25"]);
});

test("text: a logarithmic axis over less than a decade has ticks too", () => {
  const points = [0.0103, 0.0149].map((y, x) => ({ x, y }));
  const lines = renderTerminal({ ...line, y: { label: "error", scale: "log" }, series: [{ name: "a", mark: "line", points }] });
  expect(lines.flatMap((text) => /^([\d.]+) ┤/.exec(text)?.[1] ?? [])).toEqual(["0.014", "0.013", "0.012", "0.011"]);
});

test("text: a chart without points says so", () => {
  expect(renderTerminal({ ...line, series: [] })).toEqual(["Two", "(nothing to draw)"]);
});

test("SVG: a path for each line, a mark for each point, a rule for each interval, the names", async () => {
  const svg = await renderSvg(line);
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s);
  const count = (role: string) => svg.match(new RegExp(`aria-roledescription="${role}"`, "g"))?.length;
  expect({ lines: count("line mark"), points: count("point"), rules: count("rule mark container") }).toEqual({
    lines: 2,
    points: 2,
    rules: 1,
  });
  for (const text of ["Two", "step", "loss", "falls", "stands"]) expect(svg).toContain(`>${text}<`);
  expect(await renderSvg(line)).toBe(svg);
});

describe("of results", () => {
  test("loss against bits has the largest D of each size", () => {
    const { series } = plotKinds.bits.chart(questResults.rows);
    const four = series.find(({ name }) => name === "4");
    expect(four?.points.map(({ y }) => y)).toEqual([3.27212, 3.13512, 2.94768, 2.78176, 2.61379, 2.49498]);
    expect(four?.points[0]?.x).toBe(4 * 30_482_560);
    expect(series.length).toBe(17);
  });

  test("efficiency per bit draws intervals, and the reference with every series that has others", () => {
    const precision = (p: string, series: string, bits: number, perBit: number) => ({ p, series, bits, runs: 3, eff: 1, perBit });
    const { series } = efficiencyPerBit({
      reference: "16",
      precisions: [
        { ...precision("4", "q", 4, 2.8), perBitInterval: [2.6, 2.9] },
        { ...precision("16", "q", 16, 1), perBitInterval: [1, 1] },
        precision("w3", "w", 3, 3.5),
        precision("w2", "w", 2, 3.3),
        precision("fp4", "f", 4, 2.5),
      ],
    });
    expect(series.map(({ points }) => points)).toEqual([
      [
        { x: 4, y: 2.8, low: 2.6, high: 2.9 },
        { x: 16, y: 1 },
      ],
      [
        { x: 2, y: 3.3 },
        { x: 3, y: 3.5 },
        { x: 16, y: 1 },
      ],
      [{ x: 4, y: 2.5 }],
    ]);
  });
});

describe("of runs", () => {
  test("training loss in means of at most 400 windows, held-out loss as it is", async () => {
    const path = join(folder, "a");
    mkdirSync(path);
    const log = await MetricsLog.open(join(path, "metrics.jsonl"), join(path, "metrics.jsonl"), () => true);
    for (let step = 1; step <= 1000; step++) {
      log.write({ step, loss: step, lr: 0.1, step_ms: 1 });
      if (step % 250 === 0) log.write({ step, val_loss: 5 - step / 250 });
    }
    log.write({ step: 1001, loss: Number.NaN });
    log.sync();
    log.close();
    const runs = readRuns([path]);
    const loss = plotKinds.loss.chart(runs);
    expect(loss.title).toBe("Training loss, means of 3 steps");
    expect(loss.series).toMatchObject([{ name: "a", mark: "line" }]);
    expect(loss.series[0]?.points.length).toBe(334);
    expect(loss.series[0]?.points[0]).toEqual({ x: 2, y: 2 });
    expect(loss.series[0]?.points.at(-1)).toEqual({ x: 1000, y: 1000 });
    expect(plotKinds["val-loss"].chart(runs).series[0]?.points).toEqual([250, 500, 750, 1000].map((x) => ({ x, y: 5 - x / 250 })));
  });

  test("probes are means over the sites of a layer", async () => {
    const path = join(folder, "probed");
    mkdirSync(path);
    const log = await MetricsLog.open(join(path, "metrics.jsonl"), join(path, "metrics.jsonl"), () => true);
    const side = (trusted: number, error: number) => ({ trusted, error });
    const sites = { "layers.0.attn.wq": { w: side(0.5, 0.125), a: side(1, 0.5) }, "layers.0.mlp.up": { w: side(0.75, 0.375) } };
    log.write({ step: 50, probe: { ...sites, lm_head: { w: side(0.25, 0.5) } } });
    log.write({ step: 100, probe: { ...sites, lm_head: { w: { trusted: 0.5, error: null } } } });
    log.sync();
    log.close();
    const runs = readRuns([path]);
    expect(plotKinds.trusted.chart(runs).series).toEqual([
      { name: "layers.0 w", mark: "line", points: [50, 100].map((x) => ({ x, y: 0.625 })) },
      { name: "layers.0 a", mark: "line", points: [50, 100].map((x) => ({ x, y: 1 })) },
      {
        name: "lm_head w",
        mark: "line",
        points: [
          { x: 50, y: 0.25 },
          { x: 100, y: 0.5 },
        ],
      },
    ]);
    const errors = plotKinds["quant-error"].chart([...runs, ...runs]);
    expect(errors.y.scale).toBe("log");
    expect(errors.series.length).toBe(6);
    expect(errors.series[2]).toEqual({ name: "probed: lm_head w", mark: "line", points: [{ x: 50, y: 0.5 }] });
    expect(await renderSvg(errors)).toContain("Error of rounding");
    expect(renderTerminal(errors)[0]).toBe("Error of rounding");
  });

  test("runs that have nothing of what is plotted are refused, one that has is drawn", async () => {
    const path = join(folder, "short");
    mkdirSync(path);
    writeFileSync(join(path, "metrics.jsonl"), '{"step": 1, "loss": 3}\n');
    const later = join(folder, "later");
    mkdirSync(later);
    writeFileSync(join(later, "metrics.jsonl"), '{"step": 1, "val_loss": 3}\n');
    expect(() => plotKinds["val-loss"].chart(readRuns([path]))).toThrow("error[no-metrics]: the runs have no held-out losses");
    expect(() => plotKinds.loss.chart(readRuns([later]))).toThrow("error[no-metrics]: the runs have no steps with a finite loss");
    expect(plotKinds["val-loss"].chart(readRuns([path, later])).series.map(({ points }) => points.length)).toEqual([0, 1]);
  });
});
