// Runs as plots see them: what the `metrics.jsonl` of a run folder tells.
import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import type { QuantProbes } from "../../runtime/index.ts";
import { parseMetrics } from "../../runtime/metrics.ts";

export interface RunMetrics {
  /** The folder's name, or its path where two have one name. */
  readonly name: string;
  readonly losses: readonly StepValue[];
  readonly heldOutLosses: readonly StepValue[];
  /** Of runs that were probed: what is known of each rounding, by step. */
  readonly probes: readonly ProbedStep[];
}

export interface ProbedStep {
  readonly step: number;
  readonly probes: QuantProbes;
}

export interface StepValue {
  readonly step: number;
  readonly value: number;
}

/** The metrics of run folders. Throws a DiagnosticError `no-metrics`. */
export function readRuns(paths: readonly string[]): readonly RunMetrics[] {
  const names = paths.map((path) => basename(resolve(path)));
  return paths.map((path, i) => {
    const name = names.filter((other) => other === names[i]).length > 1 ? path : (names[i] ?? path);
    const lines = linesOf(path);
    const values = (field: string): readonly StepValue[] =>
      lines.flatMap(({ step, [field]: value }) => (typeof value === "number" ? [{ step, value }] : []));
    const probes = lines.flatMap(({ step, probe }) => (isProbe(probe) ? [{ step, probes: probe }] : []));
    return { name, losses: values("loss"), heldOutLosses: values("val_loss"), probes };
  });
}

const isProbe = (value: unknown): value is QuantProbes => typeof value === "object" && value !== null;

function linesOf(path: string) {
  const file = join(path, "metrics.jsonl");
  const lines = existsSync(file) ? parseMetrics(readFileSync(file, "utf8")) : [];
  if (lines.length > 0) return lines;
  throw new DiagnosticError([
    error("no-metrics", `\`${path}\` is no folder of a run with metrics`, undefined, "", [
      "a run's folder is what `bitloom train` was given as `--out`, or runs/RECIPE; it holds `metrics.jsonl`",
    ]),
  ]);
}
