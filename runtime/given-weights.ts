// Weights to begin with instead of drawn ones: parameters by name from a checkpoint or any safetensors file.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { isWeight, type StateRecord } from "../ir/artifact.ts";
import { type Diagnostic, DiagnosticError, error, firstLines, warning } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import { modelFile } from "./checkpoint.ts";
import { latestCheckpoint } from "./checkpoint-history.ts";
import { SavedState, stateFile } from "./checkpoint-state.ts";
import { isPacked, type PackedModel, readPackedModel } from "./packed-file.ts";
import type { Session } from "./session.ts";
import { boundShape } from "./values.ts";
import { decodeWeights, readWeights, type SavedTensor, type Weights } from "./weights.ts";

export interface GivenWeightsOptions {
  /** Parameters that keep their initial values: their names, or paths above them (`lm_head`). All others must be given. */
  readonly fresh?: readonly string[];
  /** The weights are to be used as they are: help for those that do not fit does not speak of fresh ones. */
  readonly asTheyAre?: boolean;
}

/**
 * Replace a session's parameters by those of a file: a safetensors file, a checkpoint, or the latest checkpoint of a run folder. Everything else
 * (moments, the step) stays as it is, so a run begins anew from these weights, under whatever policy. F16, BF16 and F64 are taken as f32. Answers warnings
 * of tensors that the model has no use for. Scales that quantizers learn are not asked for where the file has none of them. Throws a DiagnosticError where a parameter is missing or of another shape (`init-mismatch`), and
 * where the file is missing or damaged; the session is then unchanged.
 */
export async function giveWeights(path: string, session: Session, options: GivenWeightsOptions = {}): Promise<readonly Diagnostic[]> {
  const { parameters, warnings } = await readParameters(path, session.artifact.manifest.state, options);
  for (const [name, array] of parameters) session.writeState(name, array);
  return warnings;
}

/** What of a state says which tensor it takes. */
type Wanted = Pick<StateRecord, "name" | "tied" | "type" | "role">;

/** What {@link giveWeights} gives a session, by the names of the states, for use without one. */
export async function readParameters(
  path: string,
  states: readonly Wanted[],
  options: GivenWeightsOptions = {},
): Promise<{ readonly parameters: ReadonlyMap<string, Float32Array>; readonly warnings: readonly Diagnostic[] }> {
  const weights = await openWeights(path);
  if (isPacked(weights))
    throw new DiagnosticError([
      error("init-mismatch", `${path} holds packed weights: codes, from which parameters cannot be had`, undefined, "", [
        "`eval` and `generate` use packed weights as they are; training begins with a checkpoint or with floats",
      ]),
    ]);
  return matchParameters(path, weights.tensors, states, options);
}

/** What tensors of a file give parameters of a model. Throws a DiagnosticError `init-mismatch`. */
export function matchParameters(
  path: string,
  tensors: Weights["tensors"],
  states: readonly Wanted[],
  options: GivenWeightsOptions = {},
): { readonly parameters: ReadonlyMap<string, Float32Array>; readonly warnings: readonly Diagnostic[] } {
  const parameters = states.filter(isWeight);
  const isNamedFresh = freshness(parameters, options.fresh ?? []);
  // Weights that were trained without these quantizers have none of their scales: they are then measured on the first batch.
  const scales = parameters.filter(({ name }) => name.includes("#"));
  const hasScales = scales.some(({ name }) => tensors.has(name)) || options.asTheyAre === true;
  const isFresh = (record: Wanted) => isNamedFresh(record) || (!hasScales && scales.includes(record));
  const values: (readonly [string, Float32Array])[] = [];
  const wrong: string[] = [];
  const used = new Set<string>();
  for (const record of parameters) {
    const name = [record.name, ...record.tied].find((each) => tensors.has(each)) ?? record.name;
    const saved = tensors.get(name);
    used.add(name);
    if (isFresh(record)) continue;
    const type = parseType(record.type);
    if (saved === undefined) wrong.push(`it has no \`${record.name}\`: ${record.type}`);
    else if (saved.shape.join() !== boundShape(type).join() || type.kind !== "tensor" || type.scalar !== "f32")
      wrong.push(`\`${record.name}\` is ${record.type} in the model and ${saved.dtype} [${saved.shape.join(", ")}] in the file`);
    else {
      const floats = toFloats(saved);
      if (floats === undefined) wrong.push(`\`${record.name}\` is ${saved.dtype} in the file, which is no kind of float`);
      else values.push([record.name, floats]);
    }
  }
  const idle = [...tensors.keys()].filter((name) => !used.has(name));
  if (wrong.length > 0) throw mismatch(path, wrong, idle, options);
  const warnings = idle.length === 0 ? [] : [warning("init-mismatch", `${path} holds what the model has no use for: ${list(idle)}`)];
  return { parameters: new Map(values), warnings };
}

