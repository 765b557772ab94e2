// `bitloom opt`: runs passes of one's own choice on IR text; the tool for looking at one pass alone.
import { Command, Option } from "commander";
import { parsePipeline, runPasses, unwrap } from "../compiler/index.ts";
import { DiagnosticError, error, hasErrors } from "../ir/diagnostic.ts";
import { printModule } from "../ir/text/print.ts";
import { readSource } from "./files.ts";
import { tellDiff } from "./ir-diff.ts";
import type { Dump } from "./ir-dumps.ts";
import { readModule } from "./module-files.ts";
import { jsonOption } from "./options.ts";
import type { Output } from "./output.ts";

interface OptFlags {
  readonly passPipeline?: string;
  readonly diff?: true;
  readonly locations?: true;
}

export function optCommand(output: Output): Command {
  return new Command("opt")
    .description("Run passes on IR and print what they leave; without passes, check the IR and print it in its canonical form.")
    .argument("<file>", "IR (.loomir), `-` for the standard input")
    .addOption(new Option("--pass-pipeline <passes>", "passes in order: `canonicalize, cleanup` (docs/passes.md has them all)"))
    .option("--diff", "print what each pass changed instead")
    .option("--locations", "end each line with its place in the model file, and the instance that it belongs to")
    .addOption(jsonOption())
    .action((file: string, flags: OptFlags) => opt(file, flags, output));
}

async function opt(file: string, { passPipeline, diff, locations }: OptFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  if (source.path.endsWith(".loom")) {
    const help = [`\`bitloom ir ${file}\` makes IR of it`];
    throw new DiagnosticError([error("wrong-file", `\`opt\` takes IR, \`${file}\` is a model`, undefined, "", help)]);
  }
  const module = await readModule(source);
  const pipeline = passPipeline === undefined ? [] : unwrap(parsePipeline({ path: "--pass-pipeline", text: passPipeline }));
  const dumps: Dump[] = [{ name: source.path, module, place: 0 }];
  const { value, diagnostics } = runPasses(module, {
    pipeline,
    dump: (changed, step) => dumps.push({ name: step.pass, module: changed, place: step.place, step }),
  });
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  const options = { locations: locations === true };
  if (diff === true) {
    tellDiff(dumps, options, output);
    return;
  }
  const text = printModule(value.module, options);
  if (output.isJson) output.result({ form: value.module.form, text, steps: value.steps });
  else output.raw(text);
}
