// `bitloom compile`: writes a compiled artifact, a folder that the runtime runs without the compiler.
import { basename, join } from "node:path";
import { Command, Option } from "commander";
import type { CompiledArtifact } from "../compiler/index.ts";
import { printBytes } from "../ir/byte-size.ts";
import { type AdapterChoice, writeArtifact } from "../runtime/index.ts";
import { compileFrom, type SourceFlags, targetsHere } from "./compilation.ts";
import { readSource } from "./files.ts";
import { adapterOption, contextOption, jsonOption, memoryOption, packedOption, policyOption, setOption } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";

interface CompileFlags extends SourceFlags, ScheduleFlags {
  readonly output?: string;
  readonly memory?: number;
  readonly adapter: AdapterChoice;
  readonly portable?: true;
  readonly packed?: true;
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
    .addOption(contextOption())
    .addOption(packedOption())
    .addOption(memoryOption())
    .addOption(schedulesOption())
    .addOption(new Option("-o, --output <folder>", "folder to write (default: out/RECIPE)"))
    .addOption(adapterOption())
    .option("--portable", "compile the portable target alone, without looking for an adapter")
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: CompileFlags) => compileFile(file, recipe, flags, output));
}

async function compileFile(file: string, recipe: string | undefined, flags: CompileFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  const schedules = schedulesGiven(flags);
  const targets = flags.portable === true ? [] : await targetsHere(flags.adapter, output);
  const artifact = await compileFrom(
    source,
    recipe,
    flags,
    {
      targets,
      ...(flags.memory === undefined ? {} : { memory: flags.memory }),
      ...(flags.packed === true ? { packed: "read" as const } : {}),
      ...schedules,
    },
    output,
  );
  const folder = flags.output ?? join("out", artifact.manifest.recipe ?? basename(file).replace(/\.\w+$/, ""));
  await writeArtifact(artifact, folder);
  tell(artifact, folder, output);
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
    output.say(`  target ${name}: ${kernels} kernels, ${printBytes(bytes)}, dispatches ${counts.join(", ")}`);
  }
  output.say(output.strong(`wrote ${join(folder, "artifact.json")}`));
}
