// The compiled artifact: everything the runtime needs to run a model, as plain data. The runtime never needs the compiler.
import type { HostRule } from "./host.ts";
import type { InitRule } from "./init.ts";
import type { SubgroupPath } from "./plan.ts";
import type { Span } from "./source.ts";

export type { SubgroupPath };

/** A byte range of a slab: name, offset (a multiple of 256), byte length (a multiple of 16). */
export type SlabRange = readonly [slab: string, offset: number, byteLength: number];

/** `calibration` is measured by entry `calibrate` before the first step, and fixed from then on. */
export type StateRole = "parameter" | "calibration" | "optimizer" | "gradient" | "cache" | "codes";

/** What a model is beside its text, and a file of its weights holds: what was trained, and what was measured for it. */
export const isWeight = ({ role }: { readonly role: StateRole }): boolean => role === "parameter" || role === "calibration";

/** One tensor of state. `type` is IR text (`f32[128, 128]`); its place is the same in every target. */
export interface StateRecord {
  readonly name: string;
  readonly type: string;
  readonly role: StateRole;
  readonly init: InitRule;
  /** Whether weight decay applies (parameters only). */
  readonly decay: boolean;
  /** Of codes: block of the rotation along the last axis that their weight had when it was rounded; absent: none. */
  readonly rotation?: number;
  readonly slab: string;
  readonly offset: number;
  readonly bytes: number;
  /** Where it lies if no binding holds it: runs of whole rows, one after another, of which the first is at `slab` and `offset`. */
  readonly pieces?: readonly SlabRange[];
  /** Further paths that name this same tensor. */
  readonly tied: readonly string[];
}

/** The entry that gives the learned scales of quantizers the values that they begin with. */
export const calibrateEntry = "calibrate";
/** The entry that makes the codes of weights from parameters. */
export const packEntry = "pack";

/** An input of an entry: drawn from the data source, or a scalar that the host computes each step (`name` is then its key in the manifest's `host`). */
export interface InputRecord {
  readonly name: string;
  readonly type: string;
  readonly source: "data" | "host";
  /** Its numbers choose rows of a table with this many: any other number would choose nothing, without a word. */
  readonly below?: number;
}

export interface OutputRecord {
  readonly name: string;
  readonly type: string;
}

export interface EntryRecord {
  readonly inputs: readonly InputRecord[];
  readonly outputs: readonly OutputRecord[];
  /** Names of the state that the entry replaces. */
  readonly updates: readonly string[];
}

/** Where a target puts an entry's inputs and outputs. A host scalar is one f32 in its range. */
export interface EntryPlacement {
  readonly inputs: Readonly<Record<string, SlabRange>>;
  readonly outputs: Readonly<Record<string, SlabRange>>;
}

export interface KernelRecord {
  /** Path in the artifact's files; its name ends in a hash of the text. */
  readonly file: string;
  readonly workgroup: readonly [number, number, number];
  /** Number of storage bindings, all `read_write`, numbered from 0 in group 0. */
  readonly bindings: number;
  /** Number of 32-bit immediates that the text declares (0 to 16). */
  readonly immediates: number;
}

export interface DispatchRecord {
  readonly kernel: number;
  /** One range a binding, disjoint. */
  readonly bind: readonly SlabRange[];
  /** 32-bit unsigned words; floats are passed by their bits. */
  readonly immediates: readonly number[];
  readonly groups: readonly [number, number, number];
  /** IR values that this dispatch computes, for diagnostics and profiles. */
  readonly serves: readonly string[];
  /** `path:line:column` in the model's source, where known. */
  readonly at?: string;
}

/** What an adapter must have for a target's kernels to be right. */
export interface TargetRequirements {
  /** WebGPU features (`subgroups`, `shader-f16`, `subgroup-size-control`). */
  readonly features: readonly string[];
  /** The subgroup size that the kernels are written for; absent where no kernel uses subgroups. */
  readonly subgroupSize?: number;
  /**
   * How the kernels use subgroups of that size, and so what the adapter must offer: `forced`, `fixed` or `any` (see SubgroupPath).
   * Absent with a `subgroupSize`: `forced` where `features` lists `subgroup-size-control`, else `fixed`.
   */
  readonly subgroups?: SubgroupPath;
  readonly limits: Readonly<Record<string, number>>;
}

