// `metrics.jsonl`: one JSON object a line, for each step and each evaluation.
import { closeSync, existsSync, fsyncSync, openSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { writeFileDurably } from "./durable.ts";

export class MetricsLog {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Open for lines after `step`. What a stopped run wrote beyond that step is taken off, as is half a line at the end: the steps run again. */
  static async open(path: string, step: number): Promise<MetricsLog> {
    if (existsSync(path)) {
      const kept = step === 0 ? [] : (await readFile(path, "utf8")).split("\n").filter((line) => stepOf(line) <= step);
      await writeFileDurably(path, kept.map((line) => `${line}\n`).join(""));
    }
    return new MetricsLog(openSync(path, "a"));
  }

  /** Numbers that are not finite become null, as JSON has no word for them. */
  write(line: object): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { readonly step?: unknown };
    return typeof step === "number" ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
