// The linter's layer rules: which folder may import which. Made-up files with one import each go through the real configuration.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const projectRoot = join(import.meta.dirname, "../..");

/** A module of each layer, that others import. */
const layers = {
  ir: "ir/op.ts",
  artifact: "ir/artifact.ts",
  passes: "passes/pass.ts",
  syntax: "compiler/syntax/ast.ts",
  sema: "compiler/sema/resolve.ts",
  lower: "compiler/lower/lower.ts",
  codegen: "compiler/codegen/emit.ts",
  driver: "compiler/driver/compile.ts",
  runtime: "runtime/session.ts",
  tuner: "tuner/tune.ts",
  equivalence: "equivalence/verify.ts",
  experiments: "experiments/analyse.ts",
  cli: "cli/run.ts",
  bench: "bench/kernels/matmul.ts",
  tests: "tests/support/adapters.ts",
} as const;
type Layer = keyof typeof layers;

const allowed: Readonly<Record<string, readonly Layer[]>> = {
  "ir/made-up.ts": ["ir", "artifact"],
  "ir/ops/made-up.ts": ["ir", "artifact"],
  "passes/made-up.ts": ["ir", "artifact", "passes"],
  "runtime/made-up.ts": ["artifact", "runtime"],
  "runtime/data/made-up.ts": ["artifact", "runtime"],
  "compiler/syntax/made-up.ts": ["ir", "artifact", "syntax"],
  "compiler/sema/made-up.ts": ["ir", "artifact", "syntax", "sema"],
  "compiler/lower/made-up.ts": ["ir", "artifact", "syntax", "sema", "lower"],
  "compiler/codegen/made-up.ts": ["ir", "artifact", "codegen"],
  "compiler/driver/made-up.ts": ["ir", "artifact", "passes", "syntax", "sema", "lower", "codegen", "driver"],
  "cli/made-up.ts": [
    "ir",
    "artifact",
    "passes",
    "syntax",
    "sema",
    "lower",
    "codegen",
    "driver",
    "runtime",
    "tuner",
    "equivalence",
    "experiments",
    "cli",
    "bench",
  ],
  "tuner/made-up.ts": ["ir", "artifact", "passes", "syntax", "sema", "lower", "codegen", "driver", "runtime", "tuner"],
  "equivalence/made-up.ts": ["ir", "artifact", "passes", "syntax", "sema", "lower", "codegen", "driver", "runtime", "equivalence"],
  "experiments/made-up.ts": ["ir", "artifact", "passes", "syntax", "sema", "lower", "codegen", "driver", "runtime", "experiments"],
  "experiments/plots/made-up.ts": ["ir", "artifact", "passes", "syntax", "sema", "lower", "codegen", "driver", "runtime", "experiments"],
  "tests/ops/made-up.test.ts": Object.keys(layers) as Layer[],
};

let folder = "";
const refused = new Map<string, boolean>();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-layers-"));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  copyFileSync(join(projectRoot, "biome.json"), join(folder, "biome.json"));
  write("package.json", "{}");
  for (const path of Object.values(layers)) write(path, "export const made = 1;\n");
  const files: string[] = [];
  for (const importer of Object.keys(allowed)) {
    for (const [layer, path] of Object.entries(layers)) {
      const file = importer.replace("made-up", `made-up-${layer}`);
      const from = relative(dirname(importer), path);
      write(file, `import { made } from "${from.startsWith(".") ? from : `./${from}`}";\n\nexport const used = made;\n`);
      files.push(file);
    }
  }
  for (const file of ["runtime/made-up-webgpu.ts", "cli/made-up-webgpu.ts"]) {
    write(file, 'export const load = () => import("webgpu");\n');
    files.push(file);
  }
  const options = ["lint", "--vcs-enabled=false", "--only=style/noRestrictedImports", "--max-diagnostics=none", "--reporter=json"];
  const { stdout } = spawnSync(join(projectRoot, "node_modules/.bin/biome"), options, { cwd: folder, encoding: "utf8" });
  const { diagnostics } = JSON.parse(stdout) as {
    readonly diagnostics: readonly { readonly location: { readonly path: string | { readonly file: string } } }[];
  };
  const flagged = new Set(diagnostics.map(({ location: { path } }) => (typeof path === "string" ? path : path.file)));
  for (const file of files) refused.set(file, flagged.has(file));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(Object.entries(allowed))("%s", (importer, welcome) => {
  test.each(Object.keys(layers) as Layer[])("imports %s only if its layer may", (layer) => {
    expect(refused.get(importer.replace("made-up", `made-up-${layer}`))).toBe(!welcome.includes(layer));
  });
});

test("only the device file imports webgpu", () => {
  expect(refused.get("runtime/made-up-webgpu.ts")).toBe(true);
  expect(refused.get("cli/made-up-webgpu.ts")).toBe(true);
});
