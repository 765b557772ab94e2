// Indexing tensors: `x[.., 0..128]` takes ranges of axes, `x[0]` takes an axis away.
import { reject } from "../../ir/diagnostic.ts";
import { type Dim, dimsEqual, printDim } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import { reshape, slice } from "../../ir/ops/views.ts";
import { printType, withDims } from "../../ir/type.ts";
import type { Expression, RangeExpression } from "../syntax/ast-expression.ts";
import type { EntryContext } from "./entry-context.ts";

/** One item of an index: a range of an axis (without `to`: to its end), or a single position. */
export type IndexItem = { readonly kind: "range"; readonly from: Dim; readonly to?: Dim } | { readonly kind: "position"; readonly at: Dim };

/** Items stand for the first axes, after `..` for the last ones. */
export function lowerIndex(cx: EntryContext, x: Value, leading: boolean, items: readonly IndexItem[], hint: string | undefined): Value {
  const rank = x.type.dims.length;
  if (items.length > rank) return reject(`${items.length} items index ${printType(x.type)}, which has ${rank} axes`);
  const first = leading ? rank - items.length : 0;
  let value = x;
  const dropped: number[] = [];
  for (const [i, item] of items.entries()) {
    const axis = first + i;
    if (item.kind === "position") dropped.push(axis);
    value = takeRange(cx, value, axis, item, i === items.length - 1 && dropped.length === 0 ? hint : undefined);
  }
  if (dropped.length === 0) return value;
  const dims = value.type.dims.filter((_, axis) => !dropped.includes(axis));
  return cx.emit(reshape, [value], { type: withDims(value.type, dims) }, hint);
}

function takeRange(cx: EntryContext, x: Value, axis: number, item: IndexItem, hint: string | undefined): Value {
  const whole = x.type.dims[axis] ?? 0;
  const fromEnd = (at: Dim): Dim => (typeof at === "number" && at < 0 && typeof whole === "number" ? at + whole : at);
  const from = fromEnd(item.kind === "range" ? item.from : item.at);
  const to =
    item.kind === "position" ? (typeof from === "number" ? from + 1 : undefined) : item.to === undefined ? whole : fromEnd(item.to);
  if (from === 0 && to !== undefined && dimsEqual(to, whole)) return x;
  const place = `axis ${axis} of ${printType(x.type)}`;
  if (typeof from !== "number" || typeof to !== "number") {
    return reject(
      `the range ${printDim(from)}..${to === undefined ? "" : printDim(to)} of ${place} is not known when the model is compiled`,
    );
  }
  if (from < 0 || to > (typeof whole === "number" ? whole : to)) return reject(`the range ${from}..${to} leaves ${place}`);
  if (to <= from) return reject(`the range ${from}..${to} of ${place} is empty`);
  return cx.emit(slice, [x], { axis, start: from, size: to - from }, hint);
}

/** A written range as an item; undefined after a problem, which `size` has reported. */
export function rangeItem(
  from: Dim | undefined,
  item: RangeExpression,
  size: (expression: Expression) => Dim | undefined,
): IndexItem | undefined {
  if (from === undefined) return undefined;
  if (item.to === undefined) return { kind: "range", from };
  const to = size(item.to);
  return to === undefined ? undefined : { kind: "range", from, to };
}
