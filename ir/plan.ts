// The kernel plan: ordered dispatches over virtual buffers, a problem and a schedule each, for one target.
// A problem says what a kernel computes, with scalar expressions for everything pointwise; a schedule says how.
import type { AttentionRule, AttentionShape } from "./ops/attention-tensors.ts";
import type { CodeArithmetic } from "./ops/quant-dot.ts";
import type { RowStatistic } from "./quant/quantizer.ts";
import type { ScalarExpr, Storage } from "./scalar.ts";
import type { Location } from "./source.ts";
import type { Type } from "./type.ts";

/**
 * How kernels may use subgroups on an adapter (found by the runtime's probe).
 * - `forced`: `@subgroup_size(S)` is available. - `fixed`: the adapter's minimum and maximum size are both S.
 * - `any`: only kernels that are right at every size >= S (one row a workgroup of S lanes, shuffle trees). - `none`.
 */
export type SubgroupPath = "forced" | "fixed" | "any" | "none";

export interface Target {
  readonly name: string;
  readonly subgroups: SubgroupPath;
  /** S above; 1 where `subgroups` is `none`. */
  readonly subgroupSize: number;
  /** Which table of default schedules applies: `lavapipe`, `swiftshader`, `gpu`. */
  readonly adapterClass: string;
  readonly features: readonly string[];
  readonly limits: {
    readonly maxComputeInvocationsPerWorkgroup: number;
    readonly maxComputeWorkgroupStorageSize: number;
    readonly maxStorageBufferBindingSize: number;
    readonly maxBufferSize: number;
    readonly maxStorageBuffersPerShaderStage: number;
    readonly maxComputeWorkgroupsPerDimension: number;
  };
}

/** One result of a kernel: where an element goes, and its value. */
export interface Store {
  readonly binding: number;
  readonly storage: Storage;
  /** 0 for dense storage. */
  readonly row: ScalarExpr;
  readonly column: ScalarExpr;
  readonly value: ScalarExpr;
}

/**
 * Every element on its own. Variables `c0`, `c1`, ...: one for each axis of `shape`, the last runs fastest. Where there is `where`, elements
 * for which it is false store nothing, and what their places hold stays; they load all the same.
 */
export interface PointwiseProblem {
  readonly kind: "pointwise";
  readonly shape: readonly number[];
  readonly where?: ScalarExpr;
  readonly stores: readonly Store[];
}

/** `argmax` keeps the first largest; its accumulator is the i32 position along the reduced axes in row-major order. */
export type Combine = "sum" | "max" | "min" | "argmax";

/** Reductions. Elements use `c0..` (outer axes) and `r0..` (reduced axes); stores use `c0..` and `input i` = accumulator i. */
export interface ReduceProblem {
  readonly kind: "reduce";
  readonly shape: readonly number[];
  readonly reduced: readonly number[];
  readonly accumulators: readonly { readonly combine: Combine; readonly element: ScalarExpr }[];
  readonly stores: readonly Store[];
}

/**
 * One side of a contraction as a matrix [rows, columns], columns contiguous in memory wherever it can be.
 * `element` uses `row`, `column` and the batch variables `z0..`. `contracted` says which of the two axes is summed over.
 */
export interface DotOperand {
  readonly element: ScalarExpr;
  readonly contracted: "row" | "column";
}

/**
 * out[z, m, n] = sum_k a[z, m, k] b[z, n, k]. `a`: rows are m unless its contracted axis is `row` (then rows are k, columns m);
 * `b`: likewise with n. Stores use `z0..`, `m`, `n` and `input 0` = the sum, f32, or i32 where the elements of both sides are i32: such a
 * sum is exact.
 */
export interface DotProblem {
  readonly kind: "dot";
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: DotOperand;
  readonly b: DotOperand;
  readonly stores: readonly Store[];
}

/**
 * Rows of `columns` elements: an optional Walsh-Hadamard transform of consecutive blocks, an optional row statistic of the
 * transformed row, and what follows from both in one kernel (codes, mask, scale). `element` uses `row`, `column`.
 * `stores` use `row`, `column`, `input 0` = transformed element, `input 1` = `perRow`'s value (where there is one);
 * `perRow` turns the statistic (`input 0`) into the row's value (a quantizer's step); `rowStores` use `row` and `input 0` = that value.
 */
