// Packed files: a quantized model as it is served. One safetensors file with the codes and scales of quantized weights, everything else as
// f32, and in its metadata what the codes mean: bits, grid, rotation.
import { type Check, listOf, objectOf, oneOf, optional, text, whole } from "../ir/check.ts";
import { DiagnosticError, error, Rejection } from "../ir/diagnostic.ts";
import { type PackedPart, packedName } from "../ir/packed-name.ts";
import { packSparseRow, unpackSparseRow } from "../ir/quant/sparse-packing.ts";
import { type Grid, grids } from "../ir/type.ts";
import type { SavedTensor, Weights } from "./weights.ts";

const format = "bitloom-packed";
const version = "1";

/** What codes of some weights mean; weights of equal meaning share one declaration. */
export interface PackedDeclaration {
  /** Bits of a stored code, in two's complement; ternary codes have 2, pruned ones those of the levels that stay. */
  readonly bits: number;
  readonly grid: Grid;
  /** `hadamard(128)`: Walsh-Hadamard transform of blocks of 128 along the row, orthonormal, before rounding; or `none`. */
  readonly rotation: string;
  /** Elements of a row. Rows are as many as the scales' first axes say. */
  readonly columns: number;
  /** Of pruned rows: elements that stay or go together, of each four of which two stay. */
  readonly unit?: 1 | 2;
  /** Elements are what codes and scales say, plus a number for each row. */
  readonly offset?: "row";
  readonly weights: readonly string[];
}

/** A quantized weight. */
export interface PackedWeight {
  readonly declaration: Omit<PackedDeclaration, "weights">;
  /** Row-major, one code an element. */
  readonly codes: Int32Array;
  /** One for each row, or for each group of a row: [rows, groups]. */
  readonly scales: Float32Array;
  readonly scaleShape: readonly number[];
  /** One for each row, where the declaration says that there are some. */
  readonly offsets?: Float32Array;
}

/** What a packed file says about its model. */
export interface PackedAbout {
  readonly model: string;
  readonly policy: string;
  readonly recipe?: string;
}

export interface PackedModel {
  readonly about: PackedAbout;
  readonly weights: ReadonlyMap<string, PackedWeight>;
  /** F32, by name. */
  readonly parameters: ReadonlyMap<string, SavedTensor>;
}

/** Whether a safetensors file is a packed one. */
export const isPacked = ({ metadata }: Weights): boolean => metadata["format"] === format;

export const rotationName = (block: number | undefined): string => (block === undefined ? "none" : `hadamard(${block})`);

/** The file's content. Codes of a weight are one stream of bits, `bits` each, low end first, without padding between rows. */
export function packedWeights({ about, weights, parameters }: PackedModel): Weights {
  const tensors = new Map<string, SavedTensor>();
  for (const [name, { declaration, codes, scales, scaleShape, offsets }] of weights) {
    const set = (part: PackedPart, tensor: SavedTensor) => tensors.set(packedName(name, part), tensor);
    for (const [part, bytes] of storedCodes(declaration, codes)) set(part, { dtype: "U8", shape: [bytes.length], bytes });
    const floats = (part: PackedPart, values: Float32Array, shape: readonly number[]) =>
      set(part, { dtype: "F32", shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) });
    floats("scale", scales, scaleShape);
    if (offsets !== undefined) floats("offset", offsets, [...scaleShape.slice(0, -1), 1]);
  }
  for (const [name, tensor] of parameters) tensors.set(name, tensor);
  const declared = Map.groupBy(weights, ([, { declaration }]) => JSON.stringify(declaration));
  const declarations = [...declared.values()].map(
    (alike): PackedDeclaration => ({ ...(alike[0]?.[1].declaration ?? missing()), weights: alike.map(([name]) => name) }),
  );
  const { model, policy, recipe } = about;
  const said = { model, policy, ...(recipe === undefined ? {} : { recipe }) };
  return { tensors, metadata: { format, version, ...said, codes: JSON.stringify(declarations) } };
}

/** The streams of a weight. */
function storedCodes({ bits, unit }: PackedWeight["declaration"], codes: Int32Array): readonly (readonly [PackedPart, Uint8Array])[] {
  if (unit === undefined) return [["codes", toBits(codes, bits)]];
  // Groups never straddle rows, so all rows are like one.
  const { levels, units } = packSparseRow(codes, { unit, levelBits: bits });
  const stream = (words: Uint32Array, fields: number): Uint8Array => new Uint8Array(words.buffer).slice(0, Math.ceil(fields / 8));
  return [
    ["codes", stream(levels, (codes.length / 2) * bits)],
    ["kept", stream(units, codes.length / unit)],
  ];
}

const missing = (): never => {
  throw new Error("a declaration of no weights");
};

const declaration: Check<PackedDeclaration> = objectOf<PackedDeclaration>({
  bits: whole(1, 8),
  grid: oneOf(...grids),
  rotation: text,
  columns: whole(1),
  unit: optional(oneOf(1, 2)),
  offset: optional(oneOf("row")),
  weights: listOf(text),
});

