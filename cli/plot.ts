// `bitloom plot`: curves of runs and of results, as text or as an SVG file.
import { Argument, Command, Option } from "commander";
import type { Chart } from "../experiments/plots/chart.ts";
import { type PlotName, plotKinds, plotNames } from "../experiments/plots/plots.ts";
import { readRuns } from "../experiments/plots/run-metrics.ts";
import { showChart, svgPath, writeChart } from "./chart-file.ts";
import { jsonOption } from "./options.ts";
import type { Output } from "./output.ts";
import { publishedOption, resultsGiven } from "./results.ts";

interface PlotFlags {
  readonly published?: boolean;
  readonly output?: string;
}

const summaries = plotNames.map((name) => `\`${name}\`, ${plotKinds[name].summary}`).join("; ");

export function plotCommand(output: Output): Command {
  return new Command("plot")
    .description("Plot runs or results, on the terminal or as SVG.")
    .addArgument(new Argument("<kind>", `what to plot: ${summaries}`).choices(plotNames))
    .argument(
      "[paths...]",
      "folders of runs for `loss`, `val-loss`, `trusted` and `quant-error`; a file of results (JSON lines) for `bits` and `efficiency`",
    )
    .addOption(publishedOption())
    .addOption(new Option("-o, --output <file>", "SVG file to write instead").argParser(svgPath))
    .addOption(jsonOption())
    .action((kind: PlotName, paths: readonly string[], flags: PlotFlags, command: Command) => plot(kind, paths, flags, command, output));
}

async function plot(name: PlotName, paths: readonly string[], flags: PlotFlags, command: Command, output: Output): Promise<void> {
  const chart = await chartOf(name, paths, flags.published === true, command);
  output.result(chart);
  if (flags.output === undefined) showChart(chart, output);
  else await writeChart(chart, flags.output, output);
}

async function chartOf(name: PlotName, paths: readonly string[], isPublished: boolean, command: Command): Promise<Chart> {
  const kind = plotKinds[name];
  if (kind.takes === "runs") {
    if (paths.length === 0 || isPublished) return command.error(`error: \`plot ${name}\` takes folders of runs`);
    return kind.chart(readRuns(paths));
  }
  const rows = await resultsGiven(paths, isPublished);
  return rows === undefined ? command.error(`error: \`plot ${name}\` takes one file of results, or --published`) : kind.chart(rows);
}
