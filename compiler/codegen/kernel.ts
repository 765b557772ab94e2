// What a template makes: a kernel's text with everything a dispatch of it needs.
import type { Problem, Target } from "../../ir/plan.ts";
import { expressionsOf, storesOf } from "../../ir/problem.ts";
import { binary, childrenOf, over, type ScalarExpr, uint } from "../../ir/scalar.ts";
import { fillKernel, type KernelOutline, slotsOfOne } from "./kernel-text.ts";
import type { E, Wgsl } from "./wgsl.ts";
import { add, mul, size } from "./wgsl.ts";
import { isVector } from "./wgsl-node.ts";
import { outlineKernel } from "./wgsl-print.ts";

export type Triple = readonly [number, number, number];

export interface Kernel {
  readonly text: string;
  readonly workgroup: Triple;
  readonly groups: Triple;
  /** 32-bit words, in the order in which the text declares them. */
  readonly immediates: readonly number[];
  /** Storage bindings 0 to bindings - 1, all read_write. */
  readonly bindings: number;
  /** WebGPU features that the text needs. */
  readonly features: readonly string[];
  /** The subgroup size that the text is written for; undefined where it uses no subgroups. */
  readonly subgroupSize: number | undefined;
  /** Bytes of workgroup memory. */
  readonly sharedBytes: number;
  /** IR value served by each line of the text (line 1 is element 0). */
  readonly sourceMap: readonly (string | undefined)[];
  /** The text with its sizes left open, for kernels that may share it. */
  readonly outline: KernelOutline;
}

export interface KernelFrame {
  readonly title: string;
  readonly workgroup: Triple;
  readonly groups: Triple;
}

export function finishKernel(wgsl: Wgsl, problem: Problem, target: Target, frame: KernelFrame): Kernel {
  const usesSubgroups = wgsl.enables.has("subgroups");
  const forced = usesSubgroups && target.subgroups === "forced" ? target.subgroupSize : undefined;
  const outline = outlineKernel(wgsl, { ...frame, ...(forced === undefined ? {} : { forcedSubgroupSize: forced }) });
  return {
    ...fillKernel(outline, slotsOfOne(outline)),
    outline,
    workgroup: frame.workgroup,
    groups: frame.groups,
    bindings: bindingCount(problem),
    features: [
      ...(usesSubgroups ? ["subgroups"] : []),
      ...(forced === undefined ? [] : ["subgroup-size-control"]),
      ...(wgsl.enables.has("f16") ? ["shader-f16"] : []),
    ],
    subgroupSize: usesSubgroups ? target.subgroupSize : undefined,
    sharedBytes: wgsl.shared.reduce((sum, { type, count }) => sum + count * (isVector(type) ? 16 : 4), 0),
  };
}

/** The bindings that a problem loads from or stores to are 0 to this number - 1. */
function bindingCount(problem: Problem): number {
  let count = 0;
  const seen = new Set<ScalarExpr>();
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.kind === "load") count = Math.max(count, e.binding + 1);
    for (const child of childrenOf(e)) visit(child);
  };
  for (const e of expressionsOf(problem)) visit(e);
  for (const store of storesOf(problem)) count = Math.max(count, store.binding + 1);
  return count;
}

export const product = (sizes: readonly number[]): number => sizes.reduce((n, s) => n * s, 1);

/** Coordinates `prefix0`, `prefix1`, ... of element number `linear` of a row-major shape. */
export function coordinatesOf(prefix: string, shape: readonly number[], linear: ScalarExpr): Record<string, ScalarExpr> {
  const coordinates: Record<string, ScalarExpr> = {};
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] ?? 1;
    const whole = stride === 1 ? linear : over(linear, uint(stride));
    coordinates[`${prefix}${axis}`] = axis === 0 ? whole : binary("rem", whole, uint(extent));
    stride *= extent;
  }
  return coordinates;
}

/** Workgroups in x, folded into y above what one dimension takes. */
export function foldGroups(count: number, target: Target): Triple {
  const most = target.limits.maxComputeWorkgroupsPerDimension;
  if (count <= most) return [count, 1, 1];
  const rows = Math.ceil(count / most);
  return [Math.ceil(count / rows), rows, 1];
}

/** The number of a workgroup that {@link foldGroups} placed. Written alike whether there is one row of them or more: a text must not depend on sizes. */
export const linearGroup = (wgsl: Wgsl, groups: Triple): E<"u32"> => add(mul(wgsl.group("y"), size(groups[0])), wgsl.group("x"));

/** What a statement of store number `index` serves, where one label a store is given; else all labels. */
export const labelOf = (serves: readonly string[], index: number): string | undefined =>
  serves[index] ?? (serves.length === 0 ? undefined : serves.join(", "));
