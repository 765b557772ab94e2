// The global gradient norm: sums of squares of ranges of the block of gradients, then one sum over the partial sums, in fixed order.
import type { Instruction, Value } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { BindingUse, Problem } from "../ir/plan.ts";
import { input, times, uint, unary } from "../ir/scalar.ts";
import { shapeOf } from "../ir/type.ts";
import { axisVariables, type KernelScope } from "./kernel-scope.ts";
import { firstPartial, type NormStage, partialSquares, runLength, sumOfPartials } from "./plan-optimizer.ts";
import type { Kernel } from "./plan-problems.ts";
import type { StateLayout } from "./state-layout.ts";

interface NormContext {
  /** A new scope of the norm's kernel. */
  scope(): KernelScope;
  /** The parameter in whose place of the block of gradients a value lies. */
  gradientOf(value: Value): string | undefined;
}

/** The stages, the last of which stores the norm and what follows from it, over `count` partial sums in the buffer `partials`. */
export function normDispatches(
  kernel: Kernel,
  norm: Instruction,
  partials: string,
  layout: StateLayout,
  { scope, gradientOf }: NormContext,
): { readonly stages: readonly NormStage[]; readonly count: number } {
  const [result] = norm.results;
  if (result === undefined) throw new Error("a norm without a result");
  const stages: NormStage[] = [];
  let count = 0;
  const ranged = new Map<string, Value>();
  // A value may be the gradient of two parameters; it lies in one place and counts twice.
  const others: Value[] = [];
  for (const value of norm.operands) {
    const state = gradientOf(value);
    if (state === undefined || ranged.has(state)) others.push(value);
    else ranged.set(state, value);
  }
  for (const run of rangesOf(ranged, layout, scope())) {
    const { stage, count: more } = partialSquares(run.bind, run.length, partials, count);
    stages.push(stage);
    count += more;
  }
  for (const value of others) stages.push(squareSum(value, scope(), partials, count++));
  const last = scope();
  const { shape, reduced, element } = sumOfPartials(last.binding({ buffer: partials }, "read"), count);
  last.give(result, unary("sqrt", input(0, "f32")));
  const stores = kernel.stored.map((v) => last.store(v, []));
  const problem: Problem = { kind: "reduce", shape, reduced, accumulators: [{ combine: "sum", element }], stores };
  return { stages: [...stages, { problem, bind: last.bindings }], count };
}

/** Gradients side by side in their slab are one range. */
function rangesOf(
  ranged: ReadonlyMap<string, Value>,
  { order, states }: StateLayout,
  scope: KernelScope,
): readonly { readonly bind: BindingUse; readonly length: number }[] {
  const runs: { slab: string; first: string; last: string }[] = [];
  for (const [at, state] of order.entries()) {
    if (!ranged.has(state)) continue;
    // Gradients are cut where parameters are.
    const slab = states.get(state)?.slab ?? "";
    const run = runs.at(-1);
    if (run !== undefined && run.slab === slab && run.last === order[at - 1]) run.last = state;
    else runs.push({ slab, first: state, last: state });
  }
  return runs.map(({ first, last }) => {
    const [a, b] = [ranged.get(first), ranged.get(last)];
    if (a === undefined || b === undefined) throw new Error("a gradient without a value");
    const [buffer, through] = [scope.placeOf(a).buffer, scope.placeOf(b).buffer];
    const bind: BindingUse = { buffer, access: "read", ...(a === b ? {} : { through }) };
    return { bind, length: runLength(first, last, bufferBytes(b.type), { states }) };
  });
}

/** One partial sum of a value that lies anywhere, or nowhere. */
function squareSum(value: Value, scope: KernelScope, partials: string, at: number): NormStage {
  const reduced = shapeOf(value.type);
  const x = scope.element(value, axisVariables("r", reduced));
  const problem: Problem = {
    kind: "reduce",
    shape: [],
    reduced,
    accumulators: [{ combine: "sum", element: times(x, x) }],
    stores: [
      {
        binding: scope.binding({ buffer: partials }, "write"),
        storage: { kind: "dense", scalar: "f32" },
        row: uint(0),
        column: uint(firstPartial + at),
        value: input(0, "f32"),
      },
    ],
  };
  return { problem, bind: scope.bindings };
}
