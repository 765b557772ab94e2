// `bitloom verify`: proves that a packed file computes what its checkpoint does.
import { Command } from "commander";
import { nearLogits } from "../equivalence/text.ts";
import { type Verified, verifyPacked } from "../equivalence/verify.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { type AdapterChoice, Device, readPackedFile } from "../runtime/index.ts";
import { frontEndOptions } from "./compilation.ts";
import { adapterOption, jsonOption, policyOption, setOption, weightsOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { targetOf } from "./target.ts";
import { type ModelFlags, trainedModel, warnOfChanges } from "./trained-model.ts";

interface VerifyFlags extends ModelFlags {
  readonly packed: string;
  readonly targets: number;
  readonly adapter: AdapterChoice;
}

export function verifyCommand(output: Output): Command {
  return new Command("verify")
    .description(
      "Compare a packed file with the training graph of its checkpoint: every code and scale, every layer on the graph's own input, chosen tokens, the held-out loss.",
    )
    .argument("<run|file>", "folder of a run or of a checkpoint; or a model file (.loom) with `--weights`")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .requiredOption("--packed <file>", "the packed file, as `bitloom export` writes it")
    .option("--targets <n>", "held-out targets to compare the loss on, at least", wholeNumber(1), 20_000)
    .addOption(weightsOption())
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((first: string, recipe: string | undefined, flags: VerifyFlags) => verifyModel(first, recipe, flags, output));
}

async function verifyModel(first: string, recipe: string | undefined, flags: VerifyFlags, output: Output): Promise<void> {
  const model = await trainedModel(first, recipe, flags);
  const packed = await readPackedFile(flags.packed);
  if (packed === undefined)
    throw new DiagnosticError([
      error("bad-packed", `${flags.packed} is no packed file`, undefined, "", ["`bitloom export RUN -o FILE` writes one"]),
    ]);
  using device = await Device.open({ adapter: flags.adapter });
  const verified = await verifyPacked({
    source: model.source,
    compile: { ...frontEndOptions(model.recipe, model.flags), targets: [await targetOf(device)], portable: false },
    weights: model.weights,
    packed,
    path: flags.packed,
    device,
    targets: flags.targets,
    onCompiled: (artifact) => warnOfChanges(model, artifact, output),
    onStage: (stage) => output.note(stage),
  });
  tell(verified, flags.packed, output);
}

function tell({ weights, parameters, layers, text, heldOut }: Verified, path: string, output: Output): void {
  output.result({ packed: path, equal: true, weights, parameters, layers, text, heldOut });
  output.say(`weights   ${weights.count} equal: ${weights.codes} codes, ${weights.scales} scales`);
  if (parameters.count > 0) output.say(`floats    ${parameters.count} parameters equal: ${parameters.elements} elements`);
  const share = `at most ${layers.worst.toPrecision(2)} of K eps sum|a b|`;
  output.say(`layers    ${layers.count} equal: ${layers.codes} codes of activations; ${layers.outputs} outputs differ by ${share}`);
  if (text !== undefined) {
    const ties = text.near === 0 ? "" : `, but for ${text.near} whose two best logits lie within ${nearLogits}`;
    output.say(`text      ${text.positions} tokens chosen alike${ties}`);
  }
  const { trainedLoss, packedLoss, targets } = heldOut;
  const perplexity = Math.abs(Math.expm1(packedLoss - trainedLoss)).toExponential(1);
  output.say(
    `held-out  loss ${packedLoss.toFixed(6)} packed, ${trainedLoss.toFixed(6)} in training, on ${targets} targets: perplexity differs by ${perplexity} of itself`,
  );
  output.say(output.strong(`${path} computes what was trained`));
}
