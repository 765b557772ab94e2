// The checkpoints of a run folder: which there are, which is the latest or the one that is meant, and which are pruned.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { SavedState, stateFile } from "./checkpoint-state.ts";
import { removeFolderDurably, writeFileDurably } from "./durable.ts";

export const checkpointName = (step: number): string => `step-${String(step).padStart(6, "0")}`;

/** Make a checkpoint of the run folder its latest one. */
export const pointTo = (runFolder: string, name: string): Promise<void> =>
  writeFileDurably(join(runFolder, "latest"), `${join("checkpoints", name)}\n`);

/**
 * The folder of a run's latest checkpoint, or undefined where it has none. The file `latest` names it; where that file or what it names
 * is gone, it is the one of the highest step.
 */
export function latestCheckpoint(runFolder: string): string | undefined {
  const pointer = join(runFolder, "latest");
  const named = existsSync(pointer) ? readFileSync(pointer, "utf8").trim() : "";
  if (named !== "" && existsSync(join(runFolder, named))) return join(runFolder, named);
  return checkpointsOf(runFolder).at(-1)?.folder;
}

interface Place {
  readonly step: number;
  readonly folder: string;
}

/** By step, the highest last. */
function checkpointsOf(runFolder: string): readonly Place[] {
  const parent = join(runFolder, "checkpoints");
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .flatMap((name) => {
      const [, step] = /^step-(\d+)$/.exec(name) ?? [];
      return step === undefined ? [] : [{ step: Number(step), folder: join(parent, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * The checkpoint that a text means: a step (`500`) or a name (`step-000500`) in the run folder, the path of a checkpoint, or that of a run
 * folder, whose latest it is then. Throws a DiagnosticError `no-checkpoint` that lists what there is.
 */
export function findCheckpoint(runFolder: string, wanted: string): string {
  const inFolder = checkpointsOf(runFolder);
  const named = inFolder.find(({ step, folder }) => wanted === String(step) || wanted === basename(folder));
  if (named !== undefined) return named.folder;
  if (existsSync(join(wanted, stateFile))) return sameFolder(wanted, inFolder) ?? wanted;
  const latest = latestCheckpoint(wanted);
  if (latest !== undefined) return sameFolder(latest, inFolder) ?? latest;
  const steps = inFolder.map(({ step }) => step);
  throw new DiagnosticError([
    error("no-checkpoint", `there is no checkpoint \`${wanted}\``, undefined, "", [
      steps.length === 0 ? `${runFolder} has no checkpoints` : `${runFolder} has those of step ${steps.join(", ")}`,
      "a checkpoint is named by its step, or by the path of its folder",
    ]),
  ]);
}

/** Under the name that the run folder's own checkpoints have, if it is one of them. */
const sameFolder = (path: string, places: readonly Place[]): string | undefined =>
  places.find(({ folder }) => resolve(folder) === resolve(path))?.folder;

/** Whether a checkpoint is one of the run folder's own. */
export const belongsTo = (runFolder: string, checkpoint: string): boolean => sameFolder(checkpoint, checkpointsOf(runFolder)) !== undefined;

/**
 * For a checkpoint that turned out to be damaged: help that names the newest older one beside it whose files are all as they were written,
 * and what resumes from it.
 */
export async function helpForDamage(checkpoint: string): Promise<readonly string[]> {
  const runFolder = join(checkpoint, "..", "..");
  const [, step = "-1"] = /^step-(\d+)$/.exec(basename(checkpoint)) ?? [];
  for (const older of checkpointsOf(runFolder).toReversed()) {
    if (older.step >= Number(step) || (await SavedState.damageOf(older.folder)) !== undefined) continue;
    return [`the newest intact one before it is ${older.folder}: \`--resume ${older.step}\` goes on from there`];
  }
  return ["no older checkpoint of this run is intact: `--overwrite` begins again"];
}

/** Remove checkpoints up to a step but for the `keep` newest of them. Those of later steps, which a run that went back left, stay. */
export async function pruneCheckpoints(runFolder: string, step: number, keep: number): Promise<void> {
  const past = checkpointsOf(runFolder).filter((place) => place.step <= step);
  for (const { folder } of past.slice(0, Math.max(0, past.length - keep))) await removeFolderDurably(folder);
}
