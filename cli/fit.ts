// `bitloom fit`: the scaling law of a table of results, and which precision is worth most per bit.
import { Command, InvalidArgumentError, Option } from "commander";
import { type Analysis, analyse, constants, defaultResamples, type PrecisionEfficiency } from "../experiments/analyse.ts";
import { defaultDelta } from "../experiments/fit-law.ts";
import { efficiencyPerBit } from "../experiments/plots/plots.ts";
import { confidence, type Interval } from "../experiments/resample.ts";
import type { ResultRow } from "../experiments/scaling-law.ts";
import { svgPath, writeChart } from "./chart-file.ts";
import { anyNumber, jsonOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { publishedOption, resultsGiven } from "./results.ts";
import { aligned } from "./table.ts";

interface FitFlags {
  readonly published?: boolean;
  readonly reference?: string;
  readonly delta: number;
  readonly resamples: number;
  readonly seed: number;
  readonly output?: string;
}

export function fitCommand(output: Output): Command {
  return new Command("fit")
    .description(
      "Fit the scaling law L(N, D, P) = A / (N eff(P))^alpha + B / D^beta + E to results, and name the precision worth most per bit.",
    )
    .argument("[file]", "results: JSON lines with `n`, `d`, `p`, `bits` and `loss`; `-` for the standard input")
    .addOption(publishedOption())
    .addOption(new Option("--reference <p>", "the precision whose efficiency is 1 (default: that of the most bits)"))
    .addOption(
      new Option("--delta <d>", "where the Huber loss of log loss turns from squares to absolute values")
        .argParser(above0)
        .default(defaultDelta),
    )
    .addOption(
      new Option("--resamples <n>", "tables drawn anew from the rows, for the intervals; 0 for none")
        .argParser(wholeNumber(0))
        .default(defaultResamples),
    )
    .addOption(new Option("--seed <n>", "seed of the resamples").argParser(wholeNumber(0)).default(0))
    .addOption(new Option("-o, --output <file>", "SVG file to write: efficiency per bit").argParser(svgPath))
    .addOption(jsonOption())
    .action((file: string | undefined, flags: FitFlags, command: Command) => fitResults(file, flags, command, output));
}

function above0(text: string): number {
  const value = anyNumber(text);
  if (value <= 0) throw new InvalidArgumentError("It must be above 0.");
  return value;
}

async function fitResults(file: string | undefined, flags: FitFlags, command: Command, output: Output): Promise<void> {
  const rows = await resultsGiven(file === undefined ? [] : [file], flags.published === true);
  if (rows === undefined) return command.error("error: `fit` takes one file of results, or --published");
  const { reference, delta, resamples, seed } = flags;
  if (resamples > 0) output.note(`fitting ${rows.length} runs, and ${resamples} resamples of them`);
  const analysis = analyse(rows, { delta, resamples, seed, ...(reference === undefined ? {} : { reference }) });
  output.result(asJson(rows, analysis));
  tell(rows, analysis, output);
  if (flags.output !== undefined) await writeChart(efficiencyPerBit(analysis), flags.output, output);
}

/** The law's own names first; intervals beside, under the same names. */
function asJson(
  rows: readonly ResultRow[],
  { fit: { law, objective, starts, agreeing }, precisions, optima, intervals, ...more }: Analysis,
): object {
  const byPrecision = <T>(of: (precision: PrecisionEfficiency) => T | undefined) =>
    Object.fromEntries(precisions.flatMap((precision) => (of(precision) === undefined ? [] : [[precision.p, of(precision)]])));
  return {
    ...law,
    perBit: byPrecision(({ perBit }) => perBit),
    optima,
    intervals: {
      confidence,
      ...intervals,
      eff: byPrecision(({ interval }) => interval),
      perBit: byPrecision(({ perBitInterval }) => perBitInterval),
    },
    runs: rows.length,
    ...{ reference: more.reference, delta: more.delta, resamples: more.resamples },
    ...{ objective, starts, agreeing, rms: more.rms, worst: more.worst },
  };
}

function tell(rows: readonly ResultRow[], analysis: Analysis, output: Output): void {
  const { fit: found, intervals, precisions, optima, reference, delta, resamples, rms, worst } = analysis;
  output.say(`L(N, D, P) = A / (N eff(P))^alpha + B / D^beta + E, of ${rows.length} runs in ${precisions.length} precisions`);
  const among = resamples === 0 ? [] : [`${100 * confidence} % of ${resamples} resamples`];
  const range = (interval: Interval | undefined) => (interval === undefined ? [] : [`${short(interval[0])} to ${short(interval[1])}`]);
  const lines = constants.map((name) => [name, short(found.law[name]), ...range(intervals[name])]);
  for (const line of aligned([["", "value", ...among], ...lines])) output.say(line);

  if ((intervals.E?.[0] ?? found.law.E) <= 0) output.say("  these runs do not tell E from 0");

  const head = ["precision", "bits", "runs", "eff(P)", ...among, "eff(P)/P", ...among];
  const row = (one: PrecisionEfficiency) => [
    one.p,
    String(one.bits),
    String(one.runs),
    ...[short(one.eff), ...range(one.interval)],
    ...[short(one.perBit), ...range(one.perBitInterval)],
  ];
  output.say(`efficiencies, eff(P)/P in multiples of that of ${reference}:`);
  const rendered = aligned([head, ...precisions.map(row)]);
  output.say(rendered[0] ?? "");
  for (const [i, one] of precisions.entries()) {
    if (one.series !== "" && one.series !== precisions[i - 1]?.series) output.say(` ${one.series}`);
    output.say(rendered[i + 1] ?? "");
  }
  for (const { series, p, share } of optima) {
    if (precisions.filter((one) => one.series === series).length < 2) continue;
    const of = series === "" ? "" : ` of ${series}`;
    output.say(output.strong(`best eff(P)/P${of}: ${p}${share === undefined ? "" : `, in ${Math.round(100 * share)} % of the resamples`}`));
  }
  output.say(
    `residuals of log loss: rms ${short(rms)}, largest ${short(worst.residual)} (${worst.row.p}, N = ${worst.row.n}, D = ${worst.row.d})`,
  );
  output.say(`Huber loss with delta = ${delta}; ${found.agreeing} of ${found.starts} starts end here`);
}

/** Four digits. */
const short = (value: number): string => (value === 0 ? "0" : String(Number(value.toPrecision(4))));
