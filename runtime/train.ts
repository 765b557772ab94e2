// Training: from a session and its recipe to a trained state, begun or resumed, and begun again once where the device is lost.
import { type CompiledArtifact, calibrateEntry, type EntryRecord, type RunRecord } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { artifactHash } from "./artifact-folder.ts";
import { latestCheckpoint } from "./checkpoint-history.ts";
import { Batches } from "./data/batches.ts";
import type { Dataset } from "./data/dataset.ts";
import { openData } from "./data/source.ts";
import type { LoggedLine } from "./metrics.ts";
import { requireProbes } from "./quant-probes.ts";
import { chooseCheckpoint, differencesFrom, loadCheckpoint, type Resumed } from "./resume.ts";
import { cleanRunFolder, RunFolder } from "./run-folder.ts";
import type { Session } from "./session.ts";
import type { EvaluationMetrics, TrainOptions, TrainResult } from "./train-options.ts";
import { defaultCheckpoint, type LoopOptions, TrainingLoop } from "./training-loop.ts";
import { stepSize, trainingEntry } from "./training-step.ts";

/** Checkpoints by time are there to survive: two of them, so that one is whole whatever happens to the other. */
const keptByTime = 2;

/**
 * Train as the artifact's recipe says. Throws a DiagnosticError where the artifact has no recipe (`no-recipe`), data or checkpoint do not fit it
 * (`checkpoint-mismatch`), a checkpoint is damaged (`bad-checkpoint`) or not there (`no-checkpoint`), the folder holds a run that is not to be
 * resumed (`run-exists`), loss and gradient stay not finite (`not-finite`), the device is lost (`device-lost`), or the end cannot be written
 * (`not-saved`).
 */
export async function train(session: Session, options: TrainOptions = {}): Promise<TrainResult> {
  const { run, entry } = trainedBy(session.artifact);
  const dataset = options.dataset ?? (await openTrainingData(session.artifact));
  const batches = new Batches(dataset, run.data, entry);
  const examples = stepSize(batches, run);
  if (options.probeEvery !== undefined) requireProbes(session.artifact);
  const { folder: path, signal, progress, steps = run.steps } = options;

  if (path !== undefined) await cleanRunFolder(path);
  const checkpoint = chooseCheckpoint(options);
  const resumed = checkpoint === undefined ? undefined : await loadCheckpoint(checkpoint, session, examples, options.seed);
  const seed = resumed?.state.seed ?? options.seed ?? 0;
  if (resumed !== undefined) for (const difference of differencesFrom(resumed, session)) progress?.warned?.(difference);

  const checked = options.checked?.bind(options);
  const common = { run, dataset, batches, seed, steps, signal, progress, checked, probeEvery: options.probeEvery };
  try {
    return await runFrom(session, resumed, common, options);
  } catch (problem) {
    if (!isLoss(problem) || options.reopen === undefined) throw problem;
    progress?.warned?.({ ...lossOf(problem), severity: "warning", help: ["the run begins again from its last checkpoint, once"] });
    const next = await options.reopen();
    const last = (path === undefined ? undefined : latestCheckpoint(path)) ?? checkpoint;
    const again = last === undefined ? undefined : await loadCheckpoint(last, next, examples, seed);
    try {
      return await runFrom(next, again, common, options);
    } catch (second) {
      if (!isLoss(second)) throw second;
      const help = ["mend the cause first (the driver's log names it); then `--resume` goes on from the last checkpoint"];
      throw new DiagnosticError([{ ...lossOf(second), message: `${lossOf(second).message}, for the second time in this run`, help }]);
    }
  }
}

/**
 * The data that an artifact's recipe trains on, for `TrainOptions.dataset`: opened while a session opens, it loads as the driver compiles kernels.
 * Throws as {@link train} does.
 */
export async function openTrainingData(artifact: CompiledArtifact): Promise<Dataset> {
  const { run, entry } = trainedBy(artifact);
  return openData(run.data, entry);
}

function trainedBy({ manifest }: CompiledArtifact): { readonly run: RunRecord; readonly entry: EntryRecord } {
  const { run } = manifest;
  const entry = trainingEntry(manifest);
  if (run === undefined || entry === undefined)
    throw new DiagnosticError([error("no-recipe", "the artifact was compiled without a recipe, so there is nothing to train")]);
  return { run, entry };
}

type Common = Omit<LoopOptions, "session" | "folder">;

async function runFrom(session: Session, resumed: Resumed | undefined, common: Common, options: TrainOptions): Promise<TrainResult> {
  const { run, seed, steps, progress } = common;
  const { step = 0, skipped = 0, skippedInRow = 0 } = resumed?.state ?? {};
  let evaluation: EvaluationMetrics | undefined;
  /** The steps behind the checkpoint run again, and an evaluation only because the run ended there is none of a run that goes on. */
  const keeps = (line: LoggedLine): boolean => {
    if (line.step > step || step === 0) return false;
    const isEvaluation = !("loss" in line) && Object.keys(line).some((key) => key.startsWith("val_"));
    if (!isEvaluation) return true;
    if (!isDue(run.evaluate?.everySteps, line.step)) return false;
    if (line.step === step) evaluation = line;
    return true;
  };
  const keep = options.keep ?? ("everySeconds" in (run.checkpoint ?? defaultCheckpoint) ? keptByTime : undefined);
  const folder =
    options.folder === undefined
      ? undefined
      : await RunFolder.open(options.folder, {
          config: describeConfig(session, run, { seed, steps, ...options.config }),
          keeps,
          warn: (problem) => progress?.warned?.(problem),
          ...(resumed === undefined ? {} : { from: resumed.folder }),
          ...(keep === undefined ? {} : { keep }),
        });
  // On the batch that the first step takes, or the first part of it.
  if (session.needsCalibration) session.submit(calibrateEntry, common.batches.training(seed, 0), { unread: true });
  progress?.started?.({ fromStep: step, steps, ...(resumed === undefined ? {} : { resumedFrom: resumed.folder }) });
  const loop = new TrainingLoop(
    { ...common, session, folder },
    { step, skipped, skippedInRow, ...(evaluation === undefined ? {} : { evaluation }) },
  );
  try {
    return await loop.run();
  } finally {
    folder?.close();
  }
}

const isDue = (every: number | undefined, step: number): boolean => every !== undefined && step % every === 0;

const isLoss = (problem: unknown): problem is DiagnosticError =>
  problem instanceof DiagnosticError && problem.diagnostics[0]?.code === "device-lost";

const lossOf = ({ diagnostics: [first], message }: DiagnosticError) => first ?? error("device-lost", message);

function describeConfig(session: Session, run: RunRecord, settings: Readonly<Record<string, unknown>>): object {
  const { model, policy, recipe, sources, host, schedules } = session.artifact.manifest;
  const { name, driver, isSoftware } = session.device.adapter;
  return {
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
}
