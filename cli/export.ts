// `bitloom export`: a trained model in the form in which it is served.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { Command, Option } from "commander";
import type { CompiledArtifact } from "../compiler/index.ts";
import { isWeight } from "../ir/artifact.ts";
import { printBytes } from "../ir/byte-size.ts";
import { type Diagnostic, DiagnosticError, error } from "../ir/diagnostic.ts";
import { sparseBits } from "../ir/quant/sparse-packing.ts";
import {
  type AdapterChoice,
  Device,
  encodeWeights,
  giveWeights,
  type PackedModel,
  type PackedWeight,
  packedWeights,
  packSession,
  readParameters,
  Session,
  writeFileDurably,
} from "../runtime/index.ts";
import { compileFrom } from "./compilation.ts";
import { adapterOption, jsonOption, policyOption, setOption, weightsOption } from "./options.ts";
import type { Output } from "./output.ts";
import { targetOf } from "./target.ts";
import { type ModelFlags, trainedModel, warnOfChanges } from "./trained-model.ts";

interface ExportFlags extends ModelFlags {
  readonly output?: string;
  readonly adapter: AdapterChoice;
}

export function exportCommand(output: Output): Command {
  return new Command("export")
    .description("Write a trained model as it is served: codes and scales of quantized weights in one safetensors file.")
    .argument("<run|file>", "folder of a run or of a checkpoint; or a model file (.loom) with `--weights`")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(weightsOption())
    .addOption(new Option("--format <format>", "what to write").choices(["bitloom"]).default("bitloom"))
    .addOption(new Option("-o, --output <file>", "file to write (default: `RECIPE.packed.safetensors`)"))
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((first: string, recipe: string | undefined, flags: ExportFlags) => exportModel(first, recipe, flags, output));
}

async function exportModel(first: string, recipe: string | undefined, flags: ExportFlags, output: Output): Promise<void> {
  const model = await trainedModel(first, recipe, flags);
  if (model.packed !== undefined)
    throw new DiagnosticError([
      error("nothing-to-pack", `${model.weights} is packed already`, undefined, "", ["name the run that it was made from"]),
    ]);
  using device = await Device.open({ adapter: flags.adapter });
  const options = { targets: [await targetOf(device)], portable: false };
  // Of both artifacts state alone is of interest: entries without sizes are nobody's concern here, and the second one's warnings are the first one's.
  const warned = {
    diagnostics: (all: readonly Diagnostic[]) => output.diagnostics(all.filter(({ code }) => code !== "unbound-dimension")),
  };
  const served = await compileFrom(model.source, model.recipe, model.flags, { ...options, packed: "read" }, warned);
  warnOfChanges(model, served, output);
  const packing = await compileFrom(model.source, model.recipe, model.flags, { ...options, packed: "write" }, { diagnostics: () => {} });
  using session = await Session.open(packing, device);
  await giveWeights(model.weights, session, { asTheyAre: true });
  const kept = served.manifest.state.filter(isWeight);
  const { parameters } = await readParameters(model.weights, kept, { asTheyAre: true });
  const packed = await packSession(session, served, parameters);
  const file = encodeWeights(packedWeights(packed));
  const path = flags.output ?? `${served.manifest.recipe ?? "model"}.packed.safetensors`;
  await mkdir(dirname(path), { recursive: true });
  await writeFileDurably(path, file);
  tell({ path, bytes: file.byteLength, packed, served, weights: model.weights }, output);
}

interface Told {
  readonly path: string;
  readonly bytes: number;
  readonly packed: PackedModel;
  readonly served: CompiledArtifact;
  readonly weights: string;
}

function tell({ path, bytes, packed, served, weights }: Told, output: Output): void {
  const { model, policy } = served.manifest;
  const counts = [...packed.weights.values()].map(({ codes, scales, offsets = [], declaration }) => ({
    elements: codes.length,
    bits: codes.length * storedBits(declaration) + 32 * (scales.length + offsets.length),
  }));
  const elements = counts.reduce((sum, each) => sum + each.elements, 0);
  const bitsPerWeight = counts.reduce((sum, each) => sum + each.bits, 0) / elements;
  output.result({ path, model, policy, weights, bytes, quantizedWeights: elements, bitsPerWeight });
  output.say(`${model}, policy ${policy}, weights ${weights}`);
  output.say(`${packed.weights.size} quantized weights of ${elements} elements, ${bitsPerWeight.toFixed(2)} bits each with their scales`);
  output.say(output.strong(`wrote ${path}: ${printBytes(bytes)}`));
}

/** Bits that an element takes. */
const storedBits = ({ bits, unit }: PackedWeight["declaration"]): number =>
  unit === undefined ? bits : sparseBits({ levelBits: bits, unit });