/** The packed model that a file holds, or undefined where it holds something else. Throws a DiagnosticError where it is missing or damaged. */
export async function readPackedFile(path: string): Promise<PackedModel | undefined> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return undefined;
  const weights = await readWeights(path);
  return isPacked(weights) ? readPackedModel(weights, path) : undefined;
}

async function openWeights(path: string): Promise<Weights> {
  if (!existsSync(path)) throw new DiagnosticError([error("no-file", `there is no file or folder \`${path}\``)]);
  if (!statSync(path).isDirectory()) return readWeights(path);
  const checkpoint = existsSync(join(path, stateFile)) ? path : latestCheckpoint(path);
  if (checkpoint !== undefined)
    return decodeWeights(await (await SavedState.read(checkpoint)).bytesOf(modelFile), join(checkpoint, modelFile));
  const help = ["name a safetensors file, a checkpoint (`runs/x/checkpoints/step-000500`), or a run folder"];
  throw new DiagnosticError([error("no-checkpoint", `the folder \`${path}\` is no checkpoint and holds none`, undefined, "", help)]);
}

/** Says of each parameter whether it is to be left alone. Throws a DiagnosticError `init-mismatch` for a path that names none. */
function freshness(parameters: readonly Wanted[], paths: readonly string[]): (record: Wanted) => boolean {
  const below = (record: Wanted, path: string) =>
    [record.name, ...record.tied].some((name) => name === path || name.startsWith(`${path}.`));
  for (const path of paths) {
    if (parameters.some((record) => below(record, path))) continue;
    throw new DiagnosticError([
      error("init-mismatch", `\`--fresh ${path}\` names no parameter of the model`, undefined, "", [
        `it has ${list(parameters.map(({ name }) => name))}`,
      ]),
    ]);
  }
  return (record) => paths.some((path) => below(record, path));
}

/** As many names as are read; the rest is a number. */
const mostShown = 8;

const list = (names: readonly string[]): string =>
  `${names
    .slice(0, mostShown)
    .map((name) => `\`${name}\``)
    .join(", ")}${names.length > mostShown ? ` and ${names.length - mostShown} more` : ""}`;

function mismatch(path: string, wrong: readonly string[], idle: readonly string[], { asTheyAre }: GivenWeightsOptions): DiagnosticError {
  return new DiagnosticError([
    error("init-mismatch", `${path} does not hold this model's weights`, undefined, "", [
      ...firstLines(wrong),
      ...(idle.length > 0 ? [`it holds what the model has no use for: ${list(idle)}`] : []),
      ...(asTheyAre === true ? [] : ["`--fresh PATH` lets parameters begin with their initial values"]),
    ]),
  ]);
}

/** The elements as f32, or undefined for what are no floats. */
function toFloats({ dtype, bytes }: SavedTensor): Float32Array | undefined {
  const { buffer } = bytes.slice();
  switch (dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F64":
      return Float32Array.from(new Float64Array(buffer));
    case "F16":
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    case "BF16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    default:
      return undefined;
  }
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
