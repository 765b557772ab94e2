// The elements of long constants, kept beside IR text in one safetensors file, as f64 so that nothing is lost.
import { createHash } from "node:crypto";
import { reject } from "../diagnostic.ts";
import type { ConstantReference } from "./print.ts";

/** Collects constants while a module prints (see PrintOptions); equal ones are kept once. */
export class ConstantFile {
  readonly #data: string;
  readonly #tensors = new Map<string, Float64Array>();

  /** `data` is the file's name as it stands in the text. */
  constructor(data: string) {
    this.#data = data;
  }

  readonly add = (values: readonly number[]): ConstantReference => {
    const elements = Float64Array.from(values);
    const sha256 = createHash("sha256").update(littleEndian(elements)).digest("hex");
    this.#tensors.set(sha256, elements);
    return { sha256, data: this.#data };
  };

  get isEmpty(): boolean {
    return this.#tensors.size === 0;
  }

  /** The file: 8 bytes of header length, a JSON header, the elements (the safetensors format). */
  bytes(): Uint8Array {
    const header: Record<string, unknown> = {};
    let at = 0;
    for (const [sha256, { length, byteLength }] of this.#tensors) {
      header[sha256] = { dtype: "F64", shape: [length], data_offsets: [at, at + byteLength] };
      at += byteLength;
    }
    const text = new TextEncoder().encode(JSON.stringify(header));
    const padded = Math.ceil(text.length / 8) * 8;
    const bytes = new Uint8Array(8 + padded + at).fill(0x20, 8, 8 + padded);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
    bytes.set(text, 8);
    let to = 8 + padded;
    for (const elements of this.#tensors.values()) {
      bytes.set(littleEndian(elements), to);
      to += elements.byteLength;
    }
    return bytes;
  }
}

/** The constants in a file that {@link ConstantFile.bytes} wrote, by hash. Rejects a file that is none, or whose elements do not match their hash. */
export function readConstants(bytes: Uint8Array): ReadonlyMap<string, readonly number[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = bytes.length < 8 ? -1 : Number(view.getBigUint64(0, true));
  if (length < 0 || 8 + length > bytes.length) return reject("is no safetensors file");
  const header = parseHeader(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const found = new Map<string, readonly number[]>();
  for (const [sha256, record] of Object.entries(header)) {
    const [from, to] = offsetsOf(record);
    if (from === undefined || to === undefined || to < from || (to - from) % 8 !== 0 || 8 + length + to > bytes.length) {
      return reject(`has a constant ${sha256} that is no list of f64`);
    }
    const raw = bytes.subarray(8 + length + from, 8 + length + to);
    if (createHash("sha256").update(raw).digest("hex") !== sha256) return reject(`has a constant ${sha256} whose elements have another hash`);
    const at = 8 + length + from;
    found.set(sha256, Array.from({ length: (to - from) / 8 }, (_, i) => view.getFloat64(at + 8 * i, true)));
  }
  return found;
}

function parseHeader(text: string): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(text);
    if (typeof header === "object" && header !== null) return header as Readonly<Record<string, unknown>>;
  } catch {
    // Falls through to the one message.
  }
  return reject("has a header that is no JSON object");
}

function offsetsOf(record: unknown): readonly (number | undefined)[] {
  if (typeof record !== "object" || record === null || !("data_offsets" in record) || !("dtype" in record) || record.dtype !== "F64") return [];
  const offsets: unknown = record.data_offsets;
  return Array.isArray(offsets) ? offsets.map((v: unknown) => (typeof v === "number" && Number.isInteger(v) && v >= 0 ? v : undefined)) : [];
}

function littleEndian(elements: Float64Array): Uint8Array {
  const bytes = new Uint8Array(elements.byteLength);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of elements.entries()) view.setFloat64(8 * i, value, true);
  return bytes;
}
