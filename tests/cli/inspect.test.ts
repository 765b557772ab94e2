// Looking before running: `plan`, `explain-policy`, `ir --diff`, `ir --only`, `opt`.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePlan } from "../../ir/text/parse-plan.ts";
import { printPlan } from "../../ir/text/print-plan.ts";
import { cli } from "./run-cli.ts";

const mlp = ["models/mlp.loom", "digits"] as const;
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-inspect-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("plan --fusion", () => {
  const llama = ["models/llama.loom", "demo", "--portable", "--fusion", "--entry", "eval"] as const;

  test("tells of each kernel what it computes, for whom, and why what it stores is not computed there", async () => {
    const { code, out } = await cli("plan", ...llama, "--policy", "quest_w4a4");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^Llama\(.*\), recipe demo, policy quest_w4a4, target portable\n\n@eval: \d+ kernels of \d+ instructions; \d+ values/,
    );
    expect(out).toContain("  in front: layers.0.attn_norm: reshape");
    expect(out).toContain("  rows: layers.0.attn.wq: hadamard, quant.scale\n  behind: layers.0.attn.wq: quant.encode, quant.mask\n");
    expect(out).toMatch(
      /stores %attn_norm_c: q4\[8, 128, 64; grid = half\] for \d+ layers\.0\.attn\.wq, \d+ layers\.0\.attn\.wk, \d+ layers\.0\.attn\.wv\n/,
    );
    expect(out).toContain("\n    apart: ");
    expect(out).not.toContain("undefined");
  });

  test("the same as data", async () => {
    const { out } = await cli("plan", ...llama, "--json");
    const { entries, policy } = JSON.parse(out);
    expect(policy).toBe("quest_w4a4");
    expect(entries.map((each: { entry: string }) => each.entry)).toEqual(["eval"]);
    expect(Object.keys(entries[0].kernels[0])).toEqual(["kernel", "family", "instances", "instructions", "stores", "loads", "schedules"]);
  });

  test("has nothing to tell of kernels that are numbered already", async () => {
    const numbered = join(folder, "numbered.loomir");
    writeFileSync(numbered, (await cli("ir", ...mlp, "--until", "fuse")).out);
    const { code, err } = await cli("plan", numbered, "--portable", "--fusion");
    expect(code).toBe(1);
    expect(err).toContain("error[wrong-file]: the module's instructions have numbers of kernels already");
  });
});

describe("plan", () => {
  test("prints a plan that parses back, with its figures as comments", async () => {
    const { code, out } = await cli("plan", ...mlp, "--portable");
    expect(code).toBe(0);
    const parsed = parsePlan({ path: "x", text: out });
    expect(parsed.diagnostics).toEqual([]);
    const comments = out.indexOf("\n// ");
    expect(printPlan(parsed.value!)).toBe(out.slice(0, comments));
    expect(out.slice(comments)).toMatch(/\/\/ memory: [\d.]+ MiB at the peak, 1\.\d\d\d times the lower bound of/);
    expect(out.slice(comments)).toMatch(/@train +\d+ dispatches +[\d.]+ MFLOP a run/);
  });

  test("--json has the figures of one entry", async () => {
    const { out } = await cli("plan", ...mlp, "--portable", "--entry", "eval", "--policy", "float", "--json");
    const { peakBytes, lowerBoundBytes, kernels, dispatches, flops, buffers, entries } = JSON.parse(out);
    expect(entries.map((entry: { readonly name: string }) => entry.name)).toEqual(["eval"]);
    expect(peakBytes).toBeGreaterThanOrEqual(lowerBoundBytes);
    expect(kernels).toBeLessThanOrEqual(dispatches);
    // The three contractions, and little else.
    const products = 2 * 64 * (784 * 256 + 256 * 256 + 256 * 10);
    expect(flops).toBeGreaterThan(products);
    expect(flops).toBeLessThan(1.01 * products);
    const weight = buffers.find((buffer: { readonly name: string }) => buffer.name === "fc1.weight");
    expect(weight).toMatchObject({ entry: "eval", type: "f32[256, 784]", bytes: 802816, role: "state", slab: "parameters", offset: 0 });
  });

  test("an entry that is not there is named, with those that are", async () => {
    const { code, err } = await cli("plan", ...mlp, "--portable", "--entry", "trian");
    expect(code).toBe(1);
    expect(err).toContain("error[no-entry]: no entry is called `trian`\nhelp: did you mean `train`?");
  });
});

