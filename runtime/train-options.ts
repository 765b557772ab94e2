// What a training run takes, what it tells while it goes on, and what it answers.
import type { CheckedArtifact } from "../ir/artifact.ts";
import type { Diagnostic } from "../ir/diagnostic.ts";
import type { Dataset } from "./data/dataset.ts";
import type { Session } from "./session.ts";

export interface TrainOptions {
  /** Seed of the data's order (and, by the caller, of `Session.open`). On resume the checkpoint's seed counts; default 0. */
  readonly seed?: number;
  /** Stop after this many steps; the schedule keeps its own number. Default: the recipe's. */
  readonly steps?: number;
  /** Run folder for `config.resolved.json`, `metrics.jsonl` and checkpoints; none is written without it. */
  readonly folder?: string;
  /**
   * Go on from a checkpoint: `true` means the run folder's latest, or the beginning where it has none; a text names one as `findCheckpoint`
   * reads it, also of another run, whose metrics are then copied.
   */
  readonly resume?: boolean | string;
  /** Number of checkpoints that stay in the folder. Default: all of a recipe that saves by steps, the last two of one that saves by time. */
  readonly keep?: number;
  /** Abort to finish the step under way, write a checkpoint and return. */
  readonly signal?: AbortSignal;
  readonly progress?: TrainProgress;
  /** Log how the roundings go after every so many steps (`probe` in the metrics). Asks for an artifact that was compiled with `probe`. */
  readonly probeEvery?: number;
  /** Instead of the recipe's data source. */
  readonly dataset?: Dataset;
  /** Further settings for `config.resolved.json`, such as the command line. */
  readonly config?: Readonly<Record<string, unknown>>;
  /**
   * Opens another device and a session on it, in the state in which the run's session was when it was given: the run then survives one loss
   * of the device. Whoever gives this function disposes of what it opened.
   */
  reopen?(): Promise<Session>;
  /**
   * Compiles the recipe with a check behind every op (the compiler's `compileChecked`), for the adapter of the run. Called at the first step whose
   * loss or gradient is not finite: the step is then run again with it, and what is found is told and logged.
   */
  checked?(): CheckedArtifact;
}

/** What a caller may show; nothing is printed by the library. */
export interface TrainProgress {
  /** Again where the run was started again after the loss of the device. */
  started?(run: { readonly fromStep: number; readonly steps: number; readonly resumedFrom?: string }): void;
  stepped?(metrics: StepMetrics): void;
  evaluated?(metrics: EvaluationMetrics): void;
  saved?(checkpoint: string, step: number): void;
  /** A problem that the run goes on in spite of. */
  warned?(problem: Diagnostic): void;
}

/** One line of `metrics.jsonl` for each step. `step` counts from 1. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  readonly lr?: number;
  readonly grad_norm?: number;
  /** Wall time since the step before was done, in milliseconds. */
  readonly step_ms: number;
  readonly examples_per_s?: number;
  readonly tokens_per_s?: number;
  /** False where loss or gradient were not finite: the step changed nothing. */
  readonly ok?: boolean;
}

/** One line of `metrics.jsonl` for each evaluation. */
export interface EvaluationMetrics {
  readonly step: number;
  readonly val_loss?: number;
  /** Between 0 and 1. */
  readonly val_accuracy?: number;
}

export interface TrainResult {
  readonly ended: "finished" | "interrupted";
  /** Steps done since the run began, resumed ones included. */
  readonly step: number;
  readonly lastStep?: StepMetrics;
  readonly evaluation?: EvaluationMetrics;
  /** Steps since the run began that changed nothing because loss or gradient were not finite. */
  readonly skipped: number;
  /** Folder of the last checkpoint written. */
  readonly checkpoint?: string;
  /** What was trained on, and the seed of its order. */
  readonly dataset: Dataset;
  readonly seed: number;
}
