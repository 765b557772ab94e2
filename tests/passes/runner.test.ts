// The runner: forms, dumps, counts, stopping early, problems at their places, and crashes as data.
import { describe, expect, test } from "vitest";
import { int, withDefault } from "../../ir/attribute.ts";
import { type Module, mapEntries } from "../../ir/module.ts";
import { removeDead } from "../../ir/rewrite.ts";
import { parseModule, parseWithSpans } from "../../ir/text/parse.ts";
import { printModule } from "../../ir/text/print.ts";
import { cleanup } from "../../passes/cleanup.ts";
import { parsePipeline, pipelineComment, pipelineOfComment } from "../../passes/parse-pipeline.ts";
import { defaultOptions, definePass, type Pass, type PipelineStep, printPipeline } from "../../passes/pass.ts";
import { pipeline } from "../../passes/pipeline.ts";
import { describeStep, runPipeline, type StepRecord, untilNames } from "../../passes/runner.ts";
import { moduleFile, moduleOf, run, stepsOf } from "./run.ts";

const mlp = () => moduleOf(moduleFile("mlp.loomir"));
const step = (pass: Pass): PipelineStep => ({ pass, options: defaultOptions(pass) });

const identity = definePass({ name: "identity", summary: "Nothing.", needs: "any", leaves: "same", options: {}, run: (module) => module });
const throws = definePass({
  name: "throws",
  summary: "A bug.",
  needs: "any",
  leaves: "same",
  options: { at: withDefault(int, 3) },
  run() {
    throw new Error("out of cheese");
  },
});
const breaks = definePass({
  name: "breaks",
  summary: "Drops definitions that are used.",
  needs: "any",
  leaves: "same",
  options: {},
  run: (module) => mapEntries(module, (entry) => ({ ...entry, instructions: entry.instructions.slice(1) })),
});

