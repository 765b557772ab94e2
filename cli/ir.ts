// `bitloom ir`: shows what the passes make of a model, as text that can be fed back.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import {
  lowerSource,
  parsePipeline,
  pipeline,
  pipelineComment,
  pipelineOfComment,
  printPipeline,
  remainingSteps,
  runPasses,
  type StepRecord,
  untilNames,
  unwrap,
} from "../compiler/index.ts";
import { type Diagnostic, DiagnosticError, error, hasErrors } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import { didYouMean } from "../ir/nearest.ts";
import type { Source } from "../ir/source.ts";
import { printModule } from "../ir/text/print.ts";
import { readSource } from "./files.ts";
import { ModuleFolder, readModule } from "./module-files.ts";
import { jsonOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";

interface IrFlags {
  readonly policy?: string;
  readonly set: readonly string[];
  readonly dump?: string;
  readonly until?: string;
  readonly locations?: true;
}

export function irCommand(output: Output): Command {
  return new Command("ir")
    .description("Print a model's IR after the passes, or write it after every pass that changed it.")
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .option("--dump <folder>", "write `00-lower.loomir`, `01-PASS.loomir`, ... and `times.txt` there")
    .option("--until <form|pass>", `stop at a form or behind a pass (${untilNames(pipeline).join(", ")})`)
    .option("--locations", "end each line with its place in the model file")
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: IrFlags) => showIr(file, recipe, flags, output));
}

async function showIr(file: string, recipe: string | undefined, flags: IrFlags, output: Output): Promise<void> {
  checkUntil(flags.until);
  const source = await readSource(file);
  const start = await startOf(source, recipe, flags, output);
  const steps = start.pipeline ?? remainingSteps(start.module);
  const dumps: Dump[] = [{ name: `00-${start.name}.loomir`, module: start.module, place: 0 }];
  const report = runPasses(start.module, {
    sources: start.sources,
    pipeline: steps,
    ...(flags.until === undefined ? {} : { until: flags.until }),
    dump: (module, step) => dumps.push({ name: `${String(step.place).padStart(2, "0")}-${step.pass}.loomir`, module, place: step.place }),
  });
  if (report.value === undefined || hasErrors(report.diagnostics)) throw new DiagnosticError(report.diagnostics);
  output.diagnostics(report.diagnostics);
  const { module, steps: records } = report.value;
  if (flags.dump === undefined) {
    if (output.isJson)
      output.result({ form: module.form, text: printModule(module, { locations: flags.locations === true }), steps: records });
    else output.raw(printModule(module, { locations: flags.locations === true }));
    return;
  }
  const files = await writeDumps(flags.dump, dumps, steps, records, flags.locations === true);
  output.result({ form: module.form, folder: flags.dump, files, steps: records });
  output.say(`wrote ${files.length} files to ${flags.dump}: ${files.join(", ")}`);
}

interface Dump {
  readonly name: string;
  readonly module: Module;
  /** How many passes of the pipeline are behind it. */
  readonly place: number;
}

interface Start {
  readonly name: string;
  readonly module: Module;
  readonly sources: readonly Source[];
  /** From the first line of a dump or a crash reproducer. */
  readonly pipeline?: typeof pipeline;
}

async function startOf(source: Source, recipe: string | undefined, flags: IrFlags, output: Output): Promise<Start> {
  if (source.path.endsWith(".loomir")) {
    const asked = pipelineOfComment(source);
    const module = await readModule(source);
    return { name: "parsed", module, sources: [], ...(asked === undefined ? {} : { pipeline: withStages(unwrap(parsePipeline(asked))) }) };
  }
  const { value, diagnostics } = lowerSource(source, {
    set: flags.set,
    ...(recipe === undefined ? {} : { recipe }),
    ...(flags.policy === undefined ? {} : { policy: flags.policy }),
  });
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  return { name: "lower", module: value.module, sources: value.resolved.sources };
}

/** A pipeline that a text names, with the stages of the compiler's own where it is the end of that: `--until` goes by them. */
function withStages(steps: typeof pipeline): typeof pipeline {
  const end = pipeline.slice(-steps.length);
  return printPipeline(end) === printPipeline(steps) ? end : steps;
}

function checkUntil(until: string | undefined): void {
  const names = untilNames(pipeline);
  if (until === undefined || names.includes(until)) return;
  const near = didYouMean(until, names);
  const problem: Diagnostic = error(
    "unknown-form",
    `no form or pass is called \`${until}\``,
    undefined,
    "",
    near.length > 0 ? near : [`there are ${names.join(", ")}`],
  );
  throw new DiagnosticError([problem]);
}

/** Each dump begins with the passes that it has not seen yet, so that it can be fed back. */
async function writeDumps(
  folder: string,
  dumps: readonly Dump[],
  steps: typeof pipeline,
  records: readonly StepRecord[],
  locations: boolean,
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const modules = new ModuleFolder(folder);
  for (const { name, module, place } of dumps) {
    const rest = steps.slice(place);
    await modules.write(name, module, { locations, before: rest.length === 0 ? "" : pipelineComment(printPipeline(rest)) });
  }
  await modules.close();
  await writeFile(join(folder, "times.txt"), timesText(records));
  return [...dumps.map(({ name }) => name), "times.txt"];
}

/** One line a pass: place, name, milliseconds, whether it changed the module, what it counted. */
function timesText(records: readonly StepRecord[]): string {
  const width = Math.max(0, ...records.map(({ pass }) => pass.length));
  const lines = records.map(({ place, pass, changed, counts, elapsedMs }) => {
    const counted = Object.entries(counts).map(([what, times]) => `${what} ${times}`);
    return `${String(place).padStart(2, "0")} ${pass.padEnd(width)} ${elapsedMs.toFixed(1).padStart(8)} ms  ${changed ? "changed  " : "unchanged"}  ${counted.join(", ")}`.trimEnd();
  });
  return `${lines.join("\n")}\n`;
}
