// What a sweep's folder takes for another run than the one that was begun there.
import { expect, test } from "vitest";
import type { SweepRun } from "../../experiments/sweep/plan-sweep.ts";
import { SweepFolder } from "../../experiments/sweep/sweep-folder.ts";
import { printDiagnostic } from "../../ir/diagnostic.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const run: SweepRun = {
  name: "float-demo-s0",
  file: "models/llama.loom",
  recipe: "demo",
  policy: "float",
  set: [],
  seed: 0,
  steps: 300,
  sources: "text",
  row: { p: "float", bits: 32, n: 106496, d: 307200, seed: 0 },
};

test("a model is what its text says, by whatever path it is named", async () => {
  const folder = new SweepFolder(temporaryFolder().path);
  await folder.begin(run);
  const said = (other: Partial<SweepRun>) => folder.changed([{ ...run, ...other }]).map(printDiagnostic);
  expect(said({})).toEqual([]);
  expect(said({ file: "elsewhere/models/llama.loom" })).toEqual([]);
  expect(said({ file: "models/gpt.loom", sources: "another text" })[0]).toContain(
    "error[changed-sweep]: the run `float-demo-s0` was begun otherwise\nhelp: `file` was models/llama.loom, it is models/gpt.loom",
  );
  expect(said({ sources: "another text" })[0]).toContain("warning[changed-source]");
  expect(said({ seed: 1 })[0]).toContain("help: `seed` was 0, it is 1");
});
