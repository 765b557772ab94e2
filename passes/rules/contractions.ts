// Transposes go into the contraction that reads or makes them: it takes its axes in any order, and the sum stays the same sum.
import type { AttributesOf } from "../../ir/attribute.ts";
import type { Value } from "../../ir/module.ts";
import { dot, freeAxes } from "../../ir/ops/dot.ts";
import { transpose } from "../../ir/ops/views.ts";
import { type RewriteContext, type Rule, ruleFor } from "../../ir/rewrite.ts";
import { matchUnary } from "./views.ts";

/**
 * dot(transpose(x), y) = dot(x, y) over other axes, where the free axes of x keep their order. Contractions that a policy stamped
 * stay as they are until they are quantized: codes lie along the last axis.
 */
const dotOfTranspose: Rule = ruleFor(dot, "dot-of-transpose", ([lhs, rhs], attrs, cx, { marks }) => {
  if (marks.quantize !== undefined) return undefined;
  const free = freeAxes(lhs.type, rhs.type, attrs.contract, attrs.batch);
  const left = throughTranspose(lhs, attrs.contract[0], attrs.batch[0], free.lhs, cx);
  const right = throughTranspose(rhs, attrs.contract[1], attrs.batch[1], free.rhs, cx);
  if (left === undefined && right === undefined) return undefined;
  const [l, r] = [
    left ?? { x: lhs, contract: attrs.contract[0], batch: attrs.batch[0] },
    right ?? { x: rhs, contract: attrs.contract[1], batch: attrs.batch[1] },
  ];
  return [cx.builder.emit(dot, [l.x, r.x], { contract: [l.contract, r.contract], batch: [l.batch, r.batch] })];
});

interface Side {
  readonly x: Value;
  readonly contract: readonly number[];
  readonly batch: readonly number[];
}

function throughTranspose(
  value: Value,
  contract: readonly number[],
  batch: readonly number[],
  free: readonly number[],
  cx: RewriteContext,
): Side | undefined {
  const inner = matchUnary(value, transpose, cx);
  if (inner === undefined) return undefined;
  const original = (axis: number): number => inner.attrs.permutation[axis] ?? axis;
  const ascends = free.every((axis, i) => i === 0 || original(free[i - 1] ?? 0) < original(axis));
  return ascends ? { x: inner.x, contract: contract.map(original), batch: batch.map(original) } : undefined;
}

/** transpose(dot(x, y)) = dot(y, x) where it swaps the two sides' free axes. Only where nobody else reads the product. */
const transposeOfDot: Rule = ruleFor(transpose, "transpose-of-dot", ([product], { permutation }, { producer, uses, builder }) => {
  const from = producer(product);
  if (from?.op.signature.name !== dot.name || from.marks.quantize !== undefined || uses(product) !== 1) return undefined;
  const [lhs, rhs] = from.operands;
  const { contract, batch } = from.attrs as AttributesOf<typeof dot.attrs>;
  if (lhs === undefined || rhs === undefined || batch[0].length > 0) return undefined;
  const free = freeAxes(lhs.type, rhs.type, contract, batch);
  const left = free.lhs.length;
  const swapped = permutation.every((axis, i) => axis === (i + left) % permutation.length);
  if (!swapped || left === 0 || left === permutation.length) return undefined;
  return [
    builder.emit(
      dot,
      [rhs, lhs],
      { contract: [contract[1], contract[0]], batch },
      { marks: from.marks, ...(from.at === undefined ? {} : { at: from.at }) },
    ),
  ];
});

export const contractionRules: readonly Rule[] = [dotOfTranspose, transposeOfDot];
