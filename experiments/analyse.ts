// What a results table says: the fitted law with intervals, the efficiency of each precision, and which precision is worth most per bit.
import { type Diagnostic, DiagnosticError, error } from "../ir/diagnostic.ts";
import { didYouMean } from "../ir/nearest.ts";
import { defaultDelta, type Fit, fitLaw } from "./fit-law.ts";
import { lawParameters } from "./law-problem.ts";
import { type Interval, intervalOf, resampleLaws } from "./resample.ts";
import { type Precision, precisionsOf, predictLoss, type ResultRow, type ScalingLaw } from "./scaling-law.ts";

export interface AnalysisOptions {
  /** The precision whose efficiency is 1 (default: that of the most bits). */
  readonly reference?: string;
  readonly delta?: number;
  /** Number of resamples for the intervals (default 100; 0: no intervals). */
  readonly resamples?: number;
  readonly seed?: number;
}

export interface PrecisionEfficiency extends Precision {
  readonly runs: number;
  readonly eff: number;
  readonly interval?: Interval;
  /** eff / bits, in multiples of the reference's. */
  readonly perBit: number;
  readonly perBitInterval?: Interval;
}

/** The precision of a series with the largest eff / bits: at a fixed number of bits, and data without end, its models reach the lowest loss. */
export interface Optimum {
  readonly series: string;
  readonly p: string;
  /** Share of the resamples that say the same. */
  readonly share?: number;
}

export const defaultResamples = 100;

export const constants = ["A", "alpha", "B", "beta", "E"] as const;
export type Constant = (typeof constants)[number];

export interface Analysis {
  readonly fit: Fit;
  readonly reference: string;
  readonly delta: number;
  readonly resamples: number;
  /** None where nothing was resampled. */
  readonly intervals: Readonly<Partial<Record<Constant, Interval>>>;
  /** In order of series, then of bits. */
  readonly precisions: readonly PrecisionEfficiency[];
  readonly optima: readonly Optimum[];
  /** Residuals in log loss: root mean square over the rows, and the row that the law misses most. */
  readonly rms: number;
  readonly worst: { readonly row: ResultRow; readonly residual: number };
}

/** Throws a DiagnosticError: `too-few-runs`, `unknown-precision`. */
export function analyse(rows: readonly ResultRow[], options: AnalysisOptions = {}): Analysis {
  const { delta = defaultDelta, resamples = defaultResamples, seed = 0 } = options;
  const found = precisionsOf(rows);
  const reference = referenceOf(found, options.reference);
  refuseTooFew(rows, found);
  const fit = fitLaw(rows, { reference: reference.p, delta });
  const laws = resampleLaws(rows, { reference: reference.p, delta, resamples, seed });
  const worth = ({ p, bits }: Precision, law: ScalingLaw): number => ((law.eff[p] ?? Number.NaN) * reference.bits) / bits;
  const series = [...new Set(found.map((precision) => precision.series))];
  const precisions = found
    .toSorted((a, b) => series.indexOf(a.series) - series.indexOf(b.series) || a.bits - b.bits)
    .map((precision): PrecisionEfficiency => {
      const [interval, perBitInterval] = [
        laws.map((law) => law.eff[precision.p] ?? Number.NaN),
        laws.map((law) => worth(precision, law)),
      ].map(intervalOf);
      return {
        ...precision,
        runs: rows.filter(({ p }) => p === precision.p).length,
        eff: fit.law.eff[precision.p] ?? Number.NaN,
        perBit: worth(precision, fit.law),
        ...(interval === undefined || perBitInterval === undefined ? {} : { interval, perBitInterval }),
      };
    });
  const optima = series.map((name): Optimum => {
    const members = found.filter((precision) => precision.series === name || precision.p === reference.p);
    const best = (law: ScalingLaw) => members.reduce((a, b) => (worth(b, law) > worth(a, law) ? b : a)).p;
    const p = best(fit.law);
    return { series: name, p, ...(laws.length === 0 ? {} : { share: laws.filter((law) => best(law) === p).length / laws.length }) };
  });
  return {
    ...{ fit, reference: reference.p, delta, resamples, precisions, optima },
    intervals: Object.fromEntries(
      constants.flatMap((name) => {
        const interval = intervalOf(laws.map((law) => law[name]));
        return interval === undefined ? [] : [[name, interval]];
      }),
    ),
    ...misses(rows, fit.law),
  };
}