/** What a packed file holds. Throws a DiagnosticError `bad-packed` that names `path` where it says too little, or what it says does not fit. */
export function readPackedModel({ tensors, metadata }: Weights, path: string): PackedModel {
  const bad = (message: string): never => {
    throw new DiagnosticError([error("bad-packed", `${path}: ${message}`)]);
  };
  const said = (key: string): string => metadata[key] ?? bad(`its metadata have no \`${key}\``);
  if (said("format") !== format) bad(`its format is \`${metadata["format"]}\`, not \`${format}\``);
  if (said("version") !== version) bad(`it has version ${metadata["version"]}, this Bitloom reads version ${version}`);
  const weights = new Map<string, PackedWeight>();
  const used = new Set<string>();
  const take = (name: string): SavedTensor => {
    used.add(name);
    return tensors.get(name) ?? bad(`it has no tensor \`${name}\``);
  };
  for (const { weights: names, ...of } of declarationsOf(said("codes"), bad)) {
    for (const name of names) {
      const takeOf = (part: PackedPart): SavedTensor => take(packedName(name, part));
      const [codes, scale] = [takeOf("codes"), takeOf("scale")];
      if (scale.dtype !== "F32" || scale.shape.length < 2)
        return bad(`\`${packedName(name, "scale")}\` is ${scale.dtype} [${scale.shape.join(", ")}], not F32 by rows`);
      const rows = scale.shape.slice(0, -1).reduce((n, d) => n * d, 1);
      const count = rows * of.columns;
      const numbers = {
        ...scaleOf(scale),
        ...(of.offset === undefined ? {} : { offsets: offsetsOf(name, rows, takeOf("offset"), bad) }),
      };
      if (of.unit !== undefined) {
        const kept = takeOf("kept");
        weights.set(name, { ...numbers, declaration: of, codes: prunedCodes(name, of, count, codes.bytes, kept.bytes, bad) });
        continue;
      }
      const bytes = Math.ceil((count * of.bits) / 8);
      if (codes.bytes.length !== bytes)
        return bad(
          `\`${packedName(name, "codes")}\` has ${codes.bytes.length} bytes: ${rows} rows of ${of.columns} codes of ${of.bits} bits are ${bytes}`,
        );
      weights.set(name, { ...numbers, declaration: of, codes: fromBits(codes.bytes, of.bits, count) });
    }
  }
  const parameters = new Map([...tensors].filter(([name]) => !used.has(name)));
  const { recipe } = metadata;
  const about = { model: said("model"), policy: said("policy"), ...(recipe === undefined ? {} : { recipe }) };
  return { about, weights, parameters };
}

const scaleOf = ({ bytes, shape }: SavedTensor): Pick<PackedWeight, "scales" | "scaleShape"> => ({
  scales: new Float32Array(bytes.slice().buffer),
  scaleShape: shape,
});

function offsetsOf(name: string, rows: number, { dtype, shape, bytes }: SavedTensor, bad: (message: string) => never): Float32Array {
  if (dtype !== "F32" || shape.reduce((n, d) => n * d, 1) !== rows)
    return bad(`\`${packedName(name, "offset")}\` is ${dtype} [${shape.join(", ")}], not F32 for ${rows} rows`);
  return new Float32Array(bytes.slice().buffer);
}

/** Half of a weight's elements as levels, and which of them those are. */
function prunedCodes(
  name: string,
  { bits, unit = 1 }: PackedWeight["declaration"],
  count: number,
  levels: Uint8Array,
  units: Uint8Array,
  bad: (message: string) => never,
): Int32Array {
  const expected = [Math.ceil(((count / 2) * bits) / 8), Math.ceil(count / unit / 8)];
  if (count % (4 * unit) !== 0) return bad(`\`${name}\` has ${count} elements, which are not groups of ${4 * unit}`);
  if (levels.length !== expected[0] || units.length !== expected[1])
    return bad(
      `\`${name}\` has ${levels.length} bytes of codes and ${units.length} of which stay: for ${count} elements they are ${expected.join(" and ")}`,
    );
  const words = (bytes: Uint8Array): Uint32Array => {
    const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    whole.set(bytes);
    return new Uint32Array(whole.buffer);
  };
  return unpackSparseRow({ levels: words(levels), units: words(units) }, count, { unit, levelBits: bits });
}

function declarationsOf(json: string, bad: (message: string) => never): readonly PackedDeclaration[] {
  let declared: unknown;
  try {
    declared = JSON.parse(json);
    return listOf(declaration)(declared, "codes");
  } catch (problem) {
    if (!(problem instanceof Rejection || problem instanceof SyntaxError)) throw problem;
    return bad(`its metadata \`codes\`: ${withWeights(problem.message, declared)}`);
  }
}

/** A place in the declarations (`codes[3].rotation`), with the weights that it is about: people look for names. */
const withWeights = (message: string, declared: unknown): string =>
  message.replace(/`codes\[(\d+)\][^`]*`/, (place, at) => {
    const { weights } = (Array.isArray(declared) ? declared[Number(at)] : undefined) ?? {};
    const [first, ...more] = Array.isArray(weights) ? weights : [];
    if (typeof first !== "string") return place;
    return `${place} of \`${first}\`${more.length === 0 ? "" : ` and ${more.length} more`}`;
  });

/** Codes as a stream of bits, low end first. */
export function toBits(codes: ArrayLike<number>, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((codes.length * bits) / 8));
  const mask = 2 ** bits - 1;
  for (let i = 0; i < codes.length; i++) {
    const at = i * bits;
    const shifted = ((codes[i] ?? 0) & mask) << (at & 7);
    const byte = at >>> 3;
    bytes[byte] = (bytes[byte] ?? 0) | shifted;
    if (shifted > 0xff) bytes[byte + 1] = shifted >>> 8;
  }
  return bytes;
}

/** The codes of {@link toBits}, signs extended. */
export function fromBits(bytes: Uint8Array, bits: number, count: number): Int32Array {
  const codes = new Int32Array(count);
  const unused = 32 - bits;
  for (let i = 0; i < count; i++) {
    const at = i * bits;
    const byte = at >>> 3;
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    codes[i] = ((pair >>> (at & 7)) << unused) >> unused;
  }
  return codes;
}
