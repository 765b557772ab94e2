// Tensors that the command line is given and gives back: files, literals, and what a person reads of them.
import { existsSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { DiagnosticError, error, Rejection } from "../ir/diagnostic.ts";
import { packValues, unpackValues } from "../ir/packing.ts";
import { elementCount, isBits, printType, shapeOf, type Type } from "../ir/type.ts";
import { convert, decodeNpy, decodeWeights, type HostArray, type SavedTensor } from "../runtime/index.ts";

/** A tensor before it is known as which type it is taken. */
export interface GivenTensor {
  /** Where it stands, for messages. */
  readonly at: string;
  readonly shape: readonly number[];
  readonly content:
    | { readonly kind: "file"; readonly tensor: SavedTensor }
    | { readonly kind: "literal"; readonly numbers: readonly number[] };
}

const bad = (message: string, help: readonly string[] = []): never => {
  throw new DiagnosticError([error("bad-input", message, undefined, "", help)]);
};

/**
 * The tensors that texts after `--input` name: `x=x.npy`, `x=x.safetensors` (its tensor `x`, or its only one), `x=[[1, 2], [3, 4]]`, or
 * `all.safetensors` for every tensor of a file. Throws a DiagnosticError `bad-input`.
 */
export function readInputs(texts: readonly string[]): ReadonlyMap<string, GivenTensor> {
  const given = new Map<string, GivenTensor>();
  const add = (name: string, tensor: GivenTensor): void => {
    if (given.has(name)) bad(`\`${name}\` is given twice: ${given.get(name)?.at}, ${tensor.at}`);
    given.set(name, tensor);
  };
  for (const text of texts) {
    const [, name, value = ""] = /^([A-Za-z_][\w.]*)=(.*)$/s.exec(text) ?? [];
    if (name !== undefined) add(name, isFile(value) ? fromFile(name, value) : fromLiteral(text, value));
    else if (extname(text) === ".safetensors") for (const [each, tensor] of tensorsOf(text)) add(each, located(`${text}: ${each}`, tensor));
    else bad(`\`${text}\` is no input`, ["write `--input x=x.npy`, `--input x=[1, 2]`, or `--input all.safetensors`"]);
  }
  return given;
}

const isFile = (value: string): boolean => [".safetensors", ".npy"].includes(extname(value));
const located = (at: string, tensor: SavedTensor): GivenTensor => ({ at, shape: tensor.shape, content: { kind: "file", tensor } });

function fromFile(name: string, path: string): GivenTensor {
  if (extname(path) === ".npy") return located(path, decodeNpy(bytesOf(path), path));
  const tensors = tensorsOf(path);
  const [only, ...others] = tensors.values();
  const tensor = tensors.get(name) ?? (others.length === 0 ? only : undefined);
  return located(path, tensor ?? bad(`${path} has no tensor \`${name}\``, [`it has ${[...tensors.keys()].join(", ") || "none"}`]));
}

const tensorsOf = (path: string) => decodeWeights(bytesOf(path), path).tensors;

function bytesOf(path: string): Uint8Array {
  if (!existsSync(path)) throw new DiagnosticError([error("no-file", `there is no file \`${path}\``)]);
  return readFileSync(path);
}

/** A number or nested lists of them, as JSON writes them. */
function fromLiteral(at: string, text: string): GivenTensor {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad(`\`${at}\` is neither a file (.npy, .safetensors) nor numbers`, ["numbers look like `3`, `[1, 2]` or `[[1.5, 2], [3, 4]]`"]);
  }
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const numbers = (Array.isArray(value) ? value.flat(shape.length) : [value]) as readonly unknown[];
  const isRegular = (part: unknown, depth: number): boolean =>
    depth === shape.length
      ? typeof part === "number"
      : Array.isArray(part) && part.length === shape[depth] && part.every((item) => isRegular(item, depth + 1));
  if (!isRegular(value, 0)) bad(`\`${at}\` is no tensor: its lists have different lengths, or hold something else than numbers`);
  return { at, shape, content: { kind: "literal", numbers: numbers as readonly number[] } };
}

