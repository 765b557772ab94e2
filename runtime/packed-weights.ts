// Packed weights and sessions: what `@pack` made becomes a packed model, and a session on packed state takes one.
import { type CompiledArtifact, isWeight, packEntry, type StateRecord } from "../ir/artifact.ts";
import { type Diagnostic, DiagnosticError, error, firstLines } from "../ir/diagnostic.ts";
import { type PackedPart, packedName, weightOfCodes } from "../ir/packed-name.ts";
import { packValues, unpackValues } from "../ir/packing.ts";
import { parseType } from "../ir/parse-type.ts";
import { levelBitsOf } from "../ir/quant/sparse-packing.ts";
import type { CodesType } from "../ir/type.ts";
import { matchParameters } from "./given-weights.ts";
import { type PackedModel, type PackedWeight, rotationName } from "./packed-file.ts";
import type { Session } from "./session.ts";
import { boundShape, hostLength } from "./values.ts";
import type { SavedTensor } from "./weights.ts";

/** A weight that an artifact has as codes. */
interface PackedState {
  /** `layers.0.attn.wq.weight`; with `#2` behind it for a second way of rounding the same weight. */
  readonly weight: string;
  readonly codes: StateRecord;
  readonly type: CodesType;
  readonly scale: StateRecord;
  readonly offset?: StateRecord;
}

function packedStates({ manifest }: CompiledArtifact): readonly PackedState[] {
  return manifest.state.flatMap((codes) => {
    const type = parseType(codes.type);
    if (type.kind !== "codes") return [];
    const weight = weightOfCodes(codes.name);
    const beside = (part: PackedPart) => manifest.state.find(({ name }) => weight !== undefined && name === packedName(weight, part));
    const [scale, offset] = [beside("scale"), beside("offset")];
    if (weight === undefined || scale === undefined) throw new Error(`no scales of ${codes.name}`);
    return [{ weight, codes, type, scale, ...(offset === undefined ? {} : { offset }) }];
  });
}

/**
 * The packed model of a session on entry `@pack`, which runs once, and of the parameters that are served as they are.
 * `served` is the artifact that reads codes: its parameters are those that are kept as f32.
 */
export async function packSession(
  session: Session,
  served: CompiledArtifact,
  parameters: ReadonlyMap<string, Float32Array>,
): Promise<PackedModel> {
  await session.run(packEntry);
  const weights = new Map<string, PackedWeight>();
  for (const state of packedStates(session.artifact)) {
    const { weight, codes, type, scale, offset } = state;
    const [words, scales] = [await session.readState(codes.name), await session.readState(scale.name)];
    const values = Int32Array.from(unpackValues(type, words.buffer, words.byteOffset));
    weights.set(weight, {
      declaration: { ...declarationOf(state), ...(type.grid === "sparse_half" ? { unit: unitOf(values) } : {}) },
      ...(offset === undefined ? {} : { offsets: Float32Array.from(await session.readState(offset.name)) }),
      codes: values,
      scales: Float32Array.from(scales),
      scaleShape: boundShape(parseType(scale.type)),
    });
  }
  const kept = served.manifest.state.filter(isWeight);
  const tensors = kept.map(({ name, type }): readonly [string, SavedTensor] => {
    const values = parameters.get(name);
    if (values === undefined) throw new Error(`no values of ${name}`);
    return [
      name,
      { dtype: "F32", shape: boundShape(parseType(type)), bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) },
    ];
  });
  const { model, policy, recipe } = served.manifest;
  return { about: { model, policy, ...(recipe === undefined ? {} : { recipe }) }, weights, parameters: new Map(tensors) };
}

/** Whether pairs stay or go together, as the codes themselves show: levels that stay are odd, so zero is a pruned element's alone. */
const unitOf = (codes: Int32Array): 1 | 2 => (codes.every((code, i) => (code === 0) === (codes[i ^ 1] === 0)) ? 2 : 1);

