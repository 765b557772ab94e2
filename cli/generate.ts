// `bitloom generate`: continues a text with a trained model, and prints it as it comes.
import { text as textOf } from "node:stream/consumers";
import { Command, Option } from "commander";
import type { CompiledArtifact } from "../compiler/index.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import {
  type AdapterChoice,
  contextOf,
  corpusTokenizer,
  Device,
  type Generation,
  generate,
  type SamplingOptions,
  Session,
  type Tokenizer,
} from "../runtime/index.ts";
import { compileFrom } from "./compilation.ts";
import { adapterOption, anyNumber, jsonOption, policyOption, setOption, weightsOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { targetOf } from "./target.ts";
import { loadWeights, type ModelFlags, packedForm, type TrainedModel, trainedModel, warnOfChanges } from "./trained-model.ts";

interface GenerateFlags extends ModelFlags, SamplingOptions, ScheduleFlags {
  readonly prompt: string;
  readonly tokens: number;
  readonly contextEnd: "slide" | "stop";
  readonly tokenizer?: string;
  readonly adapter: AdapterChoice;
}

export function generateCommand(output: Output): Command {
  return new Command("generate")
    .description("Continue a text with a trained model. The text goes to the standard output as it comes, the speed to the standard error.")
    .argument("<run|file>", "folder of a run or of a checkpoint; or a model file (.loom) with `--weights`")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(weightsOption())
    .addOption(new Option("--prompt <text>", "the text to continue, `-` for the standard input").default("\n", "a new line"))
    .option("--tokens <n>", "number of tokens to make", wholeNumber(1), 200)
    .option(
      "--temperature <x>",
      "draw tokens, from sharper (near 0) or flatter (above 1) probabilities (default: the likeliest)",
      anyNumber,
    )
    .option("--top-k <n>", "draw from the n likeliest tokens alone", wholeNumber(1))
    .option("--top-p <share>", "draw from the likeliest tokens that have this share of the probability", anyNumber)
    .option("--seed <n>", "seed of the draws (default: 0)", wholeNumber(0))
    .option("--context <n>", "tokens that the model sees at a time (default: as many as the recipe trains on)", wholeNumber(2))
    .addOption(
      new Option(
        "--context-end <what>",
        "when the context is full, `slide` goes on from its newest half, which is computed anew; `stop` ends",
      )
        .choices(["slide", "stop"])
        .default("slide"),
    )
    .option("--tokenizer <path>", "`tokenizer.json` or `bytes`, where the recipe's data does not say")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((first: string, recipe: string | undefined, flags: GenerateFlags) => generateText(first, recipe, flags, output));
}

async function generateText(first: string, recipe: string | undefined, flags: GenerateFlags, output: Output): Promise<void> {
  // Before a device is opened: what is wrong with the input needs none.
  const model = await trainedModel(first, recipe, flags);
  const prompt = await promptOf(flags);
  using device = await Device.open({ adapter: flags.adapter });
  await continueText(model, prompt, flags, device, output);
}

/** What the command does with a run's latest weights, for a command that has a device open. */
export async function sampleOf(run: string, flags: GenerateFlags, device: Device, output: Output): Promise<void> {
  await continueText(await trainedModel(run, undefined, flags), await promptOf(flags), flags, device, output);
}

const promptOf = async ({ prompt }: GenerateFlags): Promise<string> => (prompt === "-" ? await textOf(process.stdin) : prompt);

async function continueText(model: TrainedModel, prompt: string, flags: GenerateFlags, device: Device, output: Output): Promise<void> {
  const artifact = await compileFrom(
    model.source,
    model.recipe,
    { ...model.flags, context: flags.context ?? true },
    {
      targets: [await targetOf(device)],
      portable: false,
      packed: packedForm(model),
      ...schedulesGiven(flags),
      entries: (name) => name === "prefill" || name === "decode",
    },
    output,
  );
  warnOfChanges(model, artifact, output);
  // A warning has said what the model lacks.
  if (artifact.manifest.entries["decode"] === undefined)
    throw new DiagnosticError([error("no-entry", `\`${model.source.path}\` is no model that continues text`)]);
  const tokenizer = await tokenizerOf(artifact, flags.tokenizer);
  using session = await Session.open(artifact, device);
  output.diagnostics(await loadWeights(model, session));
  const { manifest } = artifact;
  output.note(`${manifest.model}, policy ${manifest.policy}, context ${contextOf(session)}, weights ${model.weights}`);

  const { contextEnd: atContextEnd, tokens } = flags;
  const ids = tokenizer.encode(new TextEncoder().encode(prompt), "the prompt");
  const run = generate(session, { ...samplingOf(flags), prompt: ids, tokens, atContextEnd });
  // A prompt that is refused is not printed first.
  let next = await run.next();
  output.piece(prompt);
  const decoder = tokenizer.decoder();
  let text = "";
  const show = (piece: string): void => {
    text += piece;
    output.piece(piece);
  };
  for (; next.done !== true; next = await run.next()) show(decoder.push(next.value));
  show(decoder.end());
  tell({ prompt, promptTokens: ids.length, text, generation: next.value, device, artifact, weights: model.weights, output });
}

const samplingOf = ({ temperature, topK, topP, seed }: SamplingOptions): SamplingOptions => ({
  ...(temperature === undefined ? {} : { temperature }),
  ...(topK === undefined ? {} : { topK }),
  ...(topP === undefined ? {} : { topP }),
  ...(seed === undefined ? {} : { seed }),
});

function tokenizerOf({ manifest: { run } }: CompiledArtifact, asked: string | undefined): Promise<Tokenizer> {
  if (asked !== undefined) return corpusTokenizer({ tokenizer: asked });
  if (run?.data.source === "corpus") return corpusTokenizer(run.data.named);
  throw new DiagnosticError([
    error("no-tokenizer", "the recipe's data is no corpus, so nothing says how text becomes tokens", undefined, "", [
      "name a tokenizer: `--tokenizer tokenizer.json`, or `--tokenizer bytes`",
    ]),
  ]);
}

interface Told {
  readonly prompt: string;
  readonly promptTokens: number;
  readonly text: string;
  readonly generation: Generation;
  readonly device: Device;
  readonly artifact: CompiledArtifact;
  readonly weights: string;
  readonly output: Output;
}

function tell({ prompt, promptTokens, text, generation, device, artifact, weights, output }: Told): void {
  const { ended, tokens, slides, promptMs, decodeMs } = generation;
  const { model, policy, recipe } = artifact.manifest;
  const { name, driver, isSoftware } = device.adapter;
  const tokensPerSecond = (1000 * tokens) / decodeMs;
  output.result({
    model,
    policy,
    recipe,
    weights,
    adapter: { name, driver, isSoftware },
    prompt,
    text,
    promptTokens,
    tokens,
    ended,
    slides,
    promptMs,
    tokensPerSecond,
  });
  output.piece("\n");
  if (ended === "context") output.note(`the context is full after ${tokens} tokens`);
  const slid = slides === 0 ? "" : `, the context slid ${slides} time${slides === 1 ? "" : "s"}`;
  output.note(
    `${tokens} tokens in ${(decodeMs / 1000).toFixed(2)} s: ${tokensPerSecond.toFixed(1)} tokens/s; prompt of ${promptTokens} in ${promptMs.toFixed(0)} ms${slid}`,
  );
}
