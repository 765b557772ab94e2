// `bitloom ir`: shows what the passes make of a model, as text that can be fed back.
import { Command } from "commander";
import {
  lowerSource,
  parsePipeline,
  pipeline,
  pipelineOfComment,
  printPipeline,
  remainingSteps,
  runPasses,
  untilNames,
  unwrap,
} from "../compiler/index.ts";
import { type Diagnostic, DiagnosticError, error, hasErrors } from "../ir/diagnostic.ts";
import type { Module } from "../ir/module.ts";
import { didYouMean } from "../ir/nearest.ts";
import type { Source } from "../ir/source.ts";
import { printModule } from "../ir/text/print.ts";
import { selectableNames, selectedEntries, selectionOf } from "../ir/text/selection.ts";
import { frontEndOptions, type SourceFlags } from "./compilation.ts";
import { readSource } from "./files.ts";
import { tellDiff } from "./ir-diff.ts";
import { type Dump, writeDumps } from "./ir-dumps.ts";
import { readModule } from "./module-files.ts";
import { contextOption, jsonOption, packedOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";

interface IrFlags extends SourceFlags {
  readonly dump?: string;
  readonly until?: string;
  readonly diff?: true;
  readonly only?: string;
  readonly locations?: true;
  readonly packed?: true;
}

export function irCommand(output: Output): Command {
  return new Command("ir")
    .description("Print a model's IR after the passes, or write it after every pass that changed it.")
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(contextOption())
    .addOption(packedOption())
    .option("--dump <folder>", "write `00-lower.loomir`, `01-PASS.loomir`, ... and `times.txt` there")
    .option("--until <form|pass>", `stop at a form or behind a pass (${untilNames(pipeline).join(", ")})`)
    .option("--diff", "print what each pass changed instead")
    .option(
      "--only <name>",
      "show a part: an entry (`@train`), the uses of an op (`hadamard`, `quant`), or what computes for an instance (`layers.0.attn`)",
    )
    .option("--locations", "end each line with its place in the model file, and the instance that it belongs to")
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: IrFlags) => showIr(file, recipe, flags, output));
}

async function showIr(file: string, recipe: string | undefined, flags: IrFlags, output: Output): Promise<void> {
  checkUntil(flags.until);
  const source = await readSource(file);
  const start = await startOf(source, recipe, flags, output);
  const steps = start.pipeline ?? remainingSteps(start.module, { packed: flags.packed === true ? "read" : "none" });
  const dumps: Dump[] = [{ name: `00-${start.name}.loomir`, module: start.module, place: 0 }];
  const report = runPasses(start.module, {
    sources: start.sources,
    pipeline: steps,
    ...(flags.until === undefined ? {} : { until: flags.until }),
    dump: (module, step) =>
      dumps.push({ name: `${String(step.place).padStart(2, "0")}-${step.pass}.loomir`, module, place: step.place, step }),
  });
  if (report.value === undefined || hasErrors(report.diagnostics)) throw new DiagnosticError(report.diagnostics);
  output.diagnostics(report.diagnostics);
  const { module, steps: records } = report.value;
  if (flags.dump !== undefined) {
    const files = await writeDumps(flags.dump, dumps, steps, records, flags.locations === true);
    output.result({ form: module.form, folder: flags.dump, files, steps: records });
    output.say(`wrote ${files.length} files to ${flags.dump}: ${files.join(", ")}`);
    if (flags.diff !== true) return;
  }
  const selection = flags.only === undefined ? undefined : selectionOf(flags.only);
  if (flags.only !== undefined && selection !== undefined) {
    const searched = flags.diff === true ? dumps.map((dump) => dump.module) : [module];
    if (!searched.some((m) => selectedEntries(m, selection).entries.length > 0)) throw nothingSelected(flags.only, searched);
  }
  const options = { locations: flags.locations === true, ...(selection === undefined ? {} : { only: selection }) };
  if (flags.diff === true) {
    tellDiff(dumps, options, output);
    return;
  }
  const text = printModule(selection === undefined ? module : selectedEntries(module, selection), options);
  if (output.isJson) output.result({ form: module.form, text, steps: records });
  else output.raw(text);
}

function nothingSelected(name: string, modules: readonly Module[]): DiagnosticError {
  const names = selectableNames(modules);
  const near = didYouMean(name, names);
  const entries = names.filter((n) => n.startsWith("@"));
  const help = near.length > 0 ? near : [`entries are ${entries.join(", ")}; an op or the path of an instance selects too`];
  return new DiagnosticError([error("matches-nothing", `nothing here is called \`${name}\``, undefined, "", help)]);
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
  const { value, diagnostics } = lowerSource(source, frontEndOptions(recipe, flags));
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
