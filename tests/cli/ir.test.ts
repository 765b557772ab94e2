// `bitloom ir`: dumps are numbered by place in the pipeline, parse back, and go on to the same end wherever one starts.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Output } from "../../cli/output.ts";
import { tellProblem } from "../../cli/run.ts";
import { CompilerCrash, pipeline, runPasses } from "../../compiler/index.ts";
import type { Module } from "../../ir/module.ts";
import { parseModule } from "../../ir/text/parse.ts";
import { definePass } from "../../passes/pass.ts";
import { cli, Kept } from "./run-cli.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bitloom-ir-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mlp = ["models/mlp.loom", "digits"] as const;

test("a dump has one file for each pass that changed the module, numbered by place, and the times of all", async () => {
  const { code, out } = await cli("ir", ...mlp, "--dump", join(folder, "dump"));
  expect(code).toBe(0);
  const files = readdirSync(join(folder, "dump")).filter((name) => name.endsWith(".loomir"));
  expect(files[0]).toBe("00-lower.loomir");
  const place = pipeline.findIndex(({ pass }) => pass.name === "insert-quant") + 1;
  expect(files).toContain(`${String(place).padStart(2, "0")}-insert-quant.loomir`);
  expect(out).toContain(`wrote ${files.length + 1} files`);
  const times = readFileSync(join(folder, "dump", "times.txt"), "utf8")
    .trim()
    .split("\n");
  expect(times).toHaveLength(pipeline.length);
  expect(times[place - 1]).toMatch(/insert-quant +[\d.]+ ms {2}changed {4}quantize-contraction 9$/);
  expect(times.filter((line) => / {2}changed {2}/.test(line))).toHaveLength(files.length - 1);
});

test("every dump, fed back, ends in the same module", async () => {
  const { out: end } = await cli("ir", ...mlp);
  for (const name of readdirSync(join(folder, "dump")).filter((file) => file.endsWith(".loomir"))) {
    const { code, out, err } = await cli("ir", join(folder, "dump", name));
    expect({ name, code, err }).toEqual({ name, code: 0, err: "" });
    expect(withoutNames(out)).toBe(withoutNames(end));
  }
});

/** Values numbered in order of appearance: names are hints, and a number that made one unique becomes part of it in the text. */
function withoutNames(text: string): string {
  return text
    .split(/(?=^entry )/m)
    .map((entry) => {
      const numbers = new Map<string, number>();
      return entry.replace(/%\w+/g, (name) => {
        const number = numbers.get(name) ?? numbers.size;
        numbers.set(name, number);
        return `%${number}`;
      });
    })
    .join("");
}

test("--until stops at a form, or behind a pass", async () => {
  const quantized = await cli("ir", ...mlp, "--until", "quantized");
  expect(quantized.out).toContain("form quantized\n");
  expect(quantized.out).toContain("quant.fake");
  const rotated = await cli("ir", ...mlp, "--until", "insert-hadamard");
  expect(rotated.out).toContain("form surface\n");
  expect(rotated.out).toContain("= hadamard ");
  expect(rotated.out).not.toContain("quant.fake");
});

test("--locations point into the model file", async () => {
  const { out } = await cli("ir", ...mlp, "--until", "surface", "--locations");
  const source = readFileSync("models/mlp.loom", "utf8").split("\n");
  const place = / = relu .* loc s0:(\d+):(\d+)$/m.exec(out);
  expect(source[Number(place?.[1]) - 1]?.slice(Number(place?.[2]) - 1)).toMatch(/^relu/);
});

test("--json has the text and what each pass did", async () => {
  const { out } = await cli("ir", ...mlp, "--policy", "float", "--until", "surface", "--json");
  const { form, text, steps } = JSON.parse(out);
  expect(form).toBe("surface");
  expect(parseModule({ path: "x", text }).diagnostics).toEqual([]);
  expect(steps.map((step: { readonly pass: string }) => step.pass)).toEqual(
    pipeline.filter(({ stage }) => stage === "surface").map(({ pass }) => pass.name),
  );
});

test("IR that does not verify is refused at its line", async () => {
  const path = join(folder, "wrong.loomir");
  writeFileSync(path, "loomir 1\nform surface\n\nentry @main(%x: f32[4]) -> (y: f32[4]) {\n  %y: f32[5] = neg %x\n  return %y\n}\n");
  const { code, err } = await cli("ir", path);
  expect(code).toBe(1);
  expect(err).toContain(`--> ${path}:5:`);
});

describe("a crash of a pass", () => {
  const failing = definePass({
    name: "failing",
    summary: "Fails.",
    needs: "any",
    leaves: "same",
    options: {},
    run: () => {
      throw new Error("the pass tripped");
    },
  });
  const long = Array.from({ length: 70 }, (_, i) => i + 1 / 3).join(", ");
  const text = `loomir 1
form surface

entry @main(%x: f32[70]) -> (y: f32[70]) {
  %c: f32[70] = constant {values = [${long}]}
  %y: f32[70] = add %x, %c
  return %y
}
`;

  test("is exit code 70, and leaves the module, its constants and the pipeline that fails", async () => {
    const module = parseModule({ path: "x", text }).value as Module;
    const [canonicalize] = pipeline;
    const steps = [canonicalize!, { pass: failing, options: {} }];
    let thrown: unknown;
    try {
      runPasses(module, { pipeline: steps });
    } catch (problem) {
      thrown = problem;
    }
    expect(thrown).toBeInstanceOf(CompilerCrash);
    const err = new Kept();
    expect(await tellProblem(thrown, new Output(false, new Kept(), err), folder)).toBe(70);
    const path = join(folder, "crash.loomir");
    expect(err.text).toContain("error[bug]: the compiler failed in failing: the pass tripped");
    expect(err.text).toContain(`bitloom ir ${path}`);
    expect(readFileSync(path, "utf8").split("\n")[0]).toBe("// pipeline: failing");
    expect(readFileSync(path, "utf8")).toContain('data = "crash.safetensors"');
  });

  test("is run again by `bitloom ir crash.loomir`: the first line is the pipeline", async () => {
    const path = join(folder, "crash.loomir");
    const unknown = await cli("ir", path);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toContain("error[unknown-pass]: there is no pass `failing`");
    writeFileSync(path, readFileSync(path, "utf8").replace("// pipeline: failing", "// pipeline: canonicalize"));
    const again = await cli("ir", path);
    expect({ code: again.code, err: again.err }).toEqual({ code: 0, err: "" });
    // The constants came back from their file, to the bit.
    expect(again.out).toBe(text);
  });
});
