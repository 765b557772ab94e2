// Charts that commands write or show: an SVG file, or text.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { InvalidArgumentError } from "commander";
import type { Chart } from "../experiments/plots/chart.ts";
import { renderSvg } from "../experiments/plots/svg.ts";
import { renderTerminal } from "../experiments/plots/terminal.ts";
import type { Output } from "./output.ts";

/** A parser of an option's value. */
export function svgPath(text: string): string {
  if (!text.endsWith(".svg")) throw new InvalidArgumentError("It must be the path of an .svg file.");
  return text;
}

export async function writeChart(chart: Chart, path: string, output: Output): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await renderSvg(chart));
  output.say(output.strong(`wrote ${path}`));
}

const tones = ["cyan", "yellow", "green", "red", "bold"] as const;

export function showChart(chart: Chart, output: Output): void {
  const lines = renderTerminal(chart, undefined, (series, text) => output.paint(tones[series % tones.length] ?? "bold", text));
  for (const line of lines) output.say(line);
}
