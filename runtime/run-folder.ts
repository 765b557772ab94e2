// A run's folder while it trains: settings, metrics, checkpoints; made again where it is removed, and saved elsewhere where nothing can be written.
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diagnostic, warning } from "../ir/diagnostic.ts";
import { writeCheckpoint } from "./checkpoint.ts";
import { belongsTo, pointTo, pruneCheckpoints } from "./checkpoint-history.ts";
import type { CheckpointState } from "./checkpoint-state.ts";
import { cleanLeftovers, makeFolder, removeFolderDurably, writeFileDurably } from "./durable.ts";
import { type LoggedLine, MetricsLog } from "./metrics.ts";
import { isRefusal } from "./refusal.ts";
import type { Session } from "./session.ts";

const configFile = "config.resolved.json";
const metricsFile = "metrics.jsonl";

export interface RunFolderOptions {
  /** What `config.resolved.json` says. */
  readonly config: object;
  /** Where the run goes on: a checkpoint, in this folder or in another run's. */
  readonly from?: string;
  /** Which lines of the metrics so far stay. */
  keeps(line: LoggedLine): boolean;
  /** Number of checkpoints that stay; absent: all. */
  readonly keep?: number;
  /** Told of what the run goes on in spite of. */
  warn(diagnostic: Diagnostic): void;
}

/** Remove what killed processes left half written in a run folder. */
export async function cleanRunFolder(path: string): Promise<void> {
  await cleanLeftovers(path);
  await cleanLeftovers(join(path, "checkpoints"));
}

/** Remove the run that a folder holds, and nothing else from it. */
export async function removeRun(path: string): Promise<void> {
  await cleanRunFolder(path);
  await rm(join(path, "latest"), { force: true });
  if (existsSync(join(path, "checkpoints"))) await removeFolderDurably(join(path, "checkpoints"));
  for (const name of [metricsFile, configFile]) await rm(join(path, name), { force: true });
}

export class RunFolder {
  readonly path: string;
  readonly #options: RunFolderOptions;
  readonly #log: MetricsLog;

  private constructor(path: string, options: RunFolderOptions, log: MetricsLog) {
    this.path = path;
    this.#options = options;
    this.#log = log;
  }

  /** Make the folder ready for a run to begin or to go on. Operating system's refusals are thrown: nothing is lost yet. */
  static async open(path: string, options: RunFolderOptions): Promise<RunFolder> {
    const { from, config, keeps } = options;
    await makeFolder(path);
    // First, so that a run that goes back to an earlier checkpoint and is killed goes on from there too.
    if (from !== undefined && belongsTo(path, from)) await pointTo(path, join(from).split(/[\\/]/).at(-1) ?? "");
    await writeFileDurably(join(path, configFile), printConfig(config));
    const log = await MetricsLog.open(
      join(path, metricsFile),
      join(from === undefined ? path : join(from, "..", ".."), metricsFile),
      keeps,
    );
    return new RunFolder(path, options, log);
  }

  /** Add a line to the metrics. A disk that is full loses none: they follow with the next checkpoint. */
  log(line: object): void {
    this.#log.write(line);
  }

  /** Write a checkpoint, prune older ones. Throws where the operating system refuses; the checkpoints before are then as they were. */
  async save(session: Session, state: CheckpointState): Promise<string> {
    await this.#mend();
    this.#log.sync();
    const checkpoint = await writeCheckpoint(this.path, session, state);
    const { keep } = this.#options;
    if (keep !== undefined) {
      await pruneCheckpoints(this.path, state.step, keep).catch((problem: unknown) => {
        if (!isRefusal(problem)) throw problem;
      });
    }
    return checkpoint;
  }

  /** Save the whole run in a new folder for temporary files. Answers that run folder. */
  async rescue(session: Session, state: CheckpointState): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "bitloom-rescue-"));
    await writeFile(join(folder, configFile), printConfig(this.#options.config));
    await writeFile(join(folder, metricsFile), this.#log.text());
    await writeCheckpoint(folder, session, state);
    return folder;
  }

  close(): void {
    this.#log.close();
  }

  /** Whoever removes a run's folder, or moves it away, while it runs loses nothing that the run still has. */
  async #mend(): Promise<void> {
    if (this.#log.isThere) return;
    const whole = !existsSync(this.path);
    await makeFolder(this.path);
    await writeFileDurably(join(this.path, configFile), printConfig(this.#options.config));
    await this.#log.restore();
    const what = whole ? `the run folder \`${this.path}\`` : `\`${join(this.path, metricsFile)}\``;
    const lost = whole ? "; the checkpoints that it held are gone" : "";
    this.#options.warn(warning("folder-removed", `${what} was removed while the run went on, and is made again${lost}`));
  }
}

const printConfig = (config: object): string => `${JSON.stringify(config, null, 1)}\n`;
