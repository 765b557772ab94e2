// The kinds of plots: one entry each, from runs or from results to a chart.
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { type Analysis, analyse } from "../analyse.ts";
import type { Interval } from "../resample.ts";
import { precisionsOf, type ResultRow } from "../scaling-law.ts";
import type { Chart, Point, Series } from "./chart.ts";
import type { RunMetrics, StepValue } from "./run-metrics.ts";

/** What a plot is made from: folders of runs, or rows of results. */
type PlotKind =
  | { readonly takes: "runs"; readonly summary: string; chart(runs: readonly RunMetrics[]): Chart }
  | { readonly takes: "results"; readonly summary: string; chart(rows: readonly ResultRow[]): Chart };

export const plotKinds = {
  loss: { takes: "runs", summary: "training loss of runs by step", chart: lossCurves },
  "val-loss": { takes: "runs", summary: "held-out loss of runs by step", chart: heldOutCurves },
  trusted: {
    takes: "runs",
    summary: "share of trusted weights (w) and activations (a) of each layer by step",
    chart: (runs) => probedCurves(runs, "trusted"),
  },
  "quant-error": {
    takes: "runs",
    summary: "relative squared error of rounding the weights (w) and activations (a) of each layer by step",
    chart: (runs) => probedCurves(runs, "error"),
  },
  bits: { takes: "results", summary: "loss against the size of the model in bits, by precision", chart: lossAgainstBits },
  efficiency: {
    takes: "results",
    summary: "eff(P) / P of the fitted scaling law against bits",
    chart: (rows) => efficiencyPerBit(analyse(rows)),
  },
} as const satisfies Readonly<Record<string, PlotKind>>;

export type PlotName = keyof typeof plotKinds;
export const plotNames = Object.keys(plotKinds) as readonly PlotName[];

/** Points of a curve that no plot could show more of. */
const mostPoints = 400;

/** Refuses a chart of runs that have nothing for it. */
function refuseEmpty(series: readonly Series[], message: string, help: string): void {
  if (series.every(({ points }) => points.length === 0)) throw new DiagnosticError([error("no-metrics", message, undefined, "", [help])]);
}

function lossCurves(runs: readonly RunMetrics[]): Chart {
  const longest = Math.max(...runs.map(({ losses }) => losses.length));
  const window = Math.max(1, Math.ceil(longest / mostPoints));
  const series = runs.map(({ name, losses }): Series => ({ name, points: means(losses, window), mark: "line" }));
  refuseEmpty(series, "the runs have no steps with a finite loss", "`bitloom train` logs each step when it is done");
  return {
    title: window === 1 ? "Training loss" : `Training loss, means of ${window} steps`,
    x: { label: "step", scale: "linear" },
    y: { label: "loss (nats)", scale: "linear" },
    series,
  };
}

function heldOutCurves(runs: readonly RunMetrics[]): Chart {
  const series = runs.map(({ name, heldOutLosses }): Series => ({ name, points: means(heldOutLosses, 1), mark: "points" }));
  refuseEmpty(series, "the runs have no held-out losses", "a recipe's `eval every 100 { loss }` logs them");
  return {
    title: "Held-out loss",
    x: { label: "step", scale: "linear" },
    y: { label: "loss (nats)", scale: "linear" },
    series,
  };
}

const probed = {
  trusted: { title: "Trusted share of what is rounded", y: { label: "share of elements whose gradient passes", scale: "linear" } },
  error: { title: "Error of rounding", y: { label: "|Q(x) - x|^2 / |x|^2", scale: "log" } },
} as const satisfies Readonly<Record<string, Pick<Chart, "title" | "y">>>;

/** A line for each layer and side: the mean over the sites of one element of an array of instances, else a site of its own. */
function probedCurves(runs: readonly RunMetrics[], what: keyof typeof probed): Chart {
  const series = runs.flatMap(({ name: run, probes }) => {
    const curves = new Map<string, Map<number, number[]>>();
    for (const { step, probes: sites } of probes) {
      for (const [site, sides] of Object.entries(sites)) {
        for (const [side, values] of Object.entries(sides)) {
          const value = values[what];
          if (typeof value !== "number" || (what === "error" && value <= 0)) continue;
          const name = `${/^.*?\.\d+(?=\.|$)/.exec(site)?.[0] ?? site} ${side}`;
          const curve = curves.get(name) ?? new Map<number, number[]>();
          curves.set(name, curve.set(step, [...(curve.get(step) ?? []), value]));
        }
      }
    }
    return [...curves].map(([name, steps]): Series => {
      const points = [...steps].map(([x, values]) => ({ x, y: values.reduce((sum, value) => sum + value, 0) / values.length }));
      return { name: runs.length > 1 ? `${run}: ${name}` : name, mark: "line", points };
    });
  });
  const help = "`bitloom train --probe-every 50` logs them; plain straight-through estimators trust everything, so they have no share";
  refuseEmpty(series, "the runs have no probes of their roundings", help);
  return { ...probed[what], x: { label: "step", scale: "linear" }, series };
}

/** Means of step and value over windows of so many values. Values that are not finite are not logged, so they are not here. */
function means(values: readonly StepValue[], window: number): readonly Point[] {
  return Array.from({ length: Math.ceil(values.length / window) }, (_, i) => {
    const part = values.slice(i * window, (i + 1) * window);
    const mean = (of: (value: StepValue) => number) => part.reduce((sum, value) => sum + of(value), 0) / part.length;
    return { x: mean(({ step }) => step), y: mean(({ value }) => value) };
  });
}

/** Of each size the runs with the most tokens, means over seeds: what a model of so many bits reaches. */
function lossAgainstBits(rows: readonly ResultRow[]): Chart {
  const series = precisionsOf(rows).map(({ p, bits }): Series => {
    const sizes = Map.groupBy(
      rows.filter((row) => row.p === p),
      ({ n }) => n,
    );
    const points = [...sizes].map(([n, ofSize]): Point => {
      const most = Math.max(...ofSize.map(({ d }) => d));
      const losses = ofSize.flatMap(({ d, loss }) => (d === most ? [loss] : []));
      return { x: n * bits, y: losses.reduce((sum, loss) => sum + loss, 0) / losses.length };
    });
    return { name: p, points: points.toSorted((a, b) => a.x - b.x), mark: "points" };
  });
  return {
    title: "Loss against the size of the model",
    x: { label: "parameters without embeddings, in bits", scale: "log" },
    y: { label: "held-out loss (nats)", scale: "linear" },
    series,
  };
}

/** None where nothing is open, as for the reference. */
const endsOf = ([low, high]: Interval = [0, 0]) => (low < high ? { low, high } : {});

/** eff(P) / P with intervals, a line for each series. The reference, at 1, belongs to all that have more than one precision. */
export function efficiencyPerBit({ precisions, reference }: Pick<Analysis, "precisions" | "reference">): Chart {
  const names = [...new Set(precisions.map(({ series }) => series))];
  const sizeOf = (name: string) => precisions.filter(({ series }) => series === name).length;
  return {
    title: "Efficiency per bit",
    x: { label: "bits of a weight", scale: "log" },
    y: { label: `eff(P) / P, in multiples of ${reference}`, scale: "linear" },
    series: names.map((name) => ({
      name: name === "" ? "all" : name,
      mark: "points",
      points: precisions
        .filter(({ series, p }) => series === name || (p === reference && sizeOf(name) > 1))
        .map(({ bits, perBit, perBitInterval }): Point => ({ x: bits, y: perBit, ...endsOf(perBitInterval) }))
        .toSorted((a, b) => a.x - b.x),
    })),
  };
}