describe("explain-policy", () => {
  test("names rule, bits and bytes of every matrix", async () => {
    const { code, out } = await cli("explain-policy", ...mlp, "--policy", "mixed");
    expect(code).toBe(0);
    expect(out).toMatch(
      /^ {2}fc2\.weight +f32\[256, 256\] +2 bits +4 bits +half, blocks of 128 +17\.0 KiB +6\.6 % +\*\* => quest \{ w = 2, a = 4 \} \(models\/mlp\.loom:\d+\)$/m,
    );
  });

  test("--json: bytes are codes and scales", async () => {
    const { out } = await cli("explain-policy", ...mlp, "--policy", "quest_w4", "--json");
    const { sites, bytes, floatBytes } = JSON.parse(out);
    expect(sites[0]).toMatchObject({
      path: "fc1",
      parameter: "weight",
      bytes: 256 * (392 + 4),
      floatBytes: 4 * 256 * 784,
    });
    expect(sites[0].activation).toBeUndefined();
    expect(floatBytes - bytes).toBe(sites.reduce((n: number, s: { bytes: number; floatBytes: number }) => n + s.floatBytes - s.bytes, 0));
  });

  test("of a pruned weight what its file takes, and where it is not rounded the float that it stays", async () => {
    const { out } = await cli("explain-policy", ...mlp, "--policy", "sparse_4_8()");
    expect(out).toMatch(/fc2\.weight +f32\[256, 256\] +2\.5 bits +4 bits +half, blocks of 128 +21\.0 KiB +8\.2 %/);
    const { out: unrounded } = await cli("explain-policy", ...mlp, "--policy", "prune_4_8()");
    expect(unrounded).toMatch(/fc2\.weight +f32\[256, 256\] +float +float +- +256 KiB +100\.0 %/);
  });

  test("a matrix that no contraction reads stays in float, and that is said", async () => {
    const path = join(folder, "table.loom");
    const text = `use std.{Embedding}
module Table() {
  embed = Embedding(16, 32)
  fn (ids: i32[4]) -> f32[4, 32] { return embed(ids) }
}
quantize all for any { ** => quest { w = 4, a = 4 } }
train it of Table with all {
  data ids: i32[4] = mnist()
  loss { return mean(model(ids)) }
  optimizer sgd { }
  schedule constant { rate = 0.1, steps = 1 }
}
`;
    writeFileSync(path, text);
    const { out, err } = await cli("explain-policy", path);
    expect(err).toBe("");
    expect(out).toMatch(/embed\.table +f32\[16, 32\] +float +float +- +2\.00 KiB +100\.0 % .*: no contraction reads it$/m);
  });
});

describe("ir --diff and --only", () => {
  test("a diff shows a contraction that is quantized, under names that last", async () => {
    const { code, out } = await cli("ir", ...mlp, "--diff", "--until", "insert-quant", "--only", "@train");
    expect(code).toBe(0);
    expect(out).toMatch(/^05 insert-quant: quantize-contraction 9 {3}\(\+16 -4 lines\)$/m);
    expect(out).toContain("@@ @train @@");
    expect(out).toMatch(/^- {2}%y: f32\[64, 256\] = dot %images_h, %fc1_weight_h .*quantize = quest/m);
    expect(out).toMatch(/^\+ {2}%y: f32\[64, 256\] = dot %images_q, %fc1_weight_q/m);
    expect(out).not.toContain("@eval");
  });

  test("--diff --json has the lines of each pass", async () => {
    const { out } = await cli("ir", ...mlp, "--diff", "--until", "quantized", "--json");
    const { changes } = JSON.parse(out);
    expect(changes.map((change: { readonly pass: string }) => change.pass)).toEqual(["insert-hadamard", "insert-quant"]);
    expect(changes[0]).toMatchObject({ added: 27, removed: 9 });
  });

  test("--only shows an instance, an op, or an entry", async () => {
    const instance = await cli("ir", ...mlp, "--only", "fc2", "--until", "surface", "--locations");
    const lines = instance.out.split("\n").filter((line) => line.startsWith("  %"));
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(line).toMatch(/ of "fc2"$/);
    const op = await cli("ir", ...mlp, "--only", "quant", "--until", "quantized");
    for (const line of op.out.split("\n").filter((l) => l.startsWith("  %"))) expect(line).toMatch(/= quant\.(scale|fake) /);
    const entry = await cli("ir", ...mlp, "--only", "@eval");
    expect(entry.out.match(/^entry @\w+/gm)).toEqual(["entry @eval"]);
  });

  test("--only for what is not there suggests what is near", async () => {
    const { code, err } = await cli("ir", ...mlp, "--only", "hadamrad");
    expect(code).toBe(1);
    expect(err).toContain("error[matches-nothing]: nothing here is called `hadamrad`\nhelp: did you mean `hadamard`?");
  });
});

describe("opt", () => {
  const text = `loomir 1
form surface

entry @main(%x: f32[4]) -> (y: f32[4]) {
  %neg: f32[4] = neg %x
  %dead: f32[4] = exp %x
  %y: f32[4] = neg %x
  return %y
}
`;

  test("runs the passes that it is given, and no others", async () => {
    const path = join(folder, "merge.loomir");
    writeFileSync(path, text);
    const plain = await cli("opt", path);
    expect(plain.out).toBe(text);
    const merged = await cli("opt", path, "--pass-pipeline", "cleanup");
    expect(merged.out).toBe(
      text.replace("  %dead: f32[4] = exp %x\n", "").replace("  %y: f32[4] = neg %x\n", "").replace("return %y", "return %neg"),
    );
    const diff = await cli("opt", path, "--pass-pipeline", "canonicalize, cleanup", "--diff");
    expect(diff.out).toContain("02 cleanup: merged 1, dead 1   (+1 -3 lines)");
  });

  test("says where a pipeline is wrong, and what to do with a model", async () => {
    const path = join(folder, "merge.loomir");
    const unknown = await cli("opt", path, "--pass-pipeline", "canonicalise");
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain("error[unknown-pass]: there is no pass `canonicalise`");
    const model = await cli("opt", "models/mlp.loom");
    expect(model.err).toContain("help: `bitloom ir models/mlp.loom` makes IR of it");
  });
});
