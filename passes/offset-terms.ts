// Contractions of operands that were rounded less an offset: codes stay on their grid, so that integers meet, and the offsets' part is added.
import type { Value } from "../ir/module.ts";
import { add, mul } from "../ir/ops/arithmetic.ts";
import { broadcast, sum } from "../ir/ops/broadcast.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { splat } from "../ir/ops/source.ts";
import { reshape } from "../ir/ops/views.ts";
import type { RewriteContext } from "../ir/rewrite.ts";
import { withDims } from "../ir/type.ts";

type Builder = RewriteContext["builder"];

/** An operand on its grid, and what each of its rows [.., 1] is to be shifted by. */
export interface Rounded {
  readonly value: Value;
  readonly offset?: Value;
  /** Where it was rounded in a rotation and is rotated back, which is where the offset belongs: what it is there. */
  readonly rotated?: { readonly before: Value; readonly block: number };
}

/**
 * (x + b) . (w + c) over the last axes, with the product x . w there: b sum(w) and sum(x) c are products of one number a row each, and b c meets as
 * often as there are columns. An operand that is rotated back has its offset in front of that, H (x + b), so the other one's sum is taken in that
 * rotation: H is symmetric and orthonormal.
 */
export function withOffsets(builder: Builder, product: Value, [left, right]: readonly [Rounded, Rounded]): Value {
  const terms: Value[] = [];
  if (left.offset !== undefined) {
    const ofRight = rowSum(builder, right, left.rotated?.block);
    const columns = Number(right.value.type.dims.at(-1));
    const whole =
      right.offset === undefined
        ? ofRight
        : builder.emit(add, [ofRight, builder.emit(mul, [perRow(builder, right.offset), splat(builder, ofRight.type, columns)])]);
    terms.push(outer(builder, perRow(builder, left.offset), whole, product));
  }
  if (right.offset !== undefined)
    terms.push(outer(builder, rowSum(builder, left, right.rotated?.block), perRow(builder, right.offset), product));
  return terms.reduce((total, term) => builder.emit(add, [total, term]), product);
}

/** The sums of an operand's rows, in a rotation where `block` says one. */
function rowSum(builder: Builder, { value, rotated }: Rounded, block: number | undefined): Value {
  const axis = value.type.dims.length - 1;
  const there = block === undefined ? value : rotated?.block === block ? rotated.before : builder.emit(hadamard, [value], { axis, block });
  return builder.emit(sum, [there], { axes: [axis] });
}

/** [.., 1] as [..]. */
const perRow = (builder: Builder, rows: Value): Value =>
  builder.emit(reshape, [rows], { type: withDims(rows.type, rows.type.dims.slice(0, -1)) });

/** All products of a number of the left and one of the right. */
function outer(builder: Builder, left: Value, right: Value, { type }: Value): Value {
  const aligned = builder.emit(reshape, [left], { type: withDims(left.type, [...left.type.dims, ...right.type.dims.map(() => 1)]) });
  return builder.emit(mul, [builder.emit(broadcast, [aligned], { type }), builder.emit(broadcast, [right], { type })]);
}
