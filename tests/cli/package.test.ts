// The built package: what `npm pack` makes runs without the sources, the compiler for TypeScript or any development dependency.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeBlocks } from "../docs/blocks.ts";
import { writeTinySweep } from "../support/tiny-sweep.ts";
import { cli, projectRoot } from "./run-cli.ts";

let folder = "";
let main = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-package-"));
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], { cwd: projectRoot, encoding: "utf8" });
  const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("[\n"))) as [{ readonly filename: string }];
  // As an installation lays it out: the package and its dependencies side by side, nothing else of the project.
  const installed = join(folder, "node_modules", "bitloom");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["xzf", join(folder, filename), "-C", installed, "--strip-components", "1"]);
  const { dependencies, optionalDependencies, bin } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  for (const name of ["@chevrotain", ...Object.keys({ ...dependencies, ...optionalDependencies })]) {
    const from = join(projectRoot, "node_modules", name);
    if (!existsSync(from)) continue;
    mkdirSync(join(folder, "node_modules", name, ".."), { recursive: true });
    symlinkSync(from, join(folder, "node_modules", name));
  }
  main = join(installed, bin.bitloom);
}, 180_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function installed(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { code: status, out: stdout, err: stderr };
}

describe("the command line of the package", () => {
  test("prints its version", () => {
    expect(installed("--version")).toMatchObject({ code: 0, out: "0.1.0\n" });
  });

  test("gives the same IR as the sources, for a model that uses the standard library", async () => {
    const text = readFileSync(join(projectRoot, "models/mlp.loom"), "utf8");
    writeFileSync(join(folder, "mine.loom"), text);
    const here = await cli("ir", "models/mlp.loom", "digits");
    const there = installed("ir", "mine.loom", "digits");
    expect(there).toMatchObject({ code: 0, err: "" });
    expect(there.out.replaceAll("mine.loom", "models/mlp.loom")).toBe(here.out);
  });

  test("compiles to an artifact folder", () => {
    const { code, out } = installed("compile", "mine.loom", "digits", "--portable", "-o", "artifact");
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining(`wrote ${join("artifact", "artifact.json")}`) });
    expect(JSON.parse(readFileSync(join(folder, "artifact/artifact.json"), "utf8"))).toMatchObject({
      format: "bitloom-artifact",
      recipe: "digits",
    });
  });

  test("finds the packages that its corpora come with", () => {
    expect(installed("tokenizer", "moby-dick", "--vocab", "260")).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringContaining("wrote tokenizer.json: 260 tokens from 1144747 bytes"),
    });
  });

  test("sweeps, in processes that run the package's own code", () => {
    const sweeps = join(folder, "sweeps");
    mkdirSync(sweeps);
    writeTinySweep(sweeps, { policies: ["float"], sizes: ["line"], steps: [20] });
    expect(installed("sweep", "sweeps/grid.json", "--adapter", "swiftshader")).toMatchObject({
      code: 0,
      out: expect.stringContaining("1 of 1 runs are done; the table is runs/grid/results.jsonl"),
    });
  });

  test("fits the published losses, and draws them", () => {
    expect(installed("fit", "--published", "--resamples", "0", "-o", "fit.svg")).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringContaining("best eff(P)/P of quest: 4"),
    });
    expect(readFileSync(join(folder, "fit.svg"), "utf8")).toMatch(/^<svg /);
  });

  test("refuses wrong input with exit code 1", () => {
    expect(installed("ir", "other.loom")).toMatchObject({ code: 1, err: expect.stringContaining("this folder has `mine.loom`") });
  });
});

describe("the library of the package", () => {
  test("has the compiler and the runtime apart", () => {
    const script = `
      import { compile, portable } from "bitloom";
      import { Session, train } from "bitloom/runtime";
      import { readFileSync } from "node:fs";
      const { value } = compile({ path: "mine.loom", text: readFileSync("mine.loom", "utf8") }, { recipe: "digits", policy: "float", entries: (name) => name === "eval" });
      console.log(value.manifest.targets.map((t) => t.name).join(), portable.name, typeof Session.open, typeof train);
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: folder, encoding: "utf8" });
    expect({ stdout, stderr }).toEqual({ stdout: "portable portable function function\n", stderr: "" });
  });

  test("runs the program of its page: compiles, trains, evaluates", () => {
    const [program] = codeBlocks().filter(({ at, language }) => language === "ts" && at.startsWith("docs/library.md"));
    const lines = program?.text.trim().split("\n") ?? [];
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.length).toBeLessThan(36);
    writeFileSync(join(folder, "train.ts"), program?.text ?? "");
    const small = readFileSync(join(projectRoot, "models/llama.loom"), "utf8").replace(
      "train demo of Llama(dim = 64, depth = 2,",
      "train demo of Llama(dim = 64, depth = 1,",
    );
    writeFileSync(join(folder, "llama.loom"), small);
    const { stdout, stderr, status } = spawnSync(process.execPath, ["train.ts", "llama.loom", "demo", "20"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect({ status, stderr: stderr.replace(/^Warning: max.*\n/gm, "") }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(
      /^step 10: loss \d\.\d+\nstep 20: loss \d\.\d+\ntraining loss \d\.\d+, held-out loss \d\.\d+ on .+\nlayers\.0\.attn\.wq\.weight: 4096 numbers, the first is -?[\d.e-]+\n$/,
    );
    const loss = Number(/held-out loss (\S+)/.exec(stdout)?.[1]);
    expect(loss).toBeLessThan(5.2);
    expect(existsSync(join(folder, "runs/library/checkpoints/step-000020/model.safetensors"))).toBe(true);
  }, 120_000);
});