function referenceOf(found: readonly Precision[], wanted: string | undefined): Precision {
  const [most, next] = found.toSorted((a, b) => b.bits - a.bits);
  if (wanted !== undefined) {
    const named = found.find(({ p }) => p === wanted);
    if (named !== undefined) return named;
    const names = found.map(({ p }) => p);
    const near = didYouMean(wanted, names);
    throw refuse(
      error(
        "unknown-precision",
        `no run has the precision \`${wanted}\``,
        undefined,
        "",
        near.length > 0 ? near : [`there are ${list(names)}`],
      ),
    );
  }
  if (most === undefined) throw refuse(error("too-few-runs", "there are no runs"));
  if (next?.bits === most.bits)
    throw refuse(
      error("unknown-precision", `\`${most.p}\` and \`${next.p}\` both have ${most.bits} bits, the most`, undefined, "", [
        "say with `--reference` which one's efficiency is 1",
      ]),
    );
  return most;
}

function refuseTooFew(rows: readonly ResultRow[], found: readonly Precision[]): void {
  const parameters = lawParameters + found.length - 1;
  const [sizes, tokens] = [new Set(rows.map(({ n }) => n)).size, new Set(rows.map(({ d }) => d)).size];
  const missing: string[] = [];
  if (rows.length < parameters)
    missing.push(`it has ${parameters} parameters with ${counted(found.length, "precision")}, for ${counted(rows.length, "run")}`);
  if (sizes < 2) missing.push("all runs have one size `n`");
  if (tokens < 2) missing.push("all runs have one number of tokens `d`");
  const values = termValues(rows);
  if (missing.length === 0 && values < parameters)
    missing.push(
      `it has ${parameters} parameters with ${counted(found.length, "precision")}, and ${counted(sizes, "size")} with ${counted(tokens, "number")} of tokens determine ${values}, however many seeds there are`,
    );
  if (missing.length === 0) return;
  throw refuse(
    error("too-few-runs", `the law cannot be fitted: ${missing.join("; ")}`, undefined, "", [
      "train models of more sizes, on more numbers of tokens: `alpha`, `beta` and `E` are told apart by nothing else",
    ]),
  );
}

/**
 * How many numbers losses without noise would determine: a sum of one value for each size and precision, and of one for each number of tokens, where
 * rows that share neither with others leave open how their sum divides.
 */
function termValues(rows: readonly ResultRow[]): number {
  const groups = new Map<string, Set<string>>();
  for (const { n, p, d } of rows) {
    const [model, data] = [JSON.stringify(["n", n, p]), JSON.stringify(["d", d])];
    const joined = new Set([...(groups.get(model) ?? [model]), ...(groups.get(data) ?? [data])]);
    for (const value of joined) groups.set(value, joined);
  }
  return groups.size - new Set(groups.values()).size;
}

function misses(rows: readonly ResultRow[], law: ScalingLaw): Pick<Analysis, "rms" | "worst"> {
  const residuals = rows.map((row) => ({ row, residual: Math.log(row.loss) - Math.log(predictLoss(law, row)) }));
  const worst = residuals.reduce((a, b) => (Math.abs(b.residual) > Math.abs(a.residual) ? b : a));
  return { worst, rms: Math.sqrt(residuals.reduce((sum, { residual }) => sum + residual ** 2, 0) / residuals.length) };
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;
const refuse = (diagnostic: Diagnostic): DiagnosticError => new DiagnosticError([diagnostic]);
const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