export interface SlabRecord {
  readonly name: string;
  readonly bytes: number;
}

export interface TargetRecord {
  readonly name: string;
  readonly requires: TargetRequirements;
  readonly slabs: readonly SlabRecord[];
  readonly kernels: readonly KernelRecord[];
  readonly entries: Readonly<Record<string, EntryPlacement>>;
  readonly dispatches: Readonly<Record<string, readonly DispatchRecord[]>>;
  /** Constants to upload once: a range, and the file that holds its bytes. */
  readonly constants: readonly { readonly range: SlabRange; readonly file: string }[];
}

/** How a training run goes, from the recipe: what `train` needs beside the entries. */
export interface RunRecord {
  readonly steps: number;
  /** Micro-batches a step: that many runs of `accumulate`, then one of `apply`. Absent where a step is one run of `train`. */
  readonly accumulate?: number;
  /** The data source's call as written, with literal arguments: `mnist()`, `corpus("sotu", tokenizer = bytes)`. */
  readonly data: {
    readonly source: string;
    readonly args: readonly (string | number | boolean)[];
    readonly named: Readonly<Record<string, string | number | boolean>>;
    /** Names of the arrays, in the order in which the source yields them. */
    readonly arrays: readonly string[];
  };
  readonly evaluate?: {
    readonly everySteps: number;
    /** What to report; `batches` absent means the whole held-out split. */
    readonly metrics: readonly { readonly metric: "loss" | "accuracy"; readonly batches?: number }[];
  };
  /** Absent: the runtime's own rule. */
  readonly checkpoint?: { readonly everySteps: number } | { readonly everySeconds: number };
}

/** `artifact.json`. */
export interface ArtifactManifest {
  readonly format: "bitloom-artifact";
  readonly version: 1;
  /** The model as instantiated: `Mlp(inputs = 784, ...)`. */
  readonly model: string;
  readonly policy: string;
  readonly recipe?: string;
  /** What the recipe asks activations to be stored in; absent for f32. Targets without `shader-f16` store f32 all the same. */
  readonly precision?: "f16";
  /** Source path -> `sha256-...` of its text. */
  readonly sources: Readonly<Record<string, string>>;
  readonly state: readonly StateRecord[];
  readonly host: Readonly<Record<string, HostRule>>;
  readonly entries: Readonly<Record<string, EntryRecord>>;
  readonly run?: RunRecord;
  readonly targets: readonly TargetRecord[];
  /** Hash of the rules and the tables of measured schedules that chose the kernels: part of what makes bits reproducible. */
  readonly schedules: string;
}

/** A value of a training step that an artifact for looking into failed steps checks. */
export interface FiniteCheck {
  /** The output of entry `train` that counts the value's elements that are not finite. */
  readonly output: string;
  readonly op: string;
  /** Outputs of the checks of the op's operands. */
  readonly operands: readonly string[];
  /** Of a `state.read`: the state's name. */
  readonly state?: string;
  /** Path of the instance of the model that computes the value. */
  readonly instance?: string;
  readonly at?: Span;
}

/** An artifact whose entry `train` updates nothing, and gives for each value of the step how many of its elements are not finite. */
export interface CheckedArtifact {
  readonly artifact: CompiledArtifact;
  /** In the order in which the values are computed. */
  readonly checks: readonly FiniteCheck[];
  /** Outputs of the checks of what decides whether the step is good: loss and gradient norm. */
  readonly decisive: readonly string[];
}

/** A manifest and the files beside it (kernels as text, constants as bytes), by path. */
export interface CompiledArtifact {
  readonly manifest: ArtifactManifest;
  readonly files: ReadonlyMap<string, string | Uint8Array>;
}
