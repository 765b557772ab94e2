// `bitloom compile`: writes a compiled artifact, a folder that the runtime runs without the compiler.
import { basename, join } from "node:path";
import { Command, Option } from "commander";
import { type CompiledArtifact, compile, compileModule } from "../compiler/index.ts";
import { DiagnosticError, hasErrors, type Report } from "../ir/diagnostic.ts";
import type { Target } from "../ir/plan.ts";
import type { Source } from "../ir/source.ts";
import { type AdapterChoice, Device, writeArtifact } from "../runtime/index.ts";
import { readSource } from "./files.ts";
import { readModule } from "./module-files.ts";
import { adapterOption, jsonOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";
import { targetOf } from "./target.ts";

interface CompileFlags {
  readonly policy?: string;
  readonly set: readonly string[];
  readonly output?: string;
  readonly adapter: AdapterChoice;
  readonly portable?: true;
}

export function compileCommand(output: Output): Command {
  return new Command("compile")
    .description(
      "Compile a recipe to an artifact: a folder with one JSON file, WGSL kernels and constants, which runs without the compiler.",
    )
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(new Option("-o, --output <folder>", "folder to write (default: out/RECIPE)"))
    .addOption(adapterOption())
    .option("--portable", "compile the portable target alone, without looking for an adapter")
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: CompileFlags) => compileFile(file, recipe, flags, output));
}

async function compileFile(file: string, recipe: string | undefined, flags: CompileFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  const targets = flags.portable === true ? [] : await targetsHere(flags.adapter, output);
  const report = await compileSource(source, recipe, flags, targets);
  if (report.value === undefined || hasErrors(report.diagnostics)) throw new DiagnosticError(report.diagnostics);
  output.diagnostics(report.diagnostics);
  const folder = flags.output ?? join("out", report.value.manifest.recipe ?? basename(file).replace(/\.\w+$/, ""));
  await writeArtifact(report.value, folder);
  tell(report.value, folder, output);
}

async function compileSource(
  source: Source,
  recipe: string | undefined,
  flags: CompileFlags,
  targets: readonly Target[],
): Promise<Report<CompiledArtifact>> {
  if (source.path.endsWith(".loomir")) return compileModule(await readModule(source), { targets, model: source.path });
  return compile(source, {
    ...(recipe === undefined ? {} : { recipe }),
    ...(flags.policy === undefined ? {} : { policy: flags.policy }),
    set: flags.set,
    targets,
  });
}

/** Compiling works without an adapter: the artifact is then portable alone. */
async function targetsHere(adapter: AdapterChoice, output: Output): Promise<readonly Target[]> {
  try {
    using device = await Device.open({ adapter });
    return [await targetOf(device)];
  } catch (problem) {
    if (!(problem instanceof DiagnosticError) || adapter !== "auto") throw problem;
    output.note("no adapter here: compiling the portable target alone");
    return [];
  }
}

function tell({ manifest }: CompiledArtifact, folder: string, output: Output): void {
  const targets = manifest.targets.map(({ name, kernels, slabs, dispatches }) => ({
    name,
    kernels: kernels.length,
    dispatches: Object.fromEntries(Object.entries(dispatches).map(([entry, list]) => [entry, list.length])),
    bytes: slabs.reduce((sum, { bytes }) => sum + bytes, 0),
  }));
  output.result({ folder, model: manifest.model, policy: manifest.policy, recipe: manifest.recipe, targets });
  output.say(`${manifest.model}, policy ${manifest.policy}`);
  for (const { name, kernels, dispatches, bytes } of targets) {
    const counts = Object.entries(dispatches).map(([entry, count]) => `@${entry} ${count}`);
    output.say(`  target ${name}: ${kernels} kernels, ${(bytes / 2 ** 20).toFixed(1)} MiB, dispatches ${counts.join(", ")}`);
  }
  output.say(output.strong(`wrote ${join(folder, "artifact.json")}`));
}
