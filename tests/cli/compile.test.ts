// `bitloom compile`: what it writes, for which targets, and what it leaves out.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readArtifact } from "../../runtime/index.ts";
import { cli } from "./run-cli.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-compile-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const digits = ["compile", "models/mlp.loom", "digits", "--policy", "float"] as const;

describe("an artifact for this adapter", () => {
  test("has its target first and the portable one last", async () => {
    const { code, out } = await cli(...digits, "--adapter", "swiftshader", "-o", join(folder, "both"), "--json");
    expect(code).toBe(0);
    const { targets } = JSON.parse(out);
    expect(targets.map(({ name }: { readonly name: string }) => name)).toEqual(["swiftshader-sg4", "portable"]);
    expect(targets[0].dispatches.train).toBeGreaterThan(5);
    const { manifest, files } = await readArtifact(join(folder, "both"));
    expect(manifest).toMatchObject({ recipe: "digits", policy: "float", run: { steps: 1250, data: { source: "mnist" } } });
    expect(Object.keys(manifest.sources)).toEqual(["models/mlp.loom", "models/std.loom"]);
    for (const { kernels } of manifest.targets) for (const { file } of kernels) expect(files.get(file)).toContain("@compute");
  });

  test("leaves entries out whose sizes are not bound, with a warning", async () => {
    const { code, err } = await cli(...digits, "--portable", "-o", join(folder, "unbound"));
    expect(code).toBe(0);
    expect(err).toContain("warning[unbound-dimension]: @logits is left out, since `B` has no size\nhelp: bind it: `--set B=1`");
    const bound = await cli(...digits, "--portable", "-o", join(folder, "bound"), "--set", "B=1", "--json");
    expect(Object.keys(JSON.parse(bound.out).targets[0].dispatches)).toContain("logits");
  });
});

test("the entries that continue a text come where they are asked for", async () => {
  const llama = ["compile", "models/llama.loom", "demo", "--policy", "float", "--set", "model.depth=1", "--portable", "--json"];
  const without = await cli(...llama, "-o", join(folder, "trains"));
  expect(Object.keys(JSON.parse(without.out).targets[0].dispatches)).toEqual(["train", "eval"]);
  const { out } = await cli(...llama, "-o", join(folder, "continues"), "--context", "32");
  expect(Object.keys(JSON.parse(out).targets[0].dispatches)).toEqual(["train", "eval", "prefill", "decode"]);
  const { manifest } = await readArtifact(join(folder, "continues"));
  const caches = manifest.state.filter(({ role }) => role === "cache");
  expect(caches.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    "layers.0.attn#k: f32[1, 32, 2, 32]",
    "layers.0.attn#v: f32[1, 32, 2, 32]",
  ]);
});

test("IR compiles too, from a dump", async () => {
  await cli("ir", "models/mlp.loom", "digits", "--policy", "float", "--dump", join(folder, "dump"));
  const { code, out } = await cli(
    "compile",
    join(folder, "dump", "00-lower.loomir"),
    "--portable",
    "-o",
    join(folder, "from-ir"),
    "--json",
  );
  expect(code).toBe(0);
  expect(Object.keys(JSON.parse(out).targets[0].dispatches)).toEqual(["train", "eval"]);
});
