// The runtime's public face: open a device, open a session on a compiled artifact, run, train, evaluate, generate, save.
export type { ArtifactManifest, CompiledArtifact, SubgroupPath } from "../ir/artifact.ts";
export { artifactHash, readArtifact, writeArtifact } from "./artifact-folder.ts";
export { readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
export { findCheckpoint, latestCheckpoint } from "./checkpoint-history.ts";
export type { CheckpointState } from "./checkpoint-state.ts";
export { type Baselines, baselines, bitsPerByte } from "./data/baselines.ts";
export { Batches } from "./data/batches.ts";
export { convert } from "./data/convert.ts";
export { corpusTokenizer } from "./data/corpus.ts";
export type { DataSource, Dataset, Field, Split, TokenCorpus } from "./data/dataset.ts";
export { decodeNpy } from "./data/npy.ts";
export { dataSources, openData } from "./data/source.ts";
export { type Decoder, decode, type Tokenizer, type Tokens } from "./data/tokenizer.ts";
export { type TrainedTokenizer, trainTokenizer } from "./data/train-tokenizer.ts";
export {
  type AdapterChoice,
  type AdapterDescription,
  adapterChoices,
  Device,
  type DeviceOptions,
  describeAdapter,
  findWebGpu,
} from "./device.ts";
export { writeFileDurably } from "./durable.ts";
export { type Evaluation, evaluate } from "./evaluate.ts";
export { contextOf, type GenerateOptions, type Generation, generate } from "./generate.ts";
export { type GivenWeightsOptions, giveWeights, readPackedFile, readParameters } from "./given-weights.ts";
export { initialValues } from "./init.ts";
export {
  isPacked,
  type PackedDeclaration,
  type PackedModel,
  type PackedWeight,
  packedWeights,
  readPackedModel,
} from "./packed-file.ts";
export { givePacked, packSession } from "./packed-weights.ts";
export { KernelError } from "./pipelines.ts";
export { bestSubgroups, probeSubgroups, type SubgroupSupport } from "./probe.ts";
export { hasProbes, type QuantProbe, type QuantProbes } from "./quant-probes.ts";
export { isRefusal, refusalHelp } from "./refusal.ts";
export { removeRun } from "./run-folder.ts";
export { distribution, draw, mostLikely, Sampler, type SamplingOptions } from "./sampling.ts";
export {
  defaultMemoryBudget,
  type Inputs,
  type Outputs,
  type PendingRun,
  type RunOptions,
  type RunResult,
  Session,
  type SessionOptions,
} from "./session.ts";
export type { TimestampMode } from "./submit.ts";
export { findSwiftShader, type SwiftShader } from "./swiftshader.ts";
export { openTrainingData, train } from "./train.ts";
export type { EvaluationMetrics, StepMetrics, TrainOptions, TrainProgress, TrainResult } from "./train-options.ts";
export type { HostArray } from "./values.ts";
export { sleepUntil } from "./wait.ts";
export { decodeWeights, encodeWeights, readWeights, type SavedTensor, type Weights } from "./weights.ts";
