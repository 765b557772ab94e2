// The contraction: every matrix product, forward and backward.
import { ints, pairOf } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { dimsEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { printType, type Type, tensor } from "../type.ts";
import { requireAxis, requireScalar, withoutAxes } from "./checks.ts";
import { dotTensors } from "./dot-tensors.ts";
import { vjpOfOne } from "./pointwise.ts";
import { inversePermutation, transpose } from "./views.ts";

export const dot = signature({
  name: "dot",
  summary:
    "Sums products along pairs of axes (contract), elementwise along others (batch). Result axes: batch, free ones of lhs, free ones of rhs.",
  operands: ["lhs", "rhs"],
  attrs: { contract: pairOf(ints), batch: pairOf(ints) },
});

/** Axes of one side of a contraction, in pairs with the other side's. */
type AxisPair = readonly [lhs: readonly number[], rhs: readonly number[]];

export const dotOp = define(dot, {
  infer([lhs, rhs], { contract, batch }) {
    requireScalar("dot", "lhs", lhs, ["f32"]);
    requireScalar("dot", "rhs", rhs, ["f32"]);
    checkPairs("contract", contract, lhs, rhs);
    checkPairs("batch", batch, lhs, rhs);
    for (const side of [0, 1] as const) {
      const axes = [...contract[side], ...batch[side]];
      const twice = axes.find((axis, i) => axes.indexOf(axis) !== i);
      if (twice !== undefined) return reject(`\`dot\` names axis ${twice} of its ${side === 0 ? "left" : "right"} operand twice`);
    }
    const { lhs: left, rhs: right } = freeAxes(lhs, rhs, contract, batch);
    const at = (type: Type, axes: readonly number[]) => axes.map((axis) => requireAxis("dot", type, axis));
    return tensor("f32", [...at(lhs, batch[0]), ...at(lhs, left), ...at(rhs, right)]);
  },
  evaluate: ([lhs, rhs], { contract, batch }) => dotTensors(lhs, rhs, contract, batch),
  vjp: vjpOfOne((b, ct, [lhs, rhs], _result, { contract, batch }) => {
    const free = freeAxes(lhs.type, rhs.type, contract, batch);
    const batchAxes = batch[0].map((_, i) => i);
    const leftAxes = free.lhs.map((_, i) => batchAxes.length + i);
    const rightAxes = free.rhs.map((_, i) => batchAxes.length + leftAxes.length + i);
    const forLhs = b.emit(dot, [ct, rhs], { contract: [rightAxes, free.rhs], batch: [batchAxes, batch[1]] });
    const forRhs = b.emit(dot, [ct, lhs], { contract: [leftAxes, free.lhs], batch: [batchAxes, batch[0]] });
    // The products come as batch, free, then the other side's contracted axes in ascending order.
    const lhsOrder = [...batch[0], ...free.lhs, ...matched(contract[1], contract[0])];
    const rhsOrder = [...batch[1], ...free.rhs, ...matched(contract[0], contract[1])];
    return [reordered(b, forLhs, lhsOrder), reordered(b, forRhs, rhsOrder)];
  }),
  lower: { kind: "kernel", family: "dot" },
});

/** Axes of each side that are neither contracted nor batch, ascending. */
export function freeAxes(
  lhs: { readonly dims: readonly unknown[] },
  rhs: { readonly dims: readonly unknown[] },
  contract: AxisPair,
  batch: AxisPair,
) {
  const free = (dims: readonly unknown[], side: 0 | 1) =>
    withoutAxes(
      dims.map((_, axis) => axis),
      [...contract[side], ...batch[side]],
    );
  return { lhs: free(lhs.dims, 0), rhs: free(rhs.dims, 1) };
}

/** `values` in the order in which their partners in `keys` ascend. */
function matched(keys: readonly number[], values: readonly number[]): readonly number[] {
  const pairs = keys.map((key, i): readonly [number, number] => [key, values[i] ?? 0]);
  return pairs.sort(([a], [b]) => a - b).map(([, value]) => value);
}

/** Put axes back: axis i of `x` is axis order[i] of the result. */
function reordered(b: Builder, x: Value, order: readonly number[]): Value {
  return order.every((axis, i) => axis === i) ? x : b.emit(transpose, [x], { permutation: inversePermutation(order) });
}

function checkPairs(name: string, [left, right]: AxisPair, lhs: Type, rhs: Type): void {
  if (left.length !== right.length) reject(`\`${name}\` of \`dot\` pairs ${left.length} axes with ${right.length}`);
  for (const [i, axis] of left.entries()) {
    const other = right[i] ?? -1;
    const [a, b] = [requireAxis("dot", lhs, axis), requireAxis("dot", rhs, other)];
    if (!dimsEqual(a, b)) reject(`\`dot\` pairs axis ${axis} of ${printType(lhs)} with axis ${other} of ${printType(rhs)}`);
  }
}
