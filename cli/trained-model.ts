// A trained model as the command line names it: the folder of a run, which says all, or a model file with weights.
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CompiledArtifact, lowerSource } from "../compiler/index.ts";
import { type Diagnostic, DiagnosticError, error } from "../ir/diagnostic.ts";
import type { Source } from "../ir/source.ts";
import { givePacked, giveWeights, latestCheckpoint, type PackedModel, readPackedFile, type Session } from "../runtime/index.ts";
import { frontEndOptions, type SourceFlags } from "./compilation.ts";
import { readSource } from "./files.ts";
import type { Output } from "./output.ts";

export interface ModelFlags extends SourceFlags {
  readonly weights?: string;
}

export interface TrainedModel {
  readonly source: Source;
  readonly recipe?: string;
  readonly flags: SourceFlags;
  /** A safetensors file, or the folder of a checkpoint. */
  readonly weights: string;
  /** What the file holds where it is a packed one. */
  readonly packed?: PackedModel;
  /** Hashes of the texts that it was trained with, by path, where a run says so. */
  readonly sources?: Readonly<Record<string, string>>;
}

/** What a run's folder keeps of the command that trained it, in `config.resolved.json` under `command`. */
export interface TrainCommand {
  readonly file: string;
  readonly recipe?: string;
  readonly policy?: string;
  readonly set: readonly string[];
}

/**
 * The model that `first` names: the folder of a run or of one of its checkpoints (flags then come on top of the run's own), or a model
 * file with `--weights`. Throws a DiagnosticError where one of them says too little (`no-run`, `no-weights`) or does not exist.
 */
export async function trainedModel(first: string, recipe: string | undefined, flags: ModelFlags): Promise<TrainedModel> {
  if (statSync(first, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const source = await readSource(first);
    const { weights } = flags;
    if (weights === undefined)
      throw new DiagnosticError([
        error("no-weights", `\`${first}\` is a model without weights`, undefined, "", [
          "name the folder of a run instead, or the weights with `--weights`",
        ]),
      ]);
    const found = { source, ...(await withWeights(weights, recipe, flags)) };
    refuseForeignNames(found, recipe, flags);
    return found;
  }
  const { command, sources } = readConfig(first);
  const policy = flags.policy ?? command.policy;
  const given = { set: [...command.set, ...flags.set], ...(policy === undefined ? {} : { policy }) };
  return {
    source: await readSource(command.file),
    ...(await withWeights(flags.weights ?? first, recipe ?? command.recipe, given)),
    sources,
  };
}

/** A packed file says with which recipe and policy it was made: they hold where nothing else is said. */
async function withWeights(
  path: string,
  recipe: string | undefined,
  flags: SourceFlags,
): Promise<Omit<TrainedModel, "source" | "sources">> {
  const weights = newest(path);
  const packed = await readPackedFile(weights);
  const chosen = recipe ?? packed?.about.recipe;
  const policy = flags.policy ?? packed?.about.policy;
  return {
    ...(chosen === undefined ? {} : { recipe: chosen }),
    flags: { ...flags, ...(policy === undefined ? {} : { policy }) },
    weights,
    ...(packed === undefined ? {} : { packed }),
  };
}

/** Recipe and policy that nobody wrote but the packed file must be the model's. */
function refuseForeignNames({ source, recipe, flags, weights, packed }: TrainedModel, given: string | undefined, said: SourceFlags): void {
  if (packed === undefined || (given !== undefined && said.policy !== undefined)) return;
  const { diagnostics } = lowerSource(source, frontEndOptions(recipe, flags));
  const unknown = diagnostics.filter(({ code }) => code === "unknown-recipe" || code === "unknown-policy");
  if (unknown.length === 0) return;
  const names = `recipe \`${recipe}\` and policy \`${flags.policy}\``;
  throw new DiagnosticError([
    error("packed-mismatch", `${weights} was made with ${names}; \`${source.path}\` does not have both`, undefined, "", [
      ...unknown.flatMap(({ message, help = [] }) => [message, ...help].join("; ")),
      "name the model that it was made from, or another recipe, or another policy with `--policy`",
    ]),
  ]);
}

/** How a model is compiled for its weights. */
export const packedForm = ({ packed }: TrainedModel): "none" | "read" => (packed === undefined ? "none" : "read");

/** Give a session the model's weights, packed ones where it was compiled for them. Answers warnings. */
export const loadWeights = async ({ weights, packed }: TrainedModel, session: Session): Promise<readonly Diagnostic[]> =>
  packed === undefined ? giveWeights(weights, session, { asTheyAre: true }) : givePacked(packed, session, weights);

/** Of a run's folder its latest checkpoint. */
const newest = (path: string): string => latestCheckpoint(path) ?? path;

/** Warn where the texts are no longer those of the run. */
export function warnOfChanges({ sources }: TrainedModel, { manifest }: CompiledArtifact, output: Output): void {
  for (const [path, hash] of Object.entries(sources ?? {})) {
    if ((manifest.sources[path] ?? hash) === hash) continue;
    output.diagnostics([{ severity: "warning", code: "changed-source", message: `\`${path}\` has changed since the run was trained` }]);
  }
}

interface Config {
  readonly command: TrainCommand;
  readonly sources: Readonly<Record<string, string>>;
}

/** A checkpoint lies two folders below its run. */
function readConfig(folder: string): Config {
  const places = [folder, dirname(dirname(folder))].map((place) => join(place, "config.resolved.json"));
  const path = places.find((place) => existsSync(place));
  const refuse = (message: string): never => {
    throw new DiagnosticError([error("no-run", message, undefined, "", ["name the model instead: `FILE RECIPE --weights PATH`"])]);
  };
  if (path === undefined) return refuse(`\`${folder}\` holds no run: it has no \`config.resolved.json\``);
  let config: { readonly command?: unknown; readonly sources?: unknown };
  try {
    config = JSON.parse(readFileSync(path, "utf8"));
  } catch (problem) {
    return refuse(`${path} is damaged (${problem instanceof Error ? problem.message : problem})`);
  }
  const { command, sources } = config;
  if (!isCommand(command)) return refuse(`${path} does not say which model file the run was trained with`);
  if (command.file === "-") return refuse(`the run's model came from the standard input`);
  return { command, sources: isRecord(sources) ? (sources as Config["sources"]) : {} };
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null;
const isCommand = (value: unknown): value is TrainCommand =>
  isRecord(value) && typeof value["file"] === "string" && Array.isArray(value["set"]);
