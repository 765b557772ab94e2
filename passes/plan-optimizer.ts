// Slab-wide kernels: the optimizer as one dispatch per run of equal updates, the gradient norm as one reduction per slab.

import { printAttributes } from "../ir/attribute.ts";
import type { Instruction, Value } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { BindingUse, Placement, Problem, Store } from "../ir/plan.ts";
import { binary, float, input, load, plus, type ScalarExpr, select, times, uint, variable } from "../ir/scalar.ts";
import { simplify } from "../ir/simplify.ts";
import { alignUp, type StateLayout } from "./state-layout.ts";

const dense = { kind: "dense", scalar: "f32" } as const;
const wordBytes = 4;

/** An update kernel: one pointwise instruction whose results all replace state. */
export interface UpdateKernel {
  readonly kernel: number;
  readonly instruction: Instruction;
  /** The parameter whose place leads: the state that the first result replaces. */
  readonly state: string;
}

/** What must be equal for two updates to be one dispatch: the op, its attributes, its scalars. */
function settingsKey(update: UpdateKernel, names: ReadonlyMap<Value, string>): string {
  const { op, attrs, operands } = update.instruction;
  const scalars = operands.filter((o) => o.type.dims.length === 0).map((o) => names.get(o) ?? "?");
  return [op.signature.name, ...printAttributes(op.signature.attrs, attrs), ...scalars].join(" ");
}

/**
 * Runs of two and more updates that are one dispatch: equal settings, and every tensor of one lies in its slab as far behind that of
 * the one before as the weights do, with nothing but padding between. `placeOf`: the place of a state or a gradient.
 */
export function updateRuns(
  updates: readonly UpdateKernel[],
  names: ReadonlyMap<Value, string>,
  placeOf: (value: Value) => Placement | undefined,
): readonly (readonly UpdateKernel[])[] {
  const tensors = (update: UpdateKernel) => update.instruction.operands.filter((o) => o.type.dims.length > 0);
  const offset = (update: UpdateKernel) => placeOf(tensors(update)[0] ?? missing())?.offset ?? 0;
  const follows = (update: UpdateKernel, before: UpdateKernel): boolean => {
    const earlier = tensors(before);
    return tensors(update).every((tensor, i) => {
      const previous = earlier[i];
      const [place, last] = [placeOf(tensor), previous && placeOf(previous)];
      if (previous === undefined || place === undefined || last === undefined) return false;
      return place.slab === last.slab && place.offset === last.offset + alignUp(bufferBytes(previous.type));
    });
  };
  const slab = (update: UpdateKernel) => placeOf(tensors(update)[0] ?? missing())?.slab ?? "";
  const sorted = [...updates].sort((a, b) => (slab(a) < slab(b) ? -1 : slab(a) > slab(b) ? 1 : offset(a) - offset(b)));
  const runs: UpdateKernel[][] = [];
  for (const update of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && follows(update, last) && settingsKey(last, names) === settingsKey(update, names))
      run.push(update);
    else runs.push([update]);
  }
  return runs.filter((run) => run.length > 1);
}

function missing(): never {
  throw new Error("an update without a tensor");
}

/** Elements from the start of the first tensor to the end of the last, padding between them included. */
export function runLength(first: string, last: string, lastBytes: number, layout: Pick<StateLayout, "states">): number {
  const from = layout.states.get(first)?.offset ?? 0;
  const to = layout.states.get(last)?.offset ?? 0;
  return (to - from + lastBytes) / wordBytes;
}

/** At most this many partial sums per slab, each over at least `smallestChunk` elements. */
const mostPartials = 64;
const smallestChunk = 1024;

export interface NormStage {
  readonly problem: Problem;
  readonly bind: readonly BindingUse[];
}

/**
 * Where partial sums begin: behind what a kernel's text writes as a number, and where four lie together. From 0 on, the kernel of a model's
 * only range of gradients would lack the offset that the ranges of larger models have, and kernels would grow in number with the model.
 */
export const firstPartial = 16;

/** First stage: sums of squares of chunks of one run of gradients, into `partials` from partial sum number `base` on. */
export function partialSquares(
  run: BindingUse,
  length: number,
  partials: string,
  base: number,
): { readonly stage: NormStage; readonly count: number } {
  const most = Math.max(1, Math.min(mostPartials, Math.floor(length / smallestChunk)));
  // A count that divides the run needs no guard, and its loads stay contiguous in fours.
  let count = most;
  while (count > 1 && length % (4 * count) !== 0) count--;
  if (count < most / 4) count = most;
  const chunk = Math.ceil(length / count / 4) * 4;
  const at = simplify(plus(times(variable("c0", count), uint(chunk)), variable("r0", chunk)));
  const exact = chunk * count === length;
  const inside = binary("lt", at, uint(length));
  const value = load("f32", 0, dense, exact ? at : simplify(select(inside, at, uint(0))));
  const element = exact ? times(value, value) : select(inside, times(value, value), float(0));
  const store: Store = {
    binding: 1,
    storage: dense,
    row: uint(0),
    column: simplify(plus(variable("c0", count), uint(firstPartial + base))),
    value: input(0, "f32"),
  };
  const problem: Problem = {
    kind: "reduce",
    shape: [count],
    reduced: [chunk],
    accumulators: [{ combine: "sum", element }],
    stores: [store],
  };
  return { stage: { problem, bind: [run, { buffer: partials, access: "write" }] }, count };
}

/** Second stage: the sum of all partials; the caller's stores follow from `input 0`. */
export function sumOfPartials(
  binding: number,
  count: number,
): { readonly shape: readonly number[]; readonly reduced: readonly number[]; readonly element: ScalarExpr } {
  return {
    shape: [],
    reduced: [count],
    element: load("f32", binding, dense, count === 1 ? uint(firstPartial) : plus(variable("r0", count), uint(firstPartial))),
  };
}
