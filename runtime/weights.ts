// Weights on disk: the safetensors format (8 bytes of header length, a JSON header, the tensors' bytes, all little-endian).
import { readFile } from "node:fs/promises";
import { DiagnosticError, error } from "../ir/diagnostic.ts";

/** Bytes of an element of each dtype that we read and write. */
export const dtypeBytes = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 } as const;
export type Dtype = keyof typeof dtypeBytes;

/** A tensor as it stands in a file: row-major, little-endian. */
export interface SavedTensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface Weights {
  readonly tensors: ReadonlyMap<string, SavedTensor>;
  /** Free text by key (the header's `__metadata__`). */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A safetensors file. The same weights in the same order give the same bytes. */
export function encodeWeights(weights: Weights): Uint8Array {
  const header: Record<string, unknown> = Object.keys(weights.metadata).length > 0 ? { __metadata__: weights.metadata } : {};
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of weights.tensors) {
    const expected = shape.reduce((n, d) => n * d, dtypeBytes[dtype]);
    if (bytes.byteLength !== expected) throw new Error(`tensor ${name}: ${bytes.byteLength} bytes for ${dtype} [${shape.join(", ")}]`);
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.byteLength] };
    end += bytes.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  // Spaces at the end keep the tensors aligned to 8 bytes.
  const headerLength = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + headerLength + end).fill(0x20, 8, 8 + headerLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerLength), true);
  file.set(text, 8);
  let at = 8 + headerLength;
  for (const { bytes } of weights.tensors.values()) {
    file.set(bytes, at);
    at += bytes.byteLength;
  }
  return file;
}

/** Read a file of {@link encodeWeights} or of anybody else. Throws a DiagnosticError `bad-safetensors` that names `path` and says what is wrong. */
export function decodeWeights(file: Uint8Array, path: string): Weights {
  const bad = (message: string): never => {
    throw new DiagnosticError([error("bad-safetensors", `${path}: ${message}`)]);
  };
  if (file.byteLength < 8) bad(`${file.byteLength} bytes are too short for a safetensors file`);
  const headerLength = Number(new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true));
  if (headerLength > file.byteLength - 8)
    bad(`the header says that it has ${headerLength} bytes, but ${file.byteLength - 8} follow: not a safetensors file, or cut off`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, 8 + headerLength)));
  } catch (problem) {
    bad(`the header is not JSON (${problem instanceof Error ? problem.message : problem})`);
  }
  if (!isRecord(header)) return bad("the header is not an object");
  // A plain view: a Buffer's `slice` would not copy.
  const data = new Uint8Array(file.buffer, file.byteOffset + 8 + headerLength, file.byteLength - 8 - headerLength);
  const tensors = new Map<string, SavedTensor>();
  const metadata: Record<string, string> = {};
  const ranges: [begin: number, end: number, name: string][] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (!isRecord(entry)) return bad(`\`${name}\` is not an object`);
    if (name === "__metadata__") {
      for (const [key, value] of Object.entries(entry))
        metadata[key] = typeof value === "string" ? value : bad(`metadata \`${key}\` is not a text`);
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = entry;
    if (typeof dtype !== "string" || !isDtype(dtype)) return bad(`tensor \`${name}\` has the unknown dtype ${JSON.stringify(dtype)}`);
    if (!isSizes(shape)) return bad(`tensor \`${name}\` has no valid shape`);
    if (!isSizes(offsets) || offsets.length !== 2) return bad(`tensor \`${name}\` has no valid data_offsets`);
    const [begin = 0, end = 0] = offsets;
    const expected = shape.reduce((n, d) => n * d, dtypeBytes[dtype]);
    if (end - begin !== expected)
      return bad(`tensor \`${name}\` is ${dtype} [${shape.join(", ")}] of ${expected} bytes, but its data_offsets span ${end - begin}`);
    if (end > data.byteLength) return bad(`tensor \`${name}\` ends at byte ${end} of ${data.byteLength}: the file is cut off`);
    ranges.push([begin, end, name]);
    tensors.set(name, { dtype, shape, bytes: data.subarray(begin, end) });
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let covered = 0;
  for (const [begin, end, name] of ranges) {
    if (begin !== covered) return bad(`tensor \`${name}\` ${begin < covered ? "overlaps the one before it" : "leaves a hole before it"}`);
    covered = end;
  }
  if (covered !== data.byteLength) return bad(`${data.byteLength - covered} bytes at the end belong to no tensor`);
  return { tensors, metadata };
}

/** Read a safetensors file. Throws a DiagnosticError where it is missing (`no-file`) or wrong (`bad-safetensors`). */
export async function readWeights(path: string): Promise<Weights> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (problem) {
    throw new DiagnosticError([error("no-file", `cannot read ${path} (${problem instanceof Error ? problem.message : problem})`)]);
  }
  return decodeWeights(file, path);
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isDtype = (name: string): name is Dtype => Object.hasOwn(dtypeBytes, name);
const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