describe("the runner", () => {
  test("dumps the passes that changed the module, with their place, and tells what each did", () => {
    const dumps: { readonly form: string; readonly step: StepRecord }[] = [];
    const { steps, module } = run(mlp(), "canonicalize, cleanup, insert-hadamard, insert-quant, cleanup", {
      now: () => 5,
      dump: (m, s) => dumps.push({ form: m.form, step: s }),
    });
    expect(dumps.map((d) => [d.step.place, d.step.pass, d.form])).toEqual([
      [3, "insert-hadamard", "surface"],
      [4, "insert-quant", "quantized"],
    ]);
    expect(steps.map((s) => [s.pass, s.changed])).toEqual([
      ["canonicalize", false],
      ["cleanup", false],
      ["insert-hadamard", true],
      ["insert-quant", true],
      ["cleanup", false],
    ]);
    expect(steps.every((s) => s.elapsedMs === 0)).toBe(true);
    // Two sites in each of two entries.
    expect(steps.map(describeStep)[2]).toBe("insert-hadamard: rotate-contraction 4");
    expect(module.form).toBe("quantized");
  });

  test("answers the same object where nothing changed", () => {
    const module = mlp();
    expect(run(module, [step(identity), step(cleanup)]).module).toBe(module);
  });

  test("does not touch its input", () => {
    const module = mlp();
    const before = printModule(module);
    run(module, pipeline);
    expect(printModule(module)).toBe(before);
  });

  test("stops at a stage or behind a pass", () => {
    for (const until of untilNames(pipeline)) {
      const { steps } = run(mlp(), pipeline, { until });
      const last = steps.at(-1);
      if (pipeline.some((s) => s.pass.name === until)) expect(last?.pass).toBe(until);
    }
    expect(run(mlp(), pipeline, { until: "surface" }).module.form).toBe("surface");
    expect(run(mlp(), pipeline, { until: "differentiated" }).module.form).toBe("differentiated");
    expect(run(mlp(), "cleanup, insert-hadamard, insert-quant", { until: "insert-hadamard" }).steps).toHaveLength(2);
    expect(() => run(mlp(), pipeline, { until: "nowhere" })).toThrow("no pass nowhere");
  });

  test("skips what the module does not ask for", () => {
    const { training: _none, ...inference } = mlp();
    const entries = inference.entries.filter((e) => e.name === "logits");
    const { steps, module } = run({ ...inference, entries }, pipeline, { until: "primitive" });
    expect(steps.map((s) => s.pass)).not.toContain("differentiate");
    expect(module.form).toBe("primitive");
  });

  test("rejects a module of another form", () => {
    const outcome = runPipeline(mlp(), stepsOf("expand"));
    expect(outcome.kind).toBe("rejected");
    expect(outcome.diagnostics.map((d) => d.message)).toEqual([
      "pass `expand` takes a module of form quantized or differentiated, this one is surface",
    ]);
  });

  test("turns an exception into a reproducer: the module before the pass and the pipeline from it on", () => {
    const outcome = runPipeline(mlp(), [...stepsOf("insert-hadamard"), { pass: throws, options: { at: 4 } }, step(identity)]);
    if (outcome.kind !== "crashed") throw new Error("it should crash");
    const { crash } = outcome;
    expect(crash.error.message).toBe("out of cheese");
    expect(crash.pass).toBe("throws");
    expect(crash.pipeline).toBe("throws {at = 4}, identity");
    expect(printModule(crash.module)).toBe(printModule(run(mlp(), "insert-hadamard").module));
    // As the driver writes it: the file reads back to the module and to the pipeline that crashes it.
    const file = { path: "crash.loomir", text: `${pipelineComment("cleanup, expand")}${printModule(crash.module)}` };
    expect(printModule(moduleOf(file.text))).toBe(printModule(crash.module));
    expect(pipelineOfComment(file)?.text).toBe("cleanup, expand");
  });

  test("a module that does not verify is a crash of the pass that left it", () => {
    const outcome = runPipeline(mlp(), [step(breaks)]);
    if (outcome.kind !== "crashed") throw new Error("it should crash");
    expect(outcome.crash.error.message).toMatch(/^the module does not verify after breaks:\n\n[\s\S]*\n +\^+ error\[/);
    expect(printModule(outcome.crash.module)).toBe(printModule(mlp()));
  });
});

describe("problems", () => {
  const complains = definePass({
    name: "complains",
    summary: "Does not like dots.",
    needs: "any",
    leaves: "same",
    options: {},
    run(module, _options, cx) {
      for (const entry of module.entries) {
        for (const instruction of entry.instructions) {
          if (instruction.op.signature.name === "dot")
            cx.report({ severity: "warning", code: "no-gradient", message: "a dot", instruction, help: ["none"] });
        }
      }
      return module;
    },
  });

  const located = (module: Module): Module =>
    mapEntries(module, (entry) => ({
      ...entry,
      instructions: entry.instructions.map((i, line) =>
        i.op.signature.name === "dot" ? { ...i, at: { path: "models/mlp.loom", line: 2, column: line < 5 ? 3 : 9 } } : i,
      ),
    }));

  test("point into the model where the source is at hand, once for entries that share a site", () => {
    const source = { path: "models/mlp.loom", text: "one\n  first second\n" };
    const { diagnostics } = run(located(mlp()), [step(complains)], { sources: [source] });
    expect(diagnostics.map((d) => source.text.slice(d.primary?.span.start, d.primary?.span.end))).toEqual(["first", "second"]);
    expect(diagnostics[0]?.help).toEqual(["none"]);
  });

  test("name the place where the source is not at hand", () => {
    expect(run(located(mlp()), [step(complains)]).diagnostics.map((d) => d.message)).toEqual([
      "models/mlp.loom:2:3: a dot",
      "models/mlp.loom:2:9: a dot",
    ]);
  });

  test("point into the IR text that was read, also at an instruction that was rewritten", () => {
    const source = { path: "mlp.loomir", text: moduleFile("mlp.loomir") };
    const parsed = parseWithSpans(source).value;
    if (parsed === undefined) throw new Error("the module should parse");
    const rebuilt = mapEntries(parsed.module, (entry) => removeDead({ ...entry, instructions: entry.instructions.map((i) => ({ ...i })) }));
    for (const module of [parsed.module, { ...rebuilt, entries: parsed.module.entries }]) {
      const { diagnostics } = run(module, [step(complains)], { spans: parsed.spans });
      expect(source.text.slice(diagnostics[0]?.primary?.span.start, diagnostics[0]?.primary?.span.end)).toMatch(
        /^%y1: .* = dot %images, %w1/,
      );
    }
  });
});

describe("pipelines as text", () => {
  test("print and read back", () => {
    const text = printPipeline(pipeline);
    expect(stepsOf(text).map((s) => s.pass.name)).toEqual(pipeline.map((s) => s.pass.name));
    expect(printPipeline(stepsOf(text))).toBe(text);
  });

  test("run as the built-in pipeline does", () => {
    expect(printModule(run(mlp(), printPipeline(pipeline)).module)).toBe(printModule(run(mlp(), pipeline).module));
  });

  test.each([
    ["insert-hadamrd", ["there is no pass `insert-hadamrd`", "insert-hadamard"]],
    ["cleanup,", ["expected the name of a pass", ""]],
    ["cleanup cleanup", ["unexpected `cleanup`", ""]],
    ["cleanup {hard = true}", ["`cleanup` has no attribute `hard`", ""]],
  ])("%s is refused", (text, [message = "", help = ""]) => {
    const { value, diagnostics } = parsePipeline({ path: "<pipeline>", text });
    expect(value).toBeUndefined();
    expect(diagnostics[0]?.message).toContain(message);
    expect(diagnostics[0]?.help?.join() ?? "").toContain(help);
  });

  test("a file without the comment asks for none", () => {
    expect(pipelineOfComment({ path: "x", text: "loomir 1\n// pipeline: cleanup\n" })).toBeUndefined();
    expect(parseModule({ path: "x", text: "// pipeline: cleanup\nloomir 1\nform surface\n" }).diagnostics).toEqual([]);
  });
});
