// `bitloom train`: compiles a recipe for the adapter at hand, trains it, and says how good the result is.
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CompiledArtifact, compile, compileChecked, unwrap } from "../compiler/index.ts";
import { printBytes } from "../ir/byte-size.ts";
import { DiagnosticError, error, hasErrors, warning } from "../ir/diagnostic.ts";
import {
  type AdapterChoice,
  Device,
  defaultMemoryBudget,
  giveWeights,
  hasProbes,
  latestCheckpoint,
  openTrainingData,
  removeRun,
  Session,
  type TrainResult,
  train,
} from "../runtime/index.ts";
import { readSource } from "./files.ts";
import { sampleOf } from "./generate.ts";
import { OpenRun } from "./open-run.ts";
import { adapterOption, collect, jsonOption, memoryOption, policyOption, seedOption, setOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";
import { type ScheduleFlags, schedulesGiven, schedulesOption } from "./schedules.ts";
import { targetOf } from "./target.ts";
import { type Beside, tell } from "./train-report.ts";
import type { TrainCommand } from "./trained-model.ts";
import { watched } from "./watched.ts";

interface TrainFlags extends ScheduleFlags {
  readonly policy?: string;
  readonly set: readonly string[];
  readonly seed?: number;
  readonly steps?: number;
  readonly out?: string;
  readonly memory?: number;
  readonly adapter: AdapterChoice;
  readonly resume?: true | string;
  readonly overwrite?: true;
  readonly keep?: number;
  readonly beside?: string;
  readonly sample?: number;
  readonly probeEvery?: number;
  readonly init?: string;
  readonly fresh: readonly string[];
}

export function trainCommand(output: Output): Command {
  return new Command("train")
    .description("Train a recipe of a model file on this machine's GPU, or on the CPU through a software adapter where there is none.")
    .argument("<file>", "model file (.loom), `-` for the standard input")
    .argument("[recipe]", "a `train` block of the file; may be left out where there is only one")
    .addOption(policyOption())
    .addOption(setOption())
    .addOption(seedOption())
    .option("--steps <n>", "stop after this many steps; the schedule keeps its own number", wholeNumber(1))
    .option("--out <folder>", "run folder for metrics and checkpoints (default: runs/RECIPE)")
    .option(
      "--resume [checkpoint]",
      "go on from the run folder's latest checkpoint (from the beginning where it has none), or from the one of a step (`500`) or at a path",
    )
    .addOption(new Option("--overwrite", "replace the run that the folder holds").conflicts("resume"))
    .option(
      "--keep <n>",
      "number of checkpoints that stay (default: all where the recipe saves every so many steps, 2 where it saves by time)",
      wholeNumber(1),
    )
    .option(
      "--probe-every <n>",
      "after every so many steps log, for each rounded weight and activation, the trusted share and the error of rounding",
      wholeNumber(1),
    )
    .addOption(
      new Option("--sample <n>", "in the end, continue an empty text by this many tokens (`generate` does more)")
        .argParser(wholeNumber(1))
        .conflicts("json"),
    )
    .option(
      "--beside <policy>",
      "train under this policy too, from the same seed on the same data, and show its held-out loss beside the run's",
    )
    .option(
      "--init <weights>",
      "begin with the parameters of a safetensors file, a checkpoint, or a run folder's latest checkpoint, under whatever policy; moments and steps begin anew",
    )
    .addOption(
      new Option("--fresh <path>", "with `--init`: a parameter, or all below a path, that keeps its initial values; may be repeated")
        .argParser(collect)
        .default([]),
    )
    .addOption(memoryOption())
    .addOption(schedulesOption())
    .addOption(adapterOption())
    .addOption(jsonOption())
    .action((file: string, recipe: string | undefined, flags: TrainFlags) => trainFile(file, recipe, flags, output));
}

async function trainFile(file: string, recipe: string | undefined, flags: TrainFlags, output: Output): Promise<void> {
  if (flags.fresh.length > 0 && flags.init === undefined)
    throw new InvalidArgumentError("`--fresh` goes with `--init`: without it all parameters begin with their initial values");
  const source = await readSource(file);
  const schedules = schedulesGiven(flags);
  using device = await Device.open({ adapter: flags.adapter });
  const { adapter } = device;
  output.note(`adapter: ${adapter.name}${adapter.isSoftware ? ", software: it computes on the CPU" : ""} (${adapter.driver})`);

  const target = await targetOf(device);
  const memory = flags.memory ?? defaultMemoryBudget(device);
  const optionsFor = (policy: string | undefined) => ({
    ...(recipe === undefined ? {} : { recipe }),
    ...(policy === undefined ? {} : { policy }),
    set: flags.set,
    targets: [target],
    portable: false,
    ...schedules,
  });
  const probe = flags.probeEvery === undefined ? {} : { probe: true };
  const entries = ["train", "eval", "probe"];
  const compileUnder = (policy: string | undefined): CompiledArtifact => {
    const report = compile(source, { ...optionsFor(policy), memory, ...probe, entries: (name) => entries.includes(name) });
    if (report.value === undefined || hasErrors(report.diagnostics)) throw new DiagnosticError(report.diagnostics);
    output.diagnostics(report.diagnostics);
    return report.value;
  };
  const artifact = compileUnder(flags.policy);
  // Before anything is trained: a policy that is not there should not cost a run.
  const other = flags.beside === undefined ? undefined : compileUnder(flags.beside);
  const { manifest } = artifact;
  const probes = flags.probeEvery !== undefined && hasProbes(artifact);
  if (flags.probeEvery !== undefined && !probes)
    output.diagnostics([warning("no-entry", `policy ${manifest.policy} rounds nothing, so there is nothing to probe`)]);
  const folder = flags.out ?? join("runs", manifest.recipe ?? "run");
  refuseOtherRun(folder, flags);

  const started = performance.now();
  // A checkpoint that the run goes on from says what the weights are.
  const init = goesOn(folder, flags) ? undefined : flags.init;
  using open = new OpenRun(
    device,
    () => Device.open({ adapter: flags.adapter }),
    (on) => openSession(artifact, on, flags.seed, init, flags, output),
  );
  const loading = openTrainingData(artifact);
  // Told below, when the session is open: until then the driver compiles kernels.
  loading.catch(() => undefined);
  const session = await open.open();
  output.note(`${manifest.model}, recipe ${manifest.recipe ?? "-"}, policy ${manifest.policy}: ${describeSize(artifact, session)}`);
  if (flags.overwrite === true) await removeRun(folder);

  const dataset = await loading;
  const result = await watched(output, (signal, progress) =>
    train(session, {
      folder,
      dataset,
      signal,
      progress,
      reopen: () => open.reopen(),
      checked: () => unwrap(compileChecked(source, optionsFor(flags.policy))),
      config: { command: commandOf(file, recipe, flags), ...(flags.init === undefined ? {} : { init: flags.init, fresh: flags.fresh }) },
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      ...(flags.steps === undefined ? {} : { steps: flags.steps }),
      ...(flags.resume === undefined ? {} : { resume: flags.resume }),
      ...(probes ? { probeEvery: flags.probeEvery } : {}),
      ...(flags.keep === undefined ? {} : { keep: flags.keep }),
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const beside =
    other === undefined || result.ended === "interrupted" ? undefined : await trainBeside(other, open.device, result, flags, output);
  tell(result, { folder, seconds, device, artifact, output, ...(beside === undefined ? {} : { beside }) });
  if (flags.sample !== undefined && result.ended === "finished") await sample(folder, flags, open.device, output);
}

/** Drawn at a temperature at which small models neither repeat themselves nor babble. */
async function sample(folder: string, { sample: tokens = 0, adapter }: TrainFlags, device: Device, output: Output): Promise<void> {
  output.say("");
  await sampleOf(folder, { prompt: "\n", tokens, temperature: 0.8, seed: 0, contextEnd: "slide", set: [], adapter }, device, output);
}

/** A session as a run begins: with drawn weights, or with those that are given. */
async function openSession(
  artifact: CompiledArtifact,
  device: Device,
  seed: number | undefined,
  init: string | undefined,
  { fresh, memory }: TrainFlags,
  output: Output,
): Promise<Session> {
  const budget = memory === undefined ? {} : { memoryBudget: memory };
  const session = await Session.open(artifact, device, { ...budget, ...(seed === undefined ? {} : { seed }) });
  try {
    if (init !== undefined) output.diagnostics(await giveWeights(init, session, { fresh }));
    return session;
  } catch (problem) {
    session.dispose();
    throw problem;
  }
}

/** What the same steps come to under another policy. Nothing of it is kept. */
async function trainBeside(
  artifact: CompiledArtifact,
  device: Device,
  run: TrainResult,
  flags: TrainFlags,
  output: Output,
): Promise<Beside> {
  const { policy } = artifact.manifest;
  output.note(`beside it, under policy ${policy}:`);
  using session = await openSession(artifact, device, run.seed, flags.init, flags, output);
  const { evaluation } = await watched(output, (signal, progress) =>
    train(session, { signal, progress, seed: run.seed, steps: run.step, dataset: run.dataset }),
  );
  return { policy, ...(evaluation === undefined ? {} : { evaluation }) };
}

/** Whether the run goes on from a checkpoint. */
const goesOn = (folder: string, { resume }: TrainFlags): boolean =>
  typeof resume === "string" || (resume === true && latestCheckpoint(folder) !== undefined);

/** What the run's folder keeps, so that other commands find the model again. */
const commandOf = (file: string, recipe: string | undefined, { policy, set }: TrainFlags): TrainCommand => ({
  file,
  ...(recipe === undefined ? {} : { recipe }),
  ...(policy === undefined ? {} : { policy }),
  set,
});

/** A run is never overwritten by accident. */
function refuseOtherRun(folder: string, { resume, overwrite }: TrainFlags): void {
  const checkpoint = latestCheckpoint(folder);
  if (checkpoint === undefined || resume !== undefined || overwrite === true) return;
  const help = ["`--resume` goes on from there, `--overwrite` begins again, `--out` names another folder"];
  throw new DiagnosticError([error("run-exists", `\`${folder}\` holds a run already (${checkpoint})`, undefined, "", help)]);
}

function describeSize({ manifest }: CompiledArtifact, session: Session): string {
  const of = (entry: string) => session.target.dispatches[entry]?.length ?? 0;
  const dispatches = of("train") + (manifest.run?.accumulate ?? 1) * of("accumulate") + of("apply");
  const parameters = manifest.state.filter(({ role }) => role === "parameter").length;
  return `${parameters} parameter tensors, ${session.target.kernels.length} kernels, ${dispatches} dispatches a step, ${printBytes(session.byteLength)}${describePrecision(manifest, session)}`;
}

/** What became of a recipe's `precision = f16`: nothing is said where it asks for none. */
function describePrecision({ precision }: CompiledArtifact["manifest"], { device, target }: Session): string {
  if (precision === undefined) return "";
  if (!device.adapter.features.includes("shader-f16")) return "; activations in f32, as the adapter has no `shader-f16`";
  return target.requires.features.includes("shader-f16")
    ? "; activations in f16"
    : "; nothing in f16: no kernel hands activations to another";
}
