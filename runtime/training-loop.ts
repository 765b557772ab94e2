// The training loop on one device: one submission a step, metrics read while the next step runs, evaluation and checkpoints as the recipe says.
import type { CheckedArtifact, RunRecord } from "../ir/artifact.ts";
import { DiagnosticError, error, warning } from "../ir/diagnostic.ts";
import { hostValue } from "../ir/host.ts";
import { artifactHash } from "./artifact-folder.ts";
import { BadSteps, type Counts } from "./bad-steps.ts";
import type { CheckpointState } from "./checkpoint-state.ts";
import type { Batches } from "./data/batches.ts";
import type { Dataset } from "./data/dataset.ts";
import { type Evaluation, evaluate } from "./evaluate.ts";
import { probeQuantization } from "./quant-probes.ts";
import { isRefusal, refusalHelp } from "./refusal.ts";
import type { RunFolder } from "./run-folder.ts";
import type { PendingRun, Session } from "./session.ts";
import type { EvaluationMetrics, StepMetrics, TrainProgress, TrainResult } from "./train-options.ts";
import { startStep, stepSize } from "./training-step.ts";

export interface LoopOptions {
  readonly session: Session;
  readonly run: RunRecord;
  readonly dataset: Dataset;
  readonly batches: Batches;
  readonly seed: number;
  /** Stop after this many steps. */
  readonly steps: number;
  readonly folder: RunFolder | undefined;
  readonly signal: AbortSignal | undefined;
  readonly progress: TrainProgress | undefined;
  readonly checked: (() => CheckedArtifact) | undefined;
  /** Steps between probes of the roundings; absent: none. */
  readonly probeEvery: number | undefined;
}

/** Where a loop begins. */
export interface Position extends Counts {
  /** Steps done. */
  readonly step: number;
  /** An evaluation at this very step that the metrics hold already. */
  readonly evaluation?: EvaluationMetrics;
}

/** A step is prepared while the one before it runs. */
const stepsUnderWay = 2;
/** Of a recipe that says nothing of checkpoints. */
export const defaultCheckpoint = { everySeconds: 300 } as const satisfies RunRecord["checkpoint"];

export class TrainingLoop {
  readonly #options: LoopOptions;
  readonly #fromStep: number;
  readonly #underWay: { readonly step: number; readonly pending: PendingRun }[] = [];
  #done: number;
  readonly #bad: BadSteps;
  #lastStep: StepMetrics | undefined;
  #evaluation: EvaluationMetrics | undefined;
  #checkpoint: string | undefined;
  #savedStep = -1;
  /** On the clock of `performance.now`: when the step before was done, and when a checkpoint was last written or tried. */
  #before = performance.now();
  #savedAt = performance.now();

  constructor(options: LoopOptions, from: Position) {
    this.#options = options;
    this.#fromStep = this.#done = from.step;
    this.#bad = new BadSteps(from, options.checked);
    this.#evaluation = from.evaluation;
  }