export interface RowsProblem {
  readonly kind: "rows";
  readonly rows: number;
  readonly columns: number;
  /** Block of the transform, a power of two that divides `columns`; 1 for none. */
  readonly block: number;
  readonly element: ScalarExpr;
  readonly statistic?: RowStatistic;
  readonly perRow?: ScalarExpr;
  readonly stores: readonly Store[];
  readonly rowStores: readonly Store[];
}

/**
 * Streaming attention (ir/ops/attention.ts). Variables: `z` (batch), `t` (query position), `h` (query head), `s` (key position),
 * `g` (head of keys and values), `c` (channel). `q` and `ct` use z, t, h, c; `k` and `v` use z, s, g, c; `lse` and `delta` use z, t, h;
 * `first` (i32, causal only) is the position of query 0 and uses none.
 * - `forward`: `stores` use z, t, h, c with `input 0` = the result; `rowStores` use z, t, h with `input 0` = log(sum(exp(scores))).
 * - `grad_query`: `stores` use z, t, h, c with `input 0` = dq. - `grad_key`: z, s, g, c with `input 0` = dk, `input 1` = dv.
 */
export interface AttentionProblem {
  readonly kind: "attention";
  readonly pass: "forward" | "grad_query" | "grad_key";
  readonly shape: AttentionShape;
  readonly rule: AttentionRule;
  readonly elements: AttentionElements;
  readonly stores: readonly Store[];
  readonly rowStores: readonly Store[];
}

export interface AttentionElements {
  readonly q: ScalarExpr;
  readonly k: ScalarExpr;
  readonly v: ScalarExpr;
  /** In the gradients alone. */
  readonly ct?: ScalarExpr;
  readonly lse?: ScalarExpr;
  readonly delta?: ScalarExpr;
  /** 0 where absent. */
  readonly first?: ScalarExpr;
}

/** Words of codes that a lane of a contraction loads of a row at once. */
export type CodeDepth = 1 | 2 | 4;

export type Problem = PointwiseProblem | ReduceProblem | DotProblem | RowsProblem | AttentionProblem;
export type Family = Problem["kind"];

/**
 * How a kernel is laid out: a plain record per family.
 * - pointwise: `width` elements (1 or 4) a lane and step, `perLane` steps, `workgroup` lanes.
 * - reduce: `lanes` lanes cooperate on one output (1, or a power of two up to `workgroup`); by shuffles where the workgroup is one
 *   subgroup, else through workgroup memory.
 * - dot `broadcast`: the subgroup-broadcast frame, `rows` = RA rows of A loads (RA * S rows of C a workgroup); `tile`: no subgroups,
 *   `rows` rows of C a lane, 4 columns a lane. `depth`: words of codes that a lane loads of a row at once, absent for floats.
 * - attention `broadcast`: a workgroup is one subgroup, a lane has `rows` positions of its own, and lanes hand each other what they
 *   loaded of the other side; `plain`: no subgroups, `workgroup` lanes of one position, each of which loads everything itself.
 * - rows: a team of lanes takes a row in spans, `vectors` vectors of four a lane and span. `subgroup`: a workgroup is one subgroup, which is
 *   several teams of `lanes` lanes, and takes `rowsPerGroup` rows, as many at a time as it has teams; `lane`: a lane is a team, so that no
 *   values are exchanged, and `workgroup` rows are a workgroup; `workgroup`: workgroup memory and barriers, one row a workgroup.
 */
export type Schedule =
  | { readonly kind: "pointwise"; readonly width: 1 | 4; readonly perLane: number; readonly workgroup: number }
  | { readonly kind: "reduce"; readonly lanes: number; readonly workgroup: number }
  | { readonly kind: "dot"; readonly frame: "broadcast"; readonly rows: number; readonly depth?: CodeDepth }
  | {
      readonly kind: "dot";
      readonly frame: "tile";
      readonly rows: number;
      readonly depth?: CodeDepth;
      readonly workgroup: readonly [number, number];
    }
  | {
      readonly kind: "rows";
      readonly frame: "subgroup";
      readonly lanes: number;
      readonly vectors: number;
      readonly rowsPerGroup: number;
    }
  | { readonly kind: "rows"; readonly frame: "lane"; readonly vectors: number; readonly workgroup: number }
  | { readonly kind: "rows"; readonly frame: "workgroup"; readonly workgroup: number }
  | { readonly kind: "attention"; readonly frame: "broadcast"; readonly rows: number }
  | { readonly kind: "attention"; readonly frame: "plain"; readonly workgroup: number };

