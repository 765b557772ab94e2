// Run folders as tests compare them: metrics without times, checkpoints by their bytes.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Line = Readonly<Record<string, unknown>>;

/** The lines of a run's metrics without what depends on the clock. */
export function metricsOf(run: string): readonly Line[] {
  const path = join(run, "metrics.jsonl");
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { step_ms: _, examples_per_s: __, tokens_per_s: ___, ...rest } = JSON.parse(line);
      return rest;
    });
}

export const checkpointPath = (run: string, step: number): string => join(run, "checkpoints", `step-${String(step).padStart(6, "0")}`);

export const checkpointSteps = (run: string): readonly number[] =>
  readdirSync(join(run, "checkpoints"))
    .sort()
    .map((name) => Number(/^step-(\d{6})$/.exec(name)?.[1]));

/** Every file of a checkpoint by the hash of its bytes. */
export function checkpointBytes(run: string, step: number): Readonly<Record<string, string>> {
  const folder = checkpointPath(run, step);
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(folder, name)))
          .digest("hex"),
      ]),
  );
}
