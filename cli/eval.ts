// `bitloom eval`: how good a trained model is on the data that was held out, under its own policy or another one.
import { Command } from "commander";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { type AdapterChoice, Device, evaluate, openData, Session } from "../runtime/index.ts";
import { compileFrom } from "./compilation.ts";
import { corpusLoss } from "./corpus-loss.ts";
import { adapterOption, jsonOption, policyOption, setOption, weightsOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { percent } from "./progress.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { targetOf } from "./target.ts";
import { loadWeights, type ModelFlags, packedForm, trainedModel, warnOfChanges } from "./trained-model.ts";

interface EvalFlags extends ModelFlags, ScheduleFlags {
  readonly batches?: number;
  readonly adapter: AdapterChoice;
}

export function evalCommand(output: Output): Command {
  return new Command("eval")
    .description("Evaluate a trained model on the held-out data: loss, and what the task has of bits per byte, perplexity, accuracy.")
    .argument("<run|file>", "folder of a run or of a checkpoint; or a model file (.loom) with `--weights`")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(weightsOption())
    .addOption(policyOption())
    .addOption(setOption())
    .option("--batches <n>", "evaluate this many batches (default: all that is held out)", wholeNumber(1))
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((first: string, recipe: string | undefined, flags: EvalFlags) => evaluateModel(first, recipe, flags, output));
}

async function evaluateModel(first: string, recipe: string | undefined, flags: EvalFlags, output: Output): Promise<void> {
  const model = await trainedModel(first, recipe, flags);
  const schedules = schedulesGiven(flags);
  using device = await Device.open({ adapter: flags.adapter });
  const options = {
    targets: [await targetOf(device)],
    portable: false,
    entries: (name: string) => name === "eval",
    packed: packedForm(model),
    ...schedules,
  };
  const artifact = await compileFrom(model.source, model.recipe, model.flags, options, output);
  warnOfChanges(model, artifact, output);
  const { run, entries, ...about } = artifact.manifest;
  const entry = entries["eval"];
  if (run === undefined || entry === undefined)
    throw new DiagnosticError([error("no-recipe", `\`${model.source.path}\` has no recipe, which would say what to evaluate on`)]);
  using session = await Session.open(artifact, device);
  output.diagnostics(await loadWeights(model, session));

  const dataset = await openData(run.data, entry);
  const part = flags.batches === undefined ? {} : { batches: flags.batches };
  const isClassified = entry.outputs.some(({ name }) => name === "correct");
  const metrics = [{ metric: "loss" as const, ...part }, ...(isClassified ? [{ metric: "accuracy" as const, ...part }] : [])];
  const started = performance.now();
  const { loss = Number.NaN, accuracy, targets } = await evaluate(session, dataset, run.data, metrics);
  const seconds = (performance.now() - started) / 1000;

  const text = dataset.corpus === undefined ? undefined : corpusLoss(loss, dataset.corpus);
  const perplexity = dataset.unit === "token" ? Math.exp(loss) : undefined;
  const { name, driver, isSoftware } = device.adapter;
  output.result({
    model: about.model,
    policy: about.policy,
    recipe: about.recipe,
    weights: model.weights,
    adapter: { name, driver, isSoftware },
    loss,
    bitsPerByte: text?.bitsPerByte,
    perplexity,
    accuracy,
    unigram: text?.unigram,
    bigram: text?.bigram,
    targets,
    seconds,
  });
  output.note(`${about.model}, recipe ${about.recipe ?? "-"}, policy ${about.policy}, weights ${model.weights}`);
  output.say(output.strong(`held-out loss ${text?.words ?? loss.toFixed(4)}`));
  if (perplexity !== undefined) output.say(`perplexity ${perplexity.toFixed(3)} a token`);
  if (accuracy !== undefined) output.say(`accuracy ${percent(accuracy)}`);
  output.say(`${targets} targets in ${seconds.toFixed(1)} s on ${name}${isSoftware ? " (software)" : ""}`);
}
