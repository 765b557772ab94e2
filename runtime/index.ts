// The runtime's public face: open a device, open a session on a compiled artifact, run, train, evaluate, save.
export type { ArtifactManifest, CompiledArtifact, SubgroupPath } from "../ir/artifact.ts";
export { artifactHash, readArtifact, writeArtifact } from "./artifact-folder.ts";
export { type CheckpointState, latestCheckpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
export { Batches } from "./data/batches.ts";
export type { DataSource, Dataset, Field, Split } from "./data/dataset.ts";
export { dataSources, openData } from "./data/source.ts";
export { type AdapterChoice, type AdapterDescription, adapterChoices, Device, type DeviceOptions, describeAdapter } from "./device.ts";
export { type Evaluation, evaluate } from "./evaluate.ts";
export { KernelError } from "./pipelines.ts";
export { bestSubgroups, probeSubgroups, type SubgroupSupport } from "./probe.ts";
export { type Inputs, type Outputs, type PendingRun, type RunOptions, type RunResult, Session, type SessionOptions } from "./session.ts";
export type { TimestampMode } from "./submit.ts";
export { type EvaluationMetrics, type StepMetrics, type TrainOptions, type TrainProgress, type TrainResult, train } from "./train.ts";
export type { HostArray } from "./values.ts";
export { sleepUntil } from "./wait.ts";
export { decodeWeights, encodeWeights, readWeights, type SavedTensor, type Weights } from "./weights.ts";