/** One number an element. */
export type Numbers = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** The elements as a type takes them, bits and codes one a number. Throws a DiagnosticError `bad-input` for a value that would change. */
export function numbersOf({ at, content }: GivenTensor, type: Type): Numbers {
  const isFloat = type.kind === "tensor" && type.scalar === "f32";
  if (!isFloat && type.kind === "tensor" && (type.scalar === "f16" || type.scalar === "bf16"))
    bad(`inputs of type ${printType(type)} are not read`);
  try {
    if (content.kind === "file") return convert(content.tensor, isFloat ? "f32" : "i32");
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    bad(`${at}: ${problem.message}`, problem.help);
  }
  const { numbers } = content.kind === "literal" ? content : { numbers: [] };
  const kept = isFloat ? Float32Array.from(numbers) : Int32Array.from(numbers);
  const changed = isFloat ? -1 : numbers.findIndex((value, i) => value !== kept[i]);
  return changed < 0 ? kept : bad(`${at}: ${numbers[changed]} is no i32`);
}

/** As a session takes them: bits and codes in words. */
export function toHost(type: Type, numbers: Numbers): HostArray {
  if (type.kind === "codes" || isBits(type)) return new Uint32Array(packValues(type, numbers));
  switch (type.scalar) {
    case "u32":
      return Uint32Array.from(numbers);
    case "i8":
      return Int8Array.from(numbers);
    case "u8":
      return Uint8Array.from(numbers);
    default:
      return numbers;
  }
}

/** As {@link numbersOf} gives them, from what a session gives. */
export function fromHost(type: Type, values: HostArray): Numbers {
  if (isBits(type)) return unpackValues(type, values.buffer);
  return values instanceof Int8Array || values instanceof Uint16Array ? Int32Array.from(values) : values;
}

/** As a file holds it. */
export function toSaved(type: Type, numbers: Numbers): SavedTensor {
  const shape = shapeOf(type);
  const saved = (dtype: SavedTensor["dtype"], values: Numbers | Int8Array): SavedTensor => ({
    dtype,
    shape,
    bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  });
  if (type.kind === "codes") return saved("I8", Int8Array.from(numbers));
  switch (type.scalar) {
    case "f32":
      return saved("F32", Float32Array.from(numbers));
    case "i32":
      return saved("I32", Int32Array.from(numbers));
    case "u32":
      return saved("U32", Uint32Array.from(numbers));
    case "i8":
      return saved("I8", Int8Array.from(numbers));
    case "u8":
      return saved("U8", Uint8Array.from(numbers));
    case "bool":
    case "b1":
      return saved("BOOL", Uint8Array.from(numbers));
    case "f16":
    case "bf16":
      return saved("F32", Float32Array.from(numbers));
    default:
      return type.scalar satisfies never;
  }
}

const shownElements = 6;

/** `logits: f32[1, 8]  min -1.2, mean 0.1, max 2.5  [0.3, -1.2, ...]` */
export function summary(name: string, type: Type, numbers: Numbers): string {
  const print = (x: number) => (Number.isInteger(x) ? String(x) : x.toPrecision(6));
  if (numbers.length === 1) return `${name}: ${printType(type)}  ${print(numbers[0] ?? 0)}`;
  let [least, most, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const x of numbers) {
    least = Math.min(least, x);
    most = Math.max(most, x);
    sum += x;
  }
  const first = Array.from(numbers.subarray(0, shownElements), print).join(", ");
  const rest = elementCount(shapeOf(type)) > shownElements ? ", ..." : "";
  return `${name}: ${printType(type)}  min ${print(least)}, mean ${print(sum / numbers.length)}, max ${print(most)}  [${first}${rest}]`;
}
