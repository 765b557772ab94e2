// Evidence of a failed comparison: the module, its kernels, and what both sides computed, in a folder that the message names.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { expect } from "vitest";
import { ModuleFolder } from "../../cli/module-files.ts";
import type { CompiledArtifact } from "../../ir/artifact.ts";
import type { Module } from "../../ir/module.ts";
import { contiguous, type Tensor, type TensorData } from "../../ir/tensor.ts";
import { writeArtifact } from "../../runtime/artifact-folder.ts";
import { encodeWeights, type SavedTensor } from "../../runtime/weights.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

export interface Evidence {
  /** What was compiled: `module.loomir`. */
  readonly module: Module;
  /** Its kernels and dispatches: `artifact/`. */
  readonly artifact: CompiledArtifact;
  /** A safetensors file each: `actual` and `expected`, which are compared name by name, and what both sides began with. */
  readonly tensors: Readonly<Record<"actual" | "expected", Tensors>> & Readonly<Record<string, Tensors>>;
}

/** Run a comparison. Where it throws, write the evidence to `folder`, and say so at the end of the message. */
export async function withEvidence<T>(evidence: () => Evidence, compare: () => T | Promise<T>, folder = folderOfTest()): Promise<T> {
  try {
    return await compare();
  } catch (problem) {
    if (problem instanceof Error) {
      await write(evidence(), problem.message, folder);
      problem.message += `\n\nThe module, its kernels and both results are in ${relative(projectRoot, folder)}`;
    }
    throw problem;
  }
}

const projectRoot = join(import.meta.dirname, "../..");

/** `tests/failures/FILE/TEST`, which git ignores; a later failure of the same test takes the place of an earlier one. */
function folderOfTest(): string {
  const { testPath, currentTestName } = expect.getState();
  const words = (text: string) => text.toLowerCase().match(/[a-z0-9_]+/g) ?? ["unnamed"];
  const file = basename(testPath ?? "unnamed", ".test.ts");
  return join(
    projectRoot,
    "tests/failures",
    file,
    words(currentTestName ?? "")
      .join("-")
      .slice(0, 120),
  );
}

async function write({ module, artifact, tensors }: Evidence, message: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const modules = new ModuleFolder(folder);
  await modules.write("module.loomir", module, { locations: true });
  await modules.close();
  await writeArtifact(artifact, join(folder, "artifact"));
  for (const [name, values] of Object.entries(tensors)) {
    const saved = Object.entries(values).map(([tensor, value]) => [tensor, save(value)] as const);
    await writeFile(join(folder, `${name}.safetensors`), encodeWeights({ tensors: new Map(saved), metadata: { format: "bitloom" } }));
  }
  await writeFile(join(folder, "failure.txt"), `${message}\n\n${differences(tensors.actual, tensors.expected).join("\n")}\n`);
}

function save(tensor: Tensor): SavedTensor {
  const data = contiguous(tensor);
  return { dtype: dtypeOf(data), shape: tensor.shape, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function dtypeOf(data: TensorData): SavedTensor["dtype"] {
  if (data instanceof Float64Array) return "F64";
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Int32Array) return "I32";
  return data instanceof Uint32Array ? "U32" : "U8";
}

/** One line for each result that both sides have: where it differs the most, and by how much. */
function differences(actual: Tensors, expected: Tensors): readonly string[] {
  return Object.entries(actual).flatMap(([name, of]) => {
    const other = expected[name];
    if (other === undefined) return [];
    const [a, b] = [contiguous(of), contiguous(other)];
    let [worst, at, count] = [0, -1, 0];
    for (let i = 0; i < a.length; i++) {
      // Equal, or both NaN.
      if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
      const difference = Math.abs((a[i] ?? 0) - (b[i] ?? 0));
      count++;
      if (at < 0 || difference > worst || Number.isNaN(difference)) [worst, at] = [difference, i];
    }
    return [
      at < 0
        ? `${name}: equal`
        : `${name}: ${count} of ${a.length} differ, most at ${at}: ${a[at]} on the adapter, ${b[at]} in the reference`,
    ];
  });
}
