// The comparison of weights and layers: what was trained on one side, what is served on the other.

import type { CompiledArtifact } from "../ir/artifact.ts";
import { type Diagnostic, error } from "../ir/diagnostic.ts";
import { weightOfCodes } from "../ir/packed-name.ts";
import { parseType } from "../ir/parse-type.ts";
import { pieceOf } from "../ir/state-piece.ts";
import type { CodesType } from "../ir/type.ts";
import type { HostArray, Outputs, PackedModel } from "../runtime/index.ts";
import { boundShape } from "../runtime/values.ts";
import { firstDifference, withinSums } from "./differences.ts";
import type { LayerOutputs, PackedLayers, ProbedTraining } from "./graphs.ts";
import { decodedRows, type Rows, rotatedRows, unpackCodes } from "./levels.ts";

const missing = (name: string): never => {
  throw new Error(`no output ${name}`);
};

export const outputOf = (outputs: Outputs, name: string): HostArray => outputs[name] ?? missing(name);

/** The types of an entry's outputs that are codes. */
export const outputTypes = ({ manifest }: CompiledArtifact, entry: string): ReadonlyMap<string, CodesType> =>
  new Map(
    (manifest.entries[entry]?.outputs ?? []).flatMap(({ name, type: text }) => {
      const type = parseType(text);
      return type.kind === "codes" ? [[name, type] as const] : [];
    }),
  );

export const sides = { served: "the packed file", trained: "training" };

interface ComparedWeights {
  readonly count: number;
  readonly codes: number;
  readonly scales: number;
  /** `not-equal`, one for each weight that differs. */
  readonly differing: readonly Diagnostic[];
}

/** Codes, scales and offsets of every weight. */
export function compareWeights(training: ProbedTraining, layers: PackedLayers, trained: Outputs, packed: PackedModel): ComparedWeights {
  const types = outputTypes(training.artifact, "train");
  const differing: Diagnostic[] = [];
  const [seen, named] = [new Set<string>(), new Set<string>()];
  let [codes, scales] = [0, 0];
  for (const [i, { site, weight }] of training.layers.entries()) {
    const state = layers.layers[i]?.state ?? missing(site);
    // A weight that the packed model rounds in every run, as training does, is none of the file's.
    const name = weightOfCodes(state);
    if (seen.has(state) || name === undefined) continue;
    seen.add(state);
    named.add(name);
    const type = types.get(weight.codes) ?? missing(weight.codes);
    const served = rowsOf(packed, name, state);
    const { columns, groups } = served;
    const difference =
      firstDifference("code", served.codes, unpackCodes(type, outputOf(trained, weight.codes)), columns, sides) ??
      firstDifference("scale", served.scales, outputOf(trained, weight.scale), groups, sides) ??
      (weight.offset === undefined ? undefined : firstDifference("offset", served.offsets, outputOf(trained, weight.offset), 1, sides));
    if (difference !== undefined) differing.push(error("not-equal", `\`${site}\`: of \`${weight.state}\` ${difference}`));
    codes += served.codes.length;
    scales += served.scales.length;
  }
  for (const name of packed.weights.keys())
    if (!named.has(name)) differing.push(error("not-equal", `\`${name}\` of the packed file is in no layer that training rounds`));
  return { count: seen.size, codes, scales, differing };
}

/** A weight of a packed file, or the rows of it that a piece of its state holds. */
function rowsOf(packed: PackedModel, name: string, state: string) {
  const { codes, scales, scaleShape, declaration, offsets = new Float32Array() } = packed.weights.get(name) ?? missing(name);
  const { columns } = declaration;
  const groups = scaleShape.at(-1) ?? 1;
  const { first, end } = pieceOf(state) ?? { first: 0, end: codes.length / columns };
  return {
    codes: codes.subarray(first * columns, end * columns),
    scales: scales.subarray(first * groups, end * groups),
    offsets: offsets.subarray(first, end),
    columns,
    groups,
  };
}

interface ComparedLayer {
  readonly codes: number;
  readonly outputs: number;
  readonly worst: number;
  readonly difference?: string;
}

/** What an entry gave, with the types of the outputs that are codes. */
export interface TypedOutputs {
  readonly outputs: Outputs;
  readonly types: ReadonlyMap<string, CodesType>;
}

/** Codes of the activation, exactly, and results within what their sums may lose. */
export function compareLayer(of: {
  readonly original: ProbedTraining["layers"][number];
  readonly layer: LayerOutputs;
  readonly trained: TypedOutputs;
  readonly served: TypedOutputs;
  readonly rotation: number | undefined;
}): ComparedLayer {
  const { original, layer, rotation } = of;
  const [trained, served] = [of.trained.outputs, of.served.outputs];
  const theirs = of.trained.types;
  const weightType = theirs.get(original.weight.codes) ?? missing(original.weight.codes);
  const columns = boundShape(weightType).at(-1) ?? 1;
  const weightCodes = unpackCodes(weightType, outputOf(trained, original.weight.codes));
  const weight = decodedRows(weightType, weightCodes, outputOf(trained, original.weight.scale), columns);
  const [mine, other] = [layer.activation, original.activation];
  let activation: Rows;
  let compared = 0;
  if (mine !== undefined && other !== undefined) {
    const type = theirs.get(other.codes) ?? missing(other.codes);
    const codes = unpackCodes(type, outputOf(trained, other.codes));
    const difference = firstDifference(
      "code of the activation",
      unpackCodes(of.served.types.get(mine.codes) ?? missing(mine.codes), outputOf(served, mine.codes)),
      codes,
      columns,
      { served: "the packed model", trained: "training" },
    );
    if (difference !== undefined) return { codes: codes.length, outputs: 0, worst: Number.POSITIVE_INFINITY, difference };
    activation = decodedRows(type, codes, outputOf(trained, other.scale), columns);
    compared = codes.length;
  } else activation = rotatedRows(Float32Array.from(outputOf(trained, original.input)), columns, rotation);
  const results = Float32Array.from(outputOf(trained, original.result));
  const { worst, difference, rows } = withinSums({
    served: Float32Array.from(outputOf(served, layer.result)),
    trained: results,
    activation,
    weight,
    isWeightFirst: original.isWeightFirst,
  });
  const outputs = (rows * weight.values.length) / columns;
  return { codes: compared, outputs, worst, ...(difference === undefined ? {} : { difference }) };
}
