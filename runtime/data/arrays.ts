// Arrays in files as data: .npy and safetensors, one example along each first axis.
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { type DiagnosticCode, DiagnosticError, error, Rejection } from "../../ir/diagnostic.ts";
import { permutation } from "../philox.ts";
import { decodeWeights, type SavedTensor } from "../weights.ts";
import { convert } from "./convert.ts";
import type { Argument, Arguments, DataSource, Dataset, Field, Split, WantedArray } from "./dataset.ts";
import { decodeNpy } from "./npy.ts";

const heldOutShare = 0.05;
/** The split never depends on a run's seed: results of different runs compare. */
const splitSeed = 1998;

export const arrays: DataSource = {
  name: "arrays",
  summary:
    'arrays f32 or i32 from files, the first axis being the examples: `arrays("x.npy", "y.npy")` in the recipe\'s order, or `arrays("data.safetensors")` by the recipe\'s names; `held_out = 0.05` is the share of examples held out, drawn once for all runs',
  async open(args, named, wanted) {
    const { paths, heldOut } = readCall(args, named);
    const found = assign(await Promise.all(paths.map(readArrays)), wanted);
    return split(found.map(prepare), heldOut);
  },
};

/** A tensor and where it stands, for messages. */
interface Located {
  readonly at: string;
  readonly tensor: SavedTensor;
}
type FileArrays =
  | { readonly kind: "one"; readonly array: Located }
  | { readonly kind: "named"; readonly arrays: ReadonlyMap<string, Located> };

const refuse = (code: DiagnosticCode, message: string, help: readonly string[] = []): never => {
  throw new DiagnosticError([error(code, message, undefined, "", help)]);
};

function readCall(args: readonly Argument[], named: Arguments): { readonly paths: readonly string[]; readonly heldOut: number } {
  const bad = (message: string): never => refuse("bad-source", message, ['write `arrays("images.npy", "labels.npy", held_out = 0.05)`']);
  const paths = args.map((path) => (typeof path === "string" ? path : bad(`\`arrays\` takes paths, not ${path}`)));
  if (paths.length === 0) bad("`arrays` takes the paths of its files");
  let heldOut = heldOutShare;
  for (const [name, value] of Object.entries(named)) {
    if (name !== "held_out") return bad(`\`arrays\` has no argument \`${name}\`; it has \`held_out\``);
    if (typeof value !== "number" || !(value > 0 && value < 1)) return bad(`\`held_out\` is a share between 0 and 1, not ${value}`);
    heldOut = value;
  }
  return { paths, heldOut };
}

async function readArrays(path: string): Promise<FileArrays> {
  const ending = extname(path);
  if (ending !== ".npy" && ending !== ".safetensors") return refuse("bad-source", `\`${path}\` ends neither in .npy nor in .safetensors`);
  const file = await readFile(path).catch((problem: unknown) =>
    refuse("no-file", `cannot read \`${path}\` (${problem instanceof Error ? problem.message : problem})`, [
      "paths are relative to the working directory",
    ]),
  );
  if (ending === ".npy") return { kind: "one", array: { at: path, tensor: decodeNpy(file, path) } };
  const { tensors } = decodeWeights(file, path);
  return { kind: "named", arrays: new Map(Array.from(tensors, ([name, tensor]) => [name, { at: `${path}: tensor \`${name}\``, tensor }])) };
}

/** The recipe's arrays: by name where a safetensors file has it, the others from the .npy files in their order. */
function assign(files: readonly FileArrays[], wanted: readonly WantedArray[]): readonly (Located & { readonly want: WantedArray })[] {
  const named = new Map<string, Located>();
  for (const file of files) {
    if (file.kind !== "named") continue;
    for (const [name, array] of file.arrays) {
      const other = named.get(name);
      if (other !== undefined) refuse("bad-source", `\`${name}\` is in two files: ${other.at}, ${array.at}`);
      named.set(name, array);
    }
  }
  const inOrder = files.flatMap((file) => (file.kind === "one" ? [file.array] : []));
  let next = 0;
  const found = wanted.map((want) => {
    const names = named.size === 0 ? "" : `; the safetensors files have ${[...named.keys()].map((name) => `\`${name}\``).join(", ")}`;
    const array =
      named.get(want.name) ?? inOrder[next++] ?? refuse("data-shape", `no file of \`arrays\` has the recipe's \`${want.name}\`${names}`);
    return { ...array, want };
  });
  if (next < inOrder.length) refuse("data-shape", `${inOrder[next]?.at} is no array of the recipe, which has ${wanted.length}`);
  return found;
}

interface Prepared {
  readonly at: string;
  readonly count: number;
  readonly field: Field;
  readonly stride: number;
  readonly values: Float32Array | Int32Array;
}

function prepare({ at, tensor, want: { type } }: Located & { readonly want: WantedArray }): Prepared {
  const [count, ...shape] = tensor.shape;
  if (count === undefined) return refuse("data-shape", `${at} is a single number, no array of examples`);
  const isFloat = /F(16|32|64)$/.test(tensor.dtype);
  const scalar = type?.kind === "tensor" ? (type.scalar === "f32" ? "f32" : "i32") : isFloat ? "f32" : "i32";
  const stride = shape.reduce((n, size) => n * size, 1);
  try {
    return { at, count, stride, field: { scalar, shape, padding: scalar === "f32" ? 0 : -1 }, values: convert(tensor, scalar) };
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    return refuse("data-value", `${at}: ${problem.message}`, problem.help);
  }
}

function split(parts: readonly Prepared[], heldOut: number): Dataset {
  const [first] = parts;
  const count = first?.count ?? 0;
  const other = parts.find((part) => part.count !== count);
  if (first === undefined || other !== undefined)
    return refuse(
      "data-shape",
      `the first axes are the examples and must agree: ${parts.map((part) => `${part.at} has ${part.count}`).join(", ")}`,
    );
  if (count < 2) refuse("data-shape", `${first.at} has ${count} examples: one is needed to train on and one to hold out`);
  const heldOutCount = Math.min(count - 1, Math.max(1, Math.round(count * heldOut)));
  const order = permutation(count, splitSeed, "arrays split");
  const rows: Record<Split, Uint32Array> = { training: order.subarray(heldOutCount), "held-out": order.subarray(0, heldOutCount) };
  return {
    fields: parts.map(({ field }) => field),
    unit: "example",
    unitsPerExample: 1,
    count: (part) => rows[part].length,
    copy(part, example, field, out, at) {
      const { values, stride } = parts[field] ?? first;
      const row = rows[part][example] ?? 0;
      out.set(values.subarray(row * stride, (row + 1) * stride), at);
    },
  };
}
