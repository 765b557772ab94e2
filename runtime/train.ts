// The training loop: one submission a step, metrics read while the next step runs, evaluation and checkpoints as the recipe says.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { hostValue } from "../ir/host.ts";
import { artifactHash } from "./artifact-folder.ts";
import { type CheckpointState, latestCheckpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { Batches } from "./data/batches.ts";
import type { Dataset } from "./data/dataset.ts";
import { openData } from "./data/source.ts";
import { writeFileDurably } from "./durable.ts";
import { type Evaluation, evaluate } from "./evaluate.ts";
import { MetricsLog } from "./metrics.ts";
import type { PendingRun, Session } from "./session.ts";

export interface TrainOptions {
  /** Seed of the data's order (and, by the caller, of `Session.open`). On resume the checkpoint's seed counts; default 0. */
  readonly seed?: number;
  /** Stop after this many steps; the schedule keeps its own number. Default: the recipe's. */
  readonly steps?: number;
  /** Run folder for `config.resolved.json`, `metrics.jsonl` and checkpoints; none is written without it. */
  readonly folder?: string;
  /** Go on from the run folder's latest checkpoint, where it has one. */
  readonly resume?: boolean;
  /** Abort to finish the step under way, write a checkpoint and return. */
  readonly signal?: AbortSignal;
  readonly progress?: TrainProgress;
  /** Instead of the recipe's data source. */
  readonly dataset?: Dataset;
  /** Further settings for `config.resolved.json`, such as the command line. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What a caller may show; nothing is printed by the library. */
export interface TrainProgress {
  started?(run: { readonly fromStep: number; readonly steps: number; readonly resumedFrom?: string }): void;
  stepped?(metrics: StepMetrics): void;
  evaluated?(metrics: EvaluationMetrics): void;
  saved?(checkpoint: string, step: number): void;
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
  /** Steps that changed nothing because loss or gradient were not finite. */
  readonly skipped: number;
  /** Folder of the last checkpoint written. */
  readonly checkpoint?: string;
  /** What was trained on. */
  readonly dataset: Dataset;
}

/** A step is prepared while the one before it runs. */
const stepsUnderWay = 2;
/** After this many steps in a row that changed nothing the run has failed. */
const skippedLimit = 25;

/**
 * Train as the artifact's recipe says. Throws a DiagnosticError where the artifact has no recipe (`no-recipe`), data or checkpoint do not fit it, the
 * device is lost, or loss and gradient stay not finite (`not-finite`),
 * and where the folder holds a run that is not to be resumed (`run-exists`).
 */
export async function train(session: Session, options: TrainOptions = {}): Promise<TrainResult> {
  const { manifest } = session.artifact;
  const { run } = manifest;
  const entry = manifest.entries["train"];
  if (run === undefined || entry === undefined)
    throw new DiagnosticError([error("no-recipe", "the artifact was compiled without a recipe, so there is nothing to train")]);
  const dataset = options.dataset ?? (await openData(run.data, entry));
  const batches = new Batches(dataset, run.data, entry);
  const { folder, signal, progress } = options;
  const steps = options.steps ?? run.steps;
  const resumed = await resume(session, options);
  const seed = resumed?.state.seed ?? options.seed ?? 0;
  const fromStep = resumed?.state.step ?? 0;
  if (folder !== undefined) await writeConfig(folder, session, { seed, steps, ...options.config });
  const log = folder === undefined ? undefined : await MetricsLog.open(join(folder, "metrics.jsonl"), fromStep);
  progress?.started?.({ fromStep, steps, ...(resumed === undefined ? {} : { resumedFrom: resumed.folder }) });

  let done = fromStep;
  let skipped = 0;
  let skippedInRow = 0;
  let lastStep: StepMetrics | undefined;
  let evaluation: EvaluationMetrics | undefined;
  let checkpoint: string | undefined;
  let before = performance.now();
  const underWay: { readonly step: number; readonly pending: PendingRun }[] = [];

  const finishStep = async (): Promise<void> => {
    const first = underWay.shift();
    if (first === undefined) return;
    const { outputs } = await first.pending.read();
    const now = performance.now();
    const ok = (outputs["ok"]?.[0] ?? 1) !== 0;
    const norm = outputs["grad_norm"]?.[0];
    const lr = manifest.host["lr"];
    const stepMs = now - before;
    before = now;
    lastStep = {
      step: first.step + 1,
      loss: outputs["loss"]?.[0] ?? Number.NaN,
      ...(lr === undefined ? {} : { lr: hostValue(lr, first.step) }),
      ...(norm === undefined ? {} : { grad_norm: norm }),
      step_ms: stepMs,
      [`${dataset.unit}s_per_s`]: (1000 * batches.size * dataset.unitsPerExample) / stepMs,
      ...(ok ? {} : { ok }),
    };
    done = first.step + 1;
    skipped += ok ? 0 : 1;
    skippedInRow = ok ? 0 : skippedInRow + 1;
    log?.write(lastStep);
    progress?.stepped?.(lastStep);
    if (skippedInRow >= skippedLimit) {
      throw new DiagnosticError([
        error(
          "not-finite",
          `loss or gradient were not finite for ${skippedInRow} steps in a row, up to step ${done}; no step of them changed the weights`,
          undefined,
          "",
          ["lower the learning rate (`--set schedule.peak=...`) or use more bits"],
        ),
      ]);
    }
  };
  const finishAll = async (): Promise<void> => {
    while (underWay.length > 0) await finishStep();
  };
  const evaluateNow = async (): Promise<void> => {
    if (run.evaluate === undefined || evaluation?.step === done) return;
    evaluation = toMetrics(done, await evaluate(session, dataset, run.data, run.evaluate.metrics));
    log?.write(evaluation);
    progress?.evaluated?.(evaluation);
    before = performance.now();
  };
  let savedStep = -1;
  const saveNow = async (): Promise<void> => {
    if (folder === undefined || savedStep === done) return;
    log?.sync();
    checkpoint = await writeCheckpoint(folder, session, describeState(session, done, seed, done * batches.size));
    savedStep = done;
    progress?.saved?.(checkpoint, done);
    before = performance.now();
  };
  const isDue = (every: number | undefined, step: number): boolean => every !== undefined && step % every === 0;

  try {
    for (let step = fromStep; step < steps && signal?.aborted !== true; step++) {
      underWay.push({ step, pending: session.submit("train", batches.training(seed, step), { step }) });
      const evaluates = isDue(run.evaluate?.everySteps, step + 1);
      const saves = isDue(run.checkpoint?.everySteps, step + 1);
      if (evaluates || saves) await finishAll();
      else if (underWay.length >= stepsUnderWay) await finishStep();
      if (evaluates) await evaluateNow();
      if (saves) await saveNow();
    }
    await finishAll();
    const ended = done < steps ? "interrupted" : "finished";
    if (ended === "finished") await evaluateNow();
    if (done > fromStep) await saveNow();
    return {
      ended,
      step: done,
      ...(lastStep === undefined ? {} : { lastStep }),
      ...(evaluation === undefined ? {} : { evaluation }),
      skipped,
      ...(checkpoint === undefined ? {} : { checkpoint }),
      dataset,
    };
  } finally {
    log?.close();
  }
}

async function resume(
  session: Session,
  { folder, resume: wanted, seed }: TrainOptions,
): Promise<{ readonly state: CheckpointState; readonly folder: string } | undefined> {
  if (folder === undefined) return undefined;
  const checkpoint = await latestCheckpoint(folder);
  if (checkpoint === undefined) return undefined;
  if (wanted !== true)
    throw new DiagnosticError([
      error("run-exists", `${folder} holds a run already (${checkpoint})`, undefined, "", ["resume it, or write to another folder"]),
    ]);
  const state = await readCheckpoint(checkpoint, session);
  const { policy } = session.artifact.manifest;
  if (state.policy !== policy) {
    throw new DiagnosticError([
      error("checkpoint-mismatch", `${checkpoint} was made under the policy \`${state.policy}\`, not \`${policy}\``, undefined, "", [
        "resume with the policy that the run began with",
      ]),
    ]);
  }
  if (seed !== undefined && seed !== state.seed) {
    throw new DiagnosticError([
      error("checkpoint-mismatch", `${checkpoint} was made with seed ${state.seed}, not ${seed}`, undefined, "", [
        "resume without a seed to keep it",
      ]),
    ]);
  }
  return { state, folder: checkpoint };
}

function describeState(session: Session, step: number, seed: number, dataPosition: number): CheckpointState {
  const { manifest } = session.artifact;
  const { name, driver } = session.device.adapter;
  return {
    step,
    seed,
    dataPosition,
    artifact: artifactHash(session.artifact),
    schedules: manifest.schedules,
    model: manifest.model,
    policy: manifest.policy,
    adapter: { name, driver },
  };
}

async function writeConfig(folder: string, session: Session, settings: Readonly<Record<string, unknown>>): Promise<void> {
  const { model, policy, recipe, sources, host, run, schedules } = session.artifact.manifest;
  const { name, driver, isSoftware } = session.device.adapter;
  await mkdir(folder, { recursive: true });
  const config = {
    model,
    policy,
    recipe,
    sources,
    host,
    run,
    ...settings,
    artifact: artifactHash(session.artifact),
    schedules,
    target: session.target.name,
    adapter: { name, driver, isSoftware },
  };
  await writeFileDurably(join(folder, "config.resolved.json"), `${JSON.stringify(config, null, 1)}\n`);
}

const toMetrics = (step: number, { loss, accuracy }: Evaluation): EvaluationMetrics => ({
  step,
  ...(loss === undefined ? {} : { val_loss: loss }),
  ...(accuracy === undefined ? {} : { val_accuracy: accuracy }),
});
