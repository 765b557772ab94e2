// The compiler as one function: what it answers for sound and faulty models, several targets, some entries, and IR of any form.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  compile,
  compileModule,
  hasErrors,
  lowerSource,
  portable,
  runPasses,
  type Target,
  targetFor,
  unwrap,
} from "../../compiler/index.ts";
import { entryNamed } from "../../ir/module.ts";

const path = "models/mlp.loom";
const mlp = { path, text: readFileSync(join(import.meta.dirname, "../..", path), "utf8") };
const limits = { ...portable.limits, maxComputeInvocationsPerWorkgroup: 1024 };
const lavapipe = targetFor({ adapterClass: "lavapipe", features: ["subgroups"], limits }, { path: "fixed", size: 8 });

describe("a sound model", () => {
  const { value: artifact, diagnostics } = compile(mlp, {
    recipe: "digits",
    policy: "quest_w2a2",
    targets: [lavapipe],
    entries: (name) => name !== "logits",
  });

  test("has no problems", () => {
    expect(diagnostics).toEqual([]);
  });

  test("says what it is", () => {
    expect(artifact?.manifest).toMatchObject({
      format: "bitloom-artifact",
      model: "Mlp(inputs = 784, hidden = 256, classes = 10)",
      policy: "quest_w2a2",
      recipe: "digits",
      run: { steps: 1250 },
    });
    expect(Object.keys(artifact?.manifest.sources ?? {})).toEqual(["models/mlp.loom", "models/std.loom"]);
    expect(Object.keys(artifact?.manifest.entries ?? {})).toEqual(["train", "eval"]);
  });

  test("has all state with its place, and every file that its targets name", () => {
    const names = artifact?.manifest.state.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["fc1.weight", "fc3.shift", "fc2.weight#adamw.m", "fc2.weight#adamw.v"]));
    for (const { kernels, constants } of artifact?.manifest.targets ?? []) {
      for (const { file } of [...kernels, ...constants]) expect(artifact?.files.has(file), file).toBe(true);
    }
  });

  test("is for the targets asked for, and the portable one last", () => {
    expect(artifact?.manifest.targets.map(({ name }) => name)).toEqual(["lavapipe-sg8", "portable"]);
    const [best, last] = artifact?.manifest.targets ?? [];
    expect(best?.requires).toMatchObject({ subgroupSize: 8, features: expect.arrayContaining(["subgroups"]) });
    expect(last?.requires.features).toEqual([]);
    expect(last?.requires.subgroupSize).toBeUndefined();
  });

  test("compiles to the same artifact again", () => {
    const again = unwrap(
      compile(mlp, { recipe: "digits", policy: "quest_w2a2", targets: [lavapipe], entries: (name) => name !== "logits" }),
    );
    expect(again).toEqual(artifact);
  });
});

test("targets of different limits agree on where state lies, and no slab of state is beyond the smallest", () => {
  const most = 440 * 1024;
  const small: Target = { ...portable, name: "small", limits: { ...portable.limits, maxStorageBufferBindingSize: most } };
  // 784 x 128 floats fit a slab of this size, with 128 x 128 more they do not.
  const { manifest } = unwrap(
    compile(mlp, { recipe: "digits", policy: "float", set: ["model.hidden=128"], targets: [small], entries: (name) => name === "train" }),
  );
  const slabs = new Set(manifest.state.map(({ slab }) => slab));
  expect(slabs.size).toBeGreaterThan(3);
  for (const target of manifest.targets) {
    for (const { name, bytes } of target.slabs) if (slabs.has(name)) expect(bytes, name).toBeLessThanOrEqual(most);
    for (const { slab, offset, bytes } of manifest.state) {
      expect(offset + bytes).toBeLessThanOrEqual(target.slabs.find(({ name }) => name === slab)?.bytes ?? 0);
    }
  }
});

describe("entries", () => {
  test("that are not bound are left out with a warning, and compiled once they are", () => {
    const { value, diagnostics } = compile(mlp, { recipe: "digits", policy: "float" });
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([["warning", "unbound-dimension"]]);
    expect(Object.keys(value?.manifest.entries ?? {})).toEqual(["train", "eval"]);
    const bound = unwrap(compile(mlp, { recipe: "digits", policy: "float", set: ["B=1"] }));
    expect(bound.manifest.entries["logits"]?.outputs).toEqual([{ name: "logits", type: "f32[1, 10]" }]);
  });

  test("without sizes are an error where they are all that is asked for", () => {
    const { value, diagnostics } = compile(mlp, { recipe: "digits", policy: "float", entries: (name) => name === "logits" });
    expect(value).toBeUndefined();
    expect(diagnostics.map(({ severity, code }) => [severity, code])).toEqual([["error", "unbound-dimension"]]);
  });

  test("without @train leave nothing of the training behind", () => {
    const { manifest } = unwrap(compile(mlp, { recipe: "digits", policy: "float", entries: (name) => name === "eval" }));
    expect(manifest.entries["eval"]?.updates).toEqual([]);
    expect(manifest.state.filter(({ role }) => role === "optimizer")).toEqual([]);
  });
});

describe("a faulty model", () => {
  test("has no value, and all its problems at once", () => {
    const text = mlp.text.replace("relu |> fc2", "relu |> fc9").replace("** => none", "nothing => none");
    const { value, diagnostics } = compile({ path, text }, { recipe: "digits", policy: "float" });
    expect(value).toBeUndefined();
    expect(hasErrors(diagnostics)).toBe(true);
    expect(diagnostics.map(({ message }) => message).join("\n")).toMatch(/fc9[\s\S]*nothing|nothing[\s\S]*fc9/);
  });

  test("that uses a file which is not there says so at the `use`", () => {
    const { diagnostics } = compile({ path, text: mlp.text.replace("use std.", "use sdt.") }, { recipe: "digits" });
    expect(diagnostics[0]).toMatchObject({ code: "unknown-file", primary: { span: { source: { path } } } });
  });
});

describe("a module", () => {
  const { module } = unwrap(lowerSource(mlp, { recipe: "digits", policy: "quest_w4a4", set: ["B=2"] }));

  test.each(["surface", "quantized", "differentiated", "primitive", "fuse"])(
    "compiles from %s to what the compiler makes of the model",
    (until) => {
      const passed = unwrap(runPasses(module, { until })).module;
      const whole = unwrap(compileModule(module));
      const rest = unwrap(compileModule(passed));
      expect(rest.manifest.targets).toEqual(whole.manifest.targets);
      expect(rest.manifest.state).toEqual(whole.manifest.state);
      expect([...rest.files.keys()]).toEqual([...whole.files.keys()]);
    },
  );

  test("keeps its entries' names and types", () => {
    const { entries } = unwrap(compileModule(module)).manifest;
    expect(Object.keys(entries)).toEqual(module.entries.map(({ name }) => name));
    expect(entries["logits"]?.inputs.map(({ type }) => type)).toEqual(["f32[2, 784]"]);
    expect(entryNamed(module, "logits")?.inputs).toHaveLength(1);
  });
});