/** What contractions of codes cost on a target, a product of floats being 1. */
export interface CodeCosts {
  /** A product of codes of so many bits on either side. */
  product(arithmetic: CodeArithmetic, lhsBits: number, rhsBits: number): number;
  /** What each plane beyond the first adds to a product of floats one side of which is decoded as it is loaded. */
  readonly decodedPlane: number;
}

/** Hand of code generation to the passes: the schedule for a problem on a target. */
export type ChooseSchedule = (problem: Problem, target: Target) => Schedule;

/**
 * Whose storage a buffer is: a state tensor's, the gradient of a parameter (which lies among the gradients at the parameter's own
 * offset), a constant's, the entry's host scalars (one buffer for all, one f32 each), or free to place.
 */
export type BufferRole =
  | { readonly kind: "state"; readonly name: string }
  | { readonly kind: "gradient"; readonly state: string }
  | { readonly kind: "constant" }
  | { readonly kind: "host" }
  | { readonly kind: "temporary" };

export interface VirtualBuffer {
  /** Unique in its entry: `%name` of an IR value, the name of a state, `host`. */
  readonly name: string;
  readonly type: Type;
  readonly bytes: number;
  readonly role: BufferRole;
}

/** A place in a slab, from plan-memory on. */
export interface Placement {
  readonly slab: string;
  readonly offset: number;
}

export interface Dispatch {
  readonly problem: Problem;
  readonly schedule: Schedule;
  /** Buffer of each binding; bindings of one dispatch are disjoint buffers. */
  readonly bind: readonly BindingUse[];
  readonly serves: readonly string[];
  /** Part of the forward pass of an instance that the recipe selects for recomputation. */
  readonly remat?: string;
  /** Number of the recomputation that it is part of: the same dispatch runs before it too, in the forward pass. */
  readonly recompute?: number;
  readonly at?: Location;
}

/** A binding covers buffer `buffer` and, for slab-wide kernels, the buffers that follow it in the slab up to `through`. */
export interface BindingUse {
  readonly buffer: string;
  readonly through?: string;
  /** The bytes of the buffer that are bound; absent: all of it. */
  readonly part?: BufferPart;
  /** The operand whose place the result `buffer` takes: read and then overwritten, element by element (access `update`). */
  readonly over?: string;
  readonly access: "read" | "write" | "update";
}

/** A range of bytes of a buffer: rows of the tensor in it. */
export interface BufferPart {
  readonly offset: number;
  readonly bytes: number;
}

export interface PlanEntry {
  readonly name: string;
  readonly buffers: readonly VirtualBuffer[];
  readonly dispatches: readonly Dispatch[];
  /** Where each input and output of the entry is. A host scalar is 4 bytes at `byteOffset` of buffer `host`. */
  readonly inputs: readonly EntryPort[];
  readonly outputs: readonly EntryPort[];
  /** Contents of the buffers with role `constant`, element by element in row-major order. */
  readonly constants: readonly { readonly buffer: string; readonly values: readonly number[] }[];
}

export interface EntryPort {
  readonly name: string;
  readonly type: Type;
  readonly buffer: string;
  readonly byteOffset: number;
}

export interface Slab {
  readonly name: string;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly slabs: readonly Slab[];
  /** Entry name -> buffer name -> place. */
  readonly places: Readonly<Record<string, Readonly<Record<string, Placement>>>>;
  /** Bytes at the fullest moment, and the least that any placement could reach (largest sum of live buffers). */
  readonly peakBytes: number;
  readonly lowerBoundBytes: number;
}

export interface KernelPlan {
  readonly target: Target;
  readonly entries: readonly PlanEntry[];
  readonly memory?: MemoryPlan;
}

/** A plan with every buffer in its place: what `plan-memory` answers. */
export type PlacedPlan = KernelPlan & { readonly memory: MemoryPlan };
