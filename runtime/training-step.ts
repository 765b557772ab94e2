// One training step as submissions: a run of `train`, or of `accumulate` for each micro-batch and then of `apply`.
import type { ArtifactManifest, EntryRecord, RunRecord } from "../ir/artifact.ts";
import type { Batches } from "./data/batches.ts";
import type { PendingRun, Session } from "./session.ts";

/** The entry that takes a training batch; undefined where the artifact trains nothing. */
export const trainingEntry = ({ entries }: ArtifactManifest): EntryRecord | undefined => entries["train"] ?? entries["accumulate"];

/** Examples in a step. `batches` are those of {@link trainingEntry}. */
export const stepSize = (batches: Batches, run: RunRecord): number => batches.size * (run.accumulate ?? 1);

/**
 * Start a 0-based step; the run that is answered reads its metrics. The micro-batches of step s are the batches s * parts and on, so that a step
 * sees the examples of one batch of their common size. Nothing is read back for them: the sums of gradients and loss stay on the device, and are
 * zero again behind the step.
 */
export function startStep(
  session: Session,
  batches: Batches,
  { seed, step }: { readonly seed: number; readonly step: number },
): PendingRun {
  const parts = session.artifact.manifest.run?.accumulate ?? 1;
  if (parts === 1) return session.submit("train", batches.training(seed, step), { step });
  for (let part = 0; part < parts; part++)
    session.submit("accumulate", batches.training(seed, step * parts + part), { step, unread: true });
  return session.submit("apply", {}, { step });
}
