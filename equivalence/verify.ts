// The promise that what was trained is what is served, checked: weights, then layers, then held-out text.
import { compile } from "../compiler/driver/compile.ts";
import type { CompiledArtifact, CompileOptions } from "../compiler/index.ts";
import { type Diagnostic, DiagnosticError, error, unwrap } from "../ir/diagnostic.ts";
import type { Source } from "../ir/source.ts";
import { wholeName } from "../ir/state-piece.ts";
import {
  Batches,
  type Device,
  evaluate,
  givePacked,
  giveWeights,
  type Outputs,
  openData,
  type PackedModel,
  Session,
} from "../runtime/index.ts";
import { compileLayers, compileProbed, type ProbedTraining } from "./graphs.ts";
import { compareLayer, compareWeights, outputOf, outputTypes } from "./layers.ts";
import { compareParameters, refuseOtherNames } from "./parameters.ts";
import { type ComparedText, compareText } from "./text.ts";

export interface VerifyOptions {
  readonly source: Source;
  /** Recipe, policy and overrides; one target, that of the device. */
  readonly compile: CompileOptions;
  /** The checkpoint, or a safetensors file of parameters. */
  readonly weights: string;
  readonly packed: PackedModel;
  /** Path of the packed file, for messages. */
  readonly path: string;
  readonly device: Device;
  /** Held-out targets to compare the loss on, at least; default 20,000. */
  readonly targets?: number;
  /** Told what the recipe evaluates with, before anything is compared. */
  readonly onCompiled?: (artifact: CompiledArtifact) => void;
  /** Told what is about to be checked. */
  readonly onStage?: (stage: string) => void;
}

export interface Verified {
  readonly weights: { readonly count: number; readonly codes: number; readonly scales: number };
  /** What is served as it was trained. */
  readonly parameters: { readonly count: number; readonly elements: number };
  readonly layers: {
    readonly count: number;
    /** Codes of activations that were compared. */
    readonly codes: number;
    readonly outputs: number;
    /** Largest distance of outputs as a share of K eps sum|a b|. */
    readonly worst: number;
  };
  /** Absent for models that continue no text. */
  readonly text?: ComparedText;
  readonly heldOut: { readonly trainedLoss: number; readonly packedLoss: number; readonly targets: number };
}

/** What the loss may differ by, relative, in perplexity. */
const mostPerplexity = 1e-3;
const leastTargets = 20_000;

/**
 * Check a packed model against the training graph of its checkpoint. Throws a DiagnosticError: `not-equal` with a diagnostic for each layer
 * that differs, which names it and the first element; `packed-mismatch` where the file means something else than the model.
 */
export async function verifyPacked(options: VerifyOptions): Promise<Verified> {
  const { source, compile: settings, device, packed, path, onStage } = options;
  const evaluation = unwrap(compile(source, { ...settings, entries: (name) => name === "eval" }));
  options.onCompiled?.(evaluation);
  const { run } = evaluation.manifest;
  if (run === undefined)
    throw new DiagnosticError([error("no-recipe", `\`${source.path}\` has no recipe, which would say what to verify on`)]);
  onStage?.("weights: the training graph's codes and scales");
  const training = unwrap(compileProbed(source, settings));
  const layers = unwrap(compileLayers(source, settings));
  // Refused before anything is compared: codes that mean something else need no comparison.
  using layerSession = await Session.open(layers.artifact, device);
  givePacked(packed, layerSession, path);
  refuseOtherNames(source, settings, packed, path);
  const trained = await trainingValues(training, run.data, options);
  const { differing: otherWeights, ...weights } = compareWeights(training, layers, trained, packed);
  const { differing: otherParameters, ...parameters } = await compareParameters(
    layers.artifact.manifest.state,
    options.weights,
    packed,
    path,
  );
  if (otherWeights.length + otherParameters.length > 0) throw new DiagnosticError([...otherWeights, ...otherParameters]);

  onStage?.("layers: each fed what the training graph feeds it");
  const compared = { codes: 0, outputs: 0, worst: 0 };
  const differing: Diagnostic[] = [];
  for (const [i, layer] of layers.layers.entries()) {
    const original = training.layers[i];
    if (original === undefined || original.site !== layer.site) throw new Error(`layer ${layer.site} has no counterpart`);
    const input = outputOf(trained, original.input);
    const served = await layerSession.run(layer.entry, { [layer.input]: input });
    const found = compareLayer({
      original,
      layer,
      trained: { outputs: trained, types: outputTypes(training.artifact, "train") },
      served: { outputs: served, types: outputTypes(layers.artifact, layer.entry) },
      rotation: layers.artifact.manifest.state.find(({ name }) => name === wholeName(layer.state))?.rotation,
    });
    compared.codes += found.codes;
    compared.outputs += found.outputs;
    compared.worst = Math.max(compared.worst, found.worst);
    if (found.difference !== undefined) differing.push(error("not-equal", `\`${layer.site}\`: ${found.difference}`));
  }
  if (differing.length > 0) throw new DiagnosticError(differing);
  const text = await compareText(options, 0);
  onStage?.("held-out data: the loss of both");
  const heldOut = await compareLosses(options);
  return { weights, parameters, layers: { count: layers.layers.length, ...compared }, ...(text === undefined ? {} : { text }), heldOut };
}

/** One step of the training graph on a held-out batch, and what its layers computed in it. */
async function trainingValues(
  { artifact }: ProbedTraining,
  data: Parameters<typeof openData>[0],
  { device, weights }: VerifyOptions,
): Promise<Outputs> {
  const entry = artifact.manifest.entries["train"];
  if (entry === undefined) throw new Error("no entry train");
  using session = await Session.open(artifact, device);
  await giveWeights(weights, session, { asTheyAre: true });
  const batches = new Batches(await openData(data, entry), data, entry);
  return session.run("train", batches.heldOut(0));
}

/** The held-out loss of the trained graph and of the packed model. */
async function compareLosses({
  source,
  compile: settings,
  weights,
  packed,
  path,
  device,
  targets = leastTargets,
}: VerifyOptions): Promise<NonNullable<Verified["heldOut"]>> {
  const lossOf = async (form: "none" | "read"): Promise<{ readonly loss: number; readonly targets: number }> => {
    const artifact = unwrap(compile(source, { ...settings, packed: form, entries: (name) => name === "eval" }));
    const { run, entries } = artifact.manifest;
    const entry = entries["eval"];
    if (run === undefined || entry === undefined) throw new Error("no entry eval");
    using session = await Session.open(artifact, device);
    if (form === "read") givePacked(packed, session, path);
    else await giveWeights(weights, session, { asTheyAre: true });
    const dataset = await openData(run.data, entry);
    const once = await evaluate(session, dataset, run.data, [{ metric: "loss", batches: 1 }]);
    const batches = Math.ceil(targets / Math.max(1, once.targets));
    const { loss = Number.NaN, targets: counted } = await evaluate(session, dataset, run.data, [{ metric: "loss", batches }]);
    return { loss, targets: counted };
  };
  const [trained, served] = [await lossOf("none"), await lossOf("read")];
  const ratio = Math.abs(Math.expm1(served.loss - trained.loss));
  if (!(ratio <= mostPerplexity))
    throw new DiagnosticError([
      error(
        "not-equal",
        `the held-out loss is ${served.loss} packed and ${trained.loss} in training: perplexity differs by ${ratio} of itself`,
      ),
    ]);
  return { trainedLoss: trained.loss, packedLoss: served.loss, targets: trained.targets };
}
