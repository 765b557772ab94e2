// What a failed comparison leaves behind: text and kernels that can be read, and both results.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readModule } from "../../cli/module-files.ts";
import { compileModule } from "../../compiler/driver/compile.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { denseTensor } from "../../ir/tensor.ts";
import { printModule } from "../../ir/text/print.ts";
import { readArtifact } from "../../runtime/artifact-folder.ts";
import { readWeights } from "../../runtime/weights.ts";
import { withEvidence } from "../support/failure.ts";
import { sgdTraining, trainingKernels } from "../support/quantized-linear.ts";

const parent = mkdtempSync(join(tmpdir(), "bitloom-failure-"));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

const module = trainingKernels(
  sgdTraining(
    { m: 8, n: 8, k: 16 },
    { scheme: "quest", settings: { w: 4, a: 4, group: "row", hadamard: "auto", rotation: "half", outer: "auto" } },
    0.1,
  ),
);
const artifact = unwrap(compileModule(module, { entries: () => true }));
const evidence = () => ({
  module,
  artifact,
  tensors: {
    actual: { y: denseTensor([2, 2], Float32Array.of(1, 2, 3, 4)), codes: denseTensor([3], Int32Array.of(-8, 0, 7)) },
    expected: { y: denseTensor([2, 2], Float32Array.of(1, 2.5, 3, 5)), codes: denseTensor([3], Int32Array.of(-8, 0, 7)) },
    state: { mask: denseTensor([2], Uint8Array.of(0, 1)) },
  },
});

test("a failure writes the module, its kernels and both results, and names the folder", async () => {
  const folder = join(parent, "kept");
  const failed = withEvidence(evidence, () => expect(2, "the comparison").toBe(3), folder);
  await expect(failed).rejects.toThrow(/the comparison.*\n\nThe module, its kernels and both results are in .*kept$/s);

  expect(readdirSync(folder).sort()).toEqual([
    "actual.safetensors",
    "artifact",
    "expected.safetensors",
    "failure.txt",
    "module.loomir",
    "state.safetensors",
  ]);
  const path = join(folder, "module.loomir");
  expect(printModule(await readModule({ path, text: readFileSync(path, "utf8") }))).toBe(printModule(module));
  const kernels = [...(await readArtifact(join(folder, "artifact"))).files.values()];
  expect(kernels.length).toBeGreaterThan(3);
  for (const text of kernels) expect(text).toContain("@compute");
  const { tensors } = await readWeights(join(folder, "expected.safetensors"));
  expect(tensors.get("y")).toMatchObject({ dtype: "F32", shape: [2, 2] });
  expect([...new Float32Array(tensors.get("y")!.bytes.slice().buffer)]).toEqual([1, 2.5, 3, 5]);
  expect(tensors.get("codes")).toMatchObject({ dtype: "I32", shape: [3] });
  const text = readFileSync(join(folder, "failure.txt"), "utf8");
  expect(text).toContain("y: 2 of 4 differ, most at 3: 4 on the adapter, 5 in the reference\ncodes: equal\n");
});

test("a later failure takes the place of an earlier one", async () => {
  const folder = join(parent, "again");
  const fail = (message: string) => withEvidence(evidence, () => Promise.reject(new Error(message)), folder);
  await expect(fail("first")).rejects.toThrow("first");
  await expect(fail("second")).rejects.toThrow("second");
  expect(readFileSync(join(folder, "failure.txt"), "utf8")).toMatch(/^second\n/);
});

test("a comparison that holds writes nothing", async () => {
  const folder = join(parent, "none");
  expect(await withEvidence(evidence, () => 5, folder)).toBe(5);
  expect(readdirSync(parent)).not.toContain("none");
});
