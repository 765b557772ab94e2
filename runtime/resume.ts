// Going on with a run: which checkpoint, whether it fits, and what its run has that this one has not.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, DiagnosticError, error, warning } from "../ir/diagnostic.ts";
import { artifactHash } from "./artifact-folder.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { belongsTo, findCheckpoint, helpForDamage, latestCheckpoint } from "./checkpoint-history.ts";
import { type CheckpointState, SavedState } from "./checkpoint-state.ts";
import type { Session } from "./session.ts";
import type { TrainOptions } from "./train-options.ts";

/** Where a run goes on. */
export interface Resumed {
  readonly state: CheckpointState;
  /** The checkpoint. */
  readonly folder: string;
}

/**
 * The checkpoint that the options mean; undefined where the run begins. Throws a DiagnosticError where the folder holds a run that is not to
 * be resumed (`run-exists`), and where there is no such checkpoint (`no-checkpoint`).
 */
export function chooseCheckpoint({ folder, resume = false }: TrainOptions): string | undefined {
  if (folder === undefined) return typeof resume === "string" ? findCheckpoint("", resume) : undefined;
  const latest = latestCheckpoint(folder);
  if (resume === true) return latest;
  const chosen = resume === false ? undefined : findCheckpoint(folder, resume);
  if (latest === undefined || (chosen !== undefined && belongsTo(folder, chosen))) return chosen;
  const message = `${folder} holds a run already (${latest})`;
  const help = chosen === undefined ? "resume it, or write to another folder" : "go on with that run, or write to another folder";
  throw new DiagnosticError([error("run-exists", message, undefined, "", [help])]);
}

/**
 * Load a checkpoint into a session. `batch` is the number of examples in a step. Throws a DiagnosticError where it is damaged, with help that
 * names the newest intact one before it, and where it is not of this model, policy, recipe, batch or seed (`checkpoint-mismatch`).
 */
export async function loadCheckpoint(folder: string, session: Session, batch: number, seed: number | undefined): Promise<Resumed> {
  try {
    const { state } = await SavedState.read(folder);
    const problems = problemsOf(folder, state, session, batch, seed);
    if (problems.length > 0) throw new DiagnosticError(problems);
    return { state: await readCheckpoint(folder, session), folder };
  } catch (problem) {
    const [first] = problem instanceof DiagnosticError ? problem.diagnostics : [];
    if (first === undefined || (first.code !== "bad-checkpoint" && first.code !== "bad-safetensors")) throw problem;
    throw new DiagnosticError([{ ...first, help: [...(first.help ?? []), ...(await helpForDamage(folder))] }]);
  }
}

function problemsOf(
  folder: string,
  state: CheckpointState,
  session: Session,
  batch: number,
  seed: number | undefined,
): readonly Diagnostic[] {
  const { policy, recipe = "" } = session.artifact.manifest;
  const problems: Diagnostic[] = [];
  const refuse = (message: string, help: string) =>
    problems.push(error("checkpoint-mismatch", `${folder} was made ${message}`, undefined, "", [help]));
  const otherwise = "a new run begins from its weights with `--init`";
  if (state.recipe !== recipe)
    refuse(`by the recipe \`${state.recipe}\`, not \`${recipe}\``, `resume with the recipe that the run began with; ${otherwise}`);
  if (state.policy !== policy)
    refuse(`under the policy \`${state.policy}\`, not \`${policy}\``, `resume with the policy that the run began with; ${otherwise}`);
  if (seed !== undefined && seed !== state.seed) refuse(`with seed ${state.seed}, not ${seed}`, "resume without a seed to keep it");
  // Another recipe's batch says nothing more.
  if (state.recipe === recipe && state.dataPosition !== state.step * batch)
    refuse(
      `with ${state.dataPosition / state.step} examples a step, not ${batch}, so its place in the data means nothing here`,
      "resume with the batch that the run began with",
    );
  return problems;
}

/** What keeps a resumed run from going on to the bit as if it had not stopped. */
export function differencesFrom({ state, folder }: Resumed, session: Session): readonly Diagnostic[] {
  const { manifest } = session.artifact;
  const { name, driver } = session.device.adapter;
  const found: string[] = [];
  if (state.adapter.name !== name || state.adapter.driver !== driver)
    found.push(`the adapter was ${state.adapter.name} (${state.adapter.driver}), it is ${name} (${driver})`);
  if (state.model !== manifest.model) found.push(`the model was ${state.model}, it is ${manifest.model}`);
  const config = readConfig(join(folder, "..", "..", "config.resolved.json"));
  for (const part of ["host", "run", "sources"] as const) {
    const [before, now] = [config[part] ?? {}, manifest[part] ?? {}].map(asRecord);
    for (const key of new Set([...Object.keys(before ?? {}), ...Object.keys(now ?? {})])) {
      const [was, is] = [before?.[key], now?.[key]].map((value) => JSON.stringify(value) ?? "absent");
      if (was !== is) found.push(part === "sources" ? `\`${key}\` has another text` : `\`${key}\` was ${was}, it is ${is}`);
    }
  }
  if (found.length === 0 && state.schedules !== manifest.schedules) found.push("the compiler's table of schedules is another one");
  if (found.length === 0 && state.artifact !== artifactHash(session.artifact)) found.push("the compiled artifact is another one");
  if (found.length === 0) return [];
  return [warning("not-the-same-run", `the run goes on, but not to the bit as if it had not stopped: it began otherwise than this`, found)];
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    return existsSync(path) ? asRecord(JSON.parse(readFileSync(path, "utf8"))) : {};
  } catch {
    return {};
  }
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