  /** Throws a DiagnosticError where loss and gradient stay not finite (`not-finite`), the device is lost, or the end cannot be saved (`not-saved`). */
  async run(): Promise<TrainResult> {
    const { session, run, batches, seed, steps, signal, probeEvery } = this.#options;
    for (let step = this.#fromStep; step < steps && signal?.aborted !== true; step++) {
      this.#underWay.push({ step, pending: startStep(session, batches, { seed, step }) });
      const evaluates = run.evaluate !== undefined && (step + 1) % run.evaluate.everySteps === 0;
      const saves = this.#savesAfter(step + 1);
      const probes = probeEvery !== undefined && (step + 1) % probeEvery === 0;
      if (evaluates || saves || probes) await this.#finishAll();
      else if (this.#underWay.length >= stepsUnderWay) await this.#finishStep();
      if (this.#bad.isCareful) await this.#finishAll();
      if (evaluates) await this.#evaluate();
      if (probes) await this.#probe();
      if (saves) await this.#save();
    }
    await this.#finishAll();
    const ended = this.#done < steps ? "interrupted" : "finished";
    if (ended === "finished") await this.#evaluate();
    if (this.#done > this.#fromStep) await this.#saveLast();
    return {
      ended,
      step: this.#done,
      ...(this.#lastStep === undefined ? {} : { lastStep: this.#lastStep }),
      ...(this.#evaluation === undefined ? {} : { evaluation: this.#evaluation }),
      skipped: this.#bad.counts.skipped,
      ...(this.#checkpoint === undefined ? {} : { checkpoint: this.#checkpoint }),
      dataset: this.#options.dataset,
      seed,
    };
  }

  async #finishAll(): Promise<void> {
    while (this.#underWay.length > 0) await this.#finishStep();
  }

  async #finishStep(): Promise<void> {
    const first = this.#underWay.shift();
    if (first === undefined) return;
    const { session, run, dataset, batches, folder, progress, seed } = this.#options;
    const { outputs } = await first.pending.read();
    const now = performance.now();
    const ok = (outputs["ok"]?.[0] ?? 1) !== 0;
    const norm = outputs["grad_norm"]?.[0];
    const lr = session.artifact.manifest.host["lr"];
    const stepMs = now - this.#before;
    this.#before = now;
    this.#lastStep = {
      step: first.step + 1,
      loss: outputs["loss"]?.[0] ?? Number.NaN,
      ...(lr === undefined ? {} : { lr: hostValue(lr, first.step) }),
      ...(norm === undefined ? {} : { grad_norm: norm }),
      step_ms: stepMs,
      [`${dataset.unit}s_per_s`]: (1000 * stepSize(batches, run) * dataset.unitsPerExample) / stepMs,
      ...(ok ? {} : { ok }),
    };
    this.#done = first.step + 1;
    folder?.log(this.#lastStep);
    progress?.stepped?.(this.#lastStep);
    this.#bad.count(ok, this.#done);
    if (ok) return;
    const examined = await this.#bad.examine(session, batches, seed, first.step);
    if (examined?.logged !== undefined) folder?.log(examined.logged);
    if (examined !== undefined) progress?.warned?.(examined.diagnostic);
    this.#before = performance.now();
  }

  async #evaluate(): Promise<void> {
    const { session, dataset, run, folder, progress } = this.#options;
    if (run.evaluate === undefined || this.#evaluation?.step === this.#done) return;
    this.#evaluation = toMetrics(this.#done, await evaluate(session, dataset, run.data, run.evaluate.metrics));
    folder?.log(this.#evaluation);
    progress?.evaluated?.(this.#evaluation);
    this.#before = performance.now();
  }

  async #probe(): Promise<void> {
    const { session, batches, folder } = this.#options;
    folder?.log({ step: this.#done, probe: await probeQuantization(session, batches) });
    this.#before = performance.now();
  }

  #savesAfter(step: number): boolean {
    const rule = this.#options.run.checkpoint ?? defaultCheckpoint;
    return "everySteps" in rule ? step % rule.everySteps === 0 : performance.now() - this.#savedAt >= 1000 * rule.everySeconds;
  }

  /** A checkpoint that cannot be written does not stop the run: the next one may be. */
  async #save(): Promise<void> {
    try {
      await this.#write();
    } catch (problem) {
      if (!isRefusal(problem)) throw problem;
      const help = [...refusalHelp(problem), "the run goes on, and tries again at the next checkpoint"];
      this.#options.progress?.warned?.(warning("not-saved", notSaved(this.#done, problem), help));
    }
    this.#savedAt = this.#before = performance.now();
  }

  /** At the end of the run, what cannot be saved in its folder is saved elsewhere. */
  async #saveLast(): Promise<void> {
    try {
      await this.#write();
    } catch (problem) {
      if (!isRefusal(problem)) throw problem;
      throw new DiagnosticError([error("not-saved", notSaved(this.#done, problem), undefined, "", await this.#rescue(problem))]);
    }
  }

  async #write(): Promise<void> {
    const { folder, session, progress } = this.#options;
    if (folder === undefined || this.#savedStep === this.#done) return;
    this.#checkpoint = await folder.save(session, this.#describe());
    this.#savedStep = this.#done;
    progress?.saved?.(this.#checkpoint, this.#done);
  }

  async #rescue(problem: NodeJS.ErrnoException): Promise<readonly string[]> {
    const { folder, session } = this.#options;
    const before = this.#checkpoint === undefined ? [] : [`the checkpoint before is ${this.#checkpoint}`];
    try {
      const rescued = await folder?.rescue(session, this.#describe());
      return [
        `the run was saved in ${rescued} instead: move it away, or go on with \`--out ${rescued} --resume\``,
        ...refusalHelp(problem),
      ];
    } catch (again) {
      if (!isRefusal(again)) throw again;
      return [`it could not be saved in a folder for temporary files either (${again.message})`, ...before, ...refusalHelp(problem)];
    }
  }

  #describe(): CheckpointState {
    const { session, run, batches, seed } = this.#options;
    const { manifest } = session.artifact;
    const { name, driver } = session.device.adapter;
    return {
      step: this.#done,
      seed,
      dataPosition: this.#done * stepSize(batches, run),
      ...this.#bad.counts,
      artifact: artifactHash(session.artifact),
      schedules: manifest.schedules,
      model: manifest.model,
      policy: manifest.policy,
      recipe: manifest.recipe ?? "",
      adapter: { name, driver },
    };
  }
}

const notSaved = (step: number, problem: Error): string => `the checkpoint of step ${step} could not be written: ${problem.message}`;

const toMetrics = (step: number, { loss, accuracy }: Evaluation): EvaluationMetrics => ({
  step,
  ...(loss === undefined ? {} : { val_loss: loss }),
  ...(accuracy === undefined ? {} : { val_accuracy: accuracy }),
});
