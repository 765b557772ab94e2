// `bitloom run`: any entry or named function of a model on given tensors, on a GPU adapter or in the reference interpreter.
import { writeFile } from "node:fs/promises";
import { Command, Option } from "commander";
import { compileModule, lowerSource, runPasses, type Source } from "../compiler/index.ts";
import { bindEntry } from "../ir/bind-entry.ts";
import { DiagnosticError, error, hasErrors, type Report } from "../ir/diagnostic.ts";
import { evaluateEntry } from "../ir/interpreter.ts";
import { type Entry, entryNamed, type Module, valueNames } from "../ir/module.ts";
import { suggest } from "../ir/nearest.ts";
import { contiguous, denseTensor, type Tensor } from "../ir/tensor.ts";
import { printType, shapeOf } from "../ir/type.ts";
import {
  type AdapterChoice,
  Device,
  encodeWeights,
  giveWeights,
  type HostArray,
  initialValues,
  readParameters,
  Session,
} from "../runtime/index.ts";
import { frontEndOptions } from "./compilation.ts";
import { inputNames, inputsOf, isHost, type NamedTensor, sizesFrom } from "./entry-inputs.ts";
import { readSource } from "./files.ts";
import { readModule } from "./module-files.ts";
import { adapterOption, contextOption, jsonOption, policyOption, setOption, weightsOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { targetOf } from "./target.ts";
import { fromHost, type Numbers, readInputs, summary, toHost, toSaved } from "./tensor-values.ts";
import type { ModelFlags } from "./trained-model.ts";

interface RunFlags extends ModelFlags, ScheduleFlags {
  readonly recipe?: string;
  readonly model?: string;
  readonly input: readonly string[];
  readonly output?: string;
  readonly backend: "webgpu" | "interpreter";
  readonly seed: number;
  readonly step: number;
  readonly adapter: AdapterChoice;
}

export function runCommand(output: Output): Command {
  return new Command("run")
    .description(
      "Run any entry or named function of a model on given tensors. Sizes without a number follow from the shapes of the inputs.",
    )
    .argument("<file>", "model file (.loom) or IR (.loomir), `-` for a model on the standard input")
    .argument(
      "<entry>",
      "`logits`, `train` (with accumulation `accumulate` or `apply`), `eval`, `prefill`, `decode`, or the name of a function of the model",
    )
    .addOption(
      new Option(
        "--input <name=value>",
        "an input: `x=x.npy`, `x=x.safetensors`, numbers as in `x=[1, 2]`, or `all.safetensors` for all its tensors; may be repeated",
      )
        .argParser((text: string, before: readonly string[]) => [...before, text])
        .default([]),
    )
    .addOption(new Option("-o, --output <file>", "write the outputs to this safetensors file (default: print a summary)"))
    .addOption(new Option("--backend <which>", "where to run").choices(["webgpu", "interpreter"]).default("webgpu"))
    .addOption(weightsOption())
    .option("--recipe <name>", "a `train` block of the file; may be left out where there is only one")
    .option("--model <name>", "the module that is the model, where the file has no recipe")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(contextOption())
    .option("--seed <n>", "seed of the initial values of what has no weights", wholeNumber(0), 0)
    .option("--step <n>", "step at which the learning rate and its like are taken", wholeNumber(0), 0)
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((file: string, entry: string, flags: RunFlags) => runEntry(file, entry.replace(/^@/, ""), flags, output));
}

async function runEntry(file: string, name: string, flags: RunFlags, output: Output): Promise<void> {
  const source = await readSource(file);
  const given = readInputs(flags.input);
  // A chunk is as long as what it is given.
  const { module: whole, sources } = await moduleOf(source, name, flags, given.get("ids")?.shape[1], output);
  const accumulates = (whole.training?.accumulate ?? 1) > 1;
  // With accumulation, what is written as one step becomes these two.
  const isPart = accumulates && (name === "accumulate" || name === "apply");
  const entry = accumulates && name === "train" ? undefined : entryNamed(whole, isPart ? "train" : name);
  if (entry === undefined) {
    const names = whole.entries.flatMap((e) => (accumulates && e.name === "train" ? ["accumulate", "apply"] : [e.name]));
    throw new DiagnosticError([error("no-entry", `\`${file}\` has no entry \`${name}\``, undefined, "", suggest(name, names))]);
  }
  // Up to here passes decide what is computed, and what a training step takes and gives; behind it only how.
  const bound = bindEntry(entry, sizesFrom(entry, given));
  const module = checked(runPasses(only(whole, bound), { until: "differentiated", sources }), output).module;
  const prepared = entryNamed(module, name) ?? bound;
  const job: Job = { module, entry: prepared, inputs: inputsOf(prepared, given) };
  const outputs = flags.backend === "webgpu" ? await onAdapter(job, flags, output) : await interpreted(job, flags, output);
  output.result({
    entry: name,
    backend: flags.backend,
    outputs: outputs.map(({ name: each, type, numbers }) => ({
      name: each,
      type: printType(type),
      ...(flags.output === undefined ? { values: Array.from(numbers) } : {}),
    })),
    ...(flags.output === undefined ? {} : { file: flags.output }),
  });
  for (const { name: each, type, numbers } of outputs) output.say(summary(each, type, numbers));
  if (flags.output === undefined) return;
  const tensors = new Map(outputs.map(({ name: each, type, numbers }) => [each, toSaved(type, numbers)]));
  await writeFile(flags.output, encodeWeights({ tensors, metadata: {} }));
  output.say(`wrote ${flags.output}`);
}

/** An entry of a module of its own, with what it is run on. */
interface Job {
  readonly module: Module;
  readonly entry: Entry;
  readonly inputs: readonly NamedTensor[];
}

async function moduleOf(
  source: Source,
  name: string,
  flags: RunFlags,
  chunk: number | undefined,
  output: Output,
): Promise<{ readonly module: Module; readonly sources: readonly Source[] }> {
  if (source.path.endsWith(".loomir")) return { module: await readModule(source), sources: [] };
  const isCached = name === "prefill" || name === "decode";
  const { inference, ...options } = frontEndOptions(flags.recipe, isCached ? { ...flags, context: flags.context ?? true } : flags);
  const report = lowerSource(source, {
    ...options,
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...(inference === undefined ? {} : { inference: { ...inference, ...(chunk === undefined ? {} : { chunk }) } }),
  });
  const { module, resolved } = checked(report, output);
  return { module, sources: resolved.sources };
}

function checked<T>({ value, diagnostics }: Report<T>, output: Output): T {
  if (value === undefined || hasErrors(diagnostics)) throw new DiagnosticError(diagnostics);
  output.diagnostics(diagnostics);
  return value;
}

/** The module of one entry. What trains stays only where that is the one. */
function only(module: Module, entry: Entry): Module {
  const { training, ...rest } = module;
  return { ...rest, entries: [entry], ...(training !== undefined && entry.name === "train" ? { training } : {}) };
}

async function onAdapter({ module, entry, inputs }: Job, flags: RunFlags, output: Output): Promise<readonly NamedTensor[]> {
  const { adapter, weights, seed, step } = flags;
  using device = await Device.open({ adapter });
  const artifact = checked(compileModule(module, { targets: [await targetOf(device)], portable: false, ...schedulesGiven(flags) }), output);
  using session = await Session.open(artifact, device, { seed });
  if (weights !== undefined) output.diagnostics(await giveWeights(weights, session, { asTheyAre: true }));
  const scalars = new Set(inputNames(entry).flatMap(([name, input]) => (isHost(input) ? [name] : [])));
  const given = Object.fromEntries(
    inputs.map(({ name, type, numbers }): [string, HostArray | number] => [
      name,
      scalars.has(name) ? (numbers[0] ?? 0) : toHost(type, numbers),
    ]),
  );
  const results = await session.run(entry.name, given, { step });
  return entry.outputs.map(({ name, value: { type } }) => {
    const values = results[name];
    if (values === undefined) throw new Error(`the session gives no ${name}`);
    return { name, type, numbers: fromHost(type, values) };
  });
}

async function interpreted(
  { module, entry, inputs }: Job,
  { weights, seed, step }: RunFlags,
  output: Output,
): Promise<readonly NamedTensor[]> {
  const tiedTo = (name: string) => module.ties.filter(({ state }) => state === name).map(({ path }) => path);
  const records = module.states.map(({ name, type, role }) => ({ name, type: printType(type), role, tied: tiedTo(name) }));
  const loaded = weights === undefined ? undefined : await readParameters(weights, records, { asTheyAre: true });
  output.diagnostics(loaded?.warnings ?? []);
  const state = Object.fromEntries(
    module.states.map(({ name, type, init }): [string, Tensor] => {
      const values = loaded?.parameters.get(name) ?? initialValues(name, type, init, seed);
      return [name, denseTensor(shapeOf(type), fromHost(type, values))];
    }),
  );
  const names = valueNames(entry);
  const valueNamed = new Map(inputNames(entry).map(([name, { value }]) => [name, names.get(value) ?? name]));
  const tensors = inputs.map(({ name, type, numbers }) => [valueNamed.get(name) ?? name, denseTensor(shapeOf(type), numbers)] as const);
  const { outputs } = evaluateEntry(module, entry.name, { precision: "f32", inputs: Object.fromEntries(tensors), state, step });
  return entry.outputs.map(({ name, value: { type } }) => {
    const tensor = outputs[name];
    if (tensor === undefined) throw new Error(`the interpreter gives no ${name}`);
    return { name, type, numbers: contiguous(tensor) as Numbers };
  });
}