const declarationOf = ({ type, codes, offset }: PackedState): PackedWeight["declaration"] => ({
  bits: type.grid === "sparse_half" ? levelBitsOf(type.bits) : type.bits,
  grid: type.grid,
  rotation: rotationName(codes.rotation),
  columns: boundShape(type).at(-1) ?? 0,
  ...(offset === undefined ? {} : { offset: "row" }),
});

/**
 * Give a session on packed state the weights of a packed model. Answers warnings of tensors that it has no use for. Throws a DiagnosticError
 * where something is missing or means something else: another grid, another rotation, other sizes (`packed-mismatch`), parameters of another
 * shape (`init-mismatch`); the session is then unchanged.
 */
export function givePacked(packed: PackedModel, session: Session, path: string): readonly Diagnostic[] {
  const states = packedStates(session.artifact);
  const wrong = states.flatMap((state) => differences(state, packed.weights.get(state.weight)));
  const known = new Set(states.map(({ weight }) => weight));
  for (const name of packed.weights.keys()) if (!known.has(name)) wrong.push(`the model has no packed \`${name}\``);
  if (wrong.length > 0) throw mismatch(path, [...otherNames(packed.about, session.artifact.manifest), ...wrong]);
  const { parameters, warnings } = matchParameters(path, packed.parameters, session.artifact.manifest.state, { asTheyAre: true });
  for (const { weight, codes, type, scale, offset } of states) {
    const { codes: values, scales, offsets } = packed.weights.get(weight) ?? missing(weight);
    session.writeState(codes.name, new Uint32Array(packValues(type, values), 0, hostLength(type, codes.bytes)));
    session.writeState(scale.name, scales);
    if (offset !== undefined) session.writeState(offset.name, offsets ?? missing(offset.name));
  }
  for (const [name, array] of parameters) session.writeState(name, array);
  return warnings;
}

const missing = (name: string): never => {
  throw new Error(`no packed ${name}`);
};

/** What keeps a packed weight from being the model's, in words. */
function differences(state: PackedState, packed: PackedWeight | undefined): string[] {
  const { weight, codes, scale } = state;
  if (packed === undefined) return [`it has no codes of \`${weight}\`: ${codes.type}`];
  const { bits, grid, rotation, columns, offset = "none" } = packed.declaration;
  const model = declarationOf(state);
  const found: string[] = [];
  const compare = (what: string, theirs: string | number, ours: string | number) => {
    if (theirs !== ours) found.push(`\`${weight}\`: ${what} is ${theirs} in the file and ${ours} in the model`);
  };
  compare("the rotation", rotation, model.rotation);
  compare("the grid", grid, model.grid);
  compare("bits of a code", bits, model.bits);
  compare("elements of a row", columns, model.columns);
  compare("the offset", offset, model.offset ?? "none");
  compare("the shape of the scales", `[${packed.scaleShape.join(", ")}]`, `[${boundShape(parseType(scale.type)).join(", ")}]`);
  return found;
}

/** Where the file's names say why it differs. */
function otherNames(
  theirs: PackedModel["about"],
  { model, policy }: Pick<CompiledArtifact["manifest"], "model" | "policy">,
): readonly string[] {
  const found: string[] = [];
  if (theirs.policy !== policy) found.push(`the policy is \`${theirs.policy}\` in the file and \`${policy}\` here`);
  // `Llama(vocab = 256, dim = 64)`: parameters that are alike tell nothing.
  const [file, here] = [theirs.model, model].map((text) => text.replace(/\)$/, "").split(/[(,] ?/));
  const unlike = (these: readonly string[] = [], those: readonly string[] = []) => these.filter((part) => !those.includes(part)).join(", ");
  const [before, now] = [unlike(file, here), unlike(here, file)].map((parts) => parts || "fewer parameters");
  if (theirs.model !== model) found.push(`the model has ${before} in the file and ${now} here: \`--set\` makes them alike`);
  return found;
}

function mismatch(path: string, wrong: readonly string[]): DiagnosticError {
  return new DiagnosticError([
    error("packed-mismatch", `${path} does not hold this model's packed weights`, undefined, "", [
      ...firstLines(wrong),
      "codes mean what model and policy say: take those that the file was made with",
    ]),
  ]);
}
