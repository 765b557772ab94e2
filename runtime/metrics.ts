// `metrics.jsonl`: one JSON object a line, for each step and each evaluation. Survives a kill, a full disk, and its own removal.
import { closeSync, existsSync, fstatSync, fsyncSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { writeFileDurably } from "./durable.ts";
import { isRefusal } from "./refusal.ts";

/** A line of the log as far as the log itself reads it. */
export interface LoggedLine {
  readonly step: number;
  readonly [name: string]: unknown;
}

export class MetricsLog {
  readonly #path: string;
  #file: number;
  /** What the disk did not take yet. */
  #pending = Buffer.alloc(0);

  private constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Open for further lines, behind those of `from` (the file itself, or that of the run that this one goes on from) that `keeps` wants.
   * What is no whole line, as a killed process leaves it, is never kept.
   */
  static async open(path: string, from: string, keeps: (line: LoggedLine) => boolean): Promise<MetricsLog> {
    const text = existsSync(from) ? await readFile(from, "utf8") : "";
    const kept = text.split("\n").filter((line) => {
      const logged = parseLine(line);
      return logged !== undefined && keeps(logged);
    });
    if (kept.length > 0 || existsSync(path)) await writeFileDurably(path, kept.map((line) => `${line}\n`).join(""));
    return new MetricsLog(path, openSync(path, "a+"));
  }

  /** Add a line. Numbers that are not finite become null, as JSON has no word for them. What the disk refuses is kept for {@link sync}. */
  write(line: object): void {
    this.#pending = Buffer.concat([this.#pending, Buffer.from(`${JSON.stringify(line)}\n`)]);
    try {
      this.#flush();
    } catch (problem) {
      if (!isRefusal(problem)) throw problem;
    }
  }

  /** Everything written is on disk afterwards. Throws the operating system's error where it refuses. */
  sync(): void {
    this.#flush();
    fsyncSync(this.#file);
  }

  /** Everything written so far, also where the file was removed meanwhile: an open file lasts until it is closed. */
  text(): string {
    const bytes = Buffer.alloc(fstatSync(this.#file).size);
    let at = 0;
    while (at < bytes.length) {
      const got = readSync(this.#file, bytes, at, bytes.length - at, at);
      if (got === 0) break;
      at += got;
    }
    return bytes.toString("utf8", 0, at) + this.#pending.toString("utf8");
  }

  get isThere(): boolean {
    const now = statSync(this.#path, { throwIfNoEntry: false });
    return now !== undefined && now.ino === fstatSync(this.#file).ino;
  }

  /** Write the file again after it was removed. */
  async restore(): Promise<void> {
    await writeFileDurably(this.#path, this.text());
    closeSync(this.#file);
    this.#file = openSync(this.#path, "a+");
    this.#pending = Buffer.alloc(0);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** A disk that fills up takes a part of a line; the rest follows there when it can. */
  #flush(): void {
    while (this.#pending.length > 0) this.#pending = this.#pending.subarray(writeSync(this.#file, this.#pending));
  }
}

/** The lines of a log; what is no whole line is left out. */
export const parseMetrics = (text: string): readonly LoggedLine[] =>
  text.split("\n").flatMap((line) => {
    const logged = parseLine(line);
    return logged === undefined ? [] : [logged];
  });

function parseLine(text: string): LoggedLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<LoggedLine> | null;
    return typeof line?.step === "number" ? (line as LoggedLine) : undefined;
  } catch {
    return undefined;
  }
}
