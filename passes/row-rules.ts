// What an op does to rows: whether it can run on some rows of its operands alone, and what it is then. Rows are the leading axes of a tensor
// counted as one, however many they are.
import type { Attributes } from "../ir/attribute.ts";
import { type Dim, shapesEqual } from "../ir/dim.ts";
import type { Instruction } from "../ir/module.ts";
import { broadcast, sum } from "../ir/ops/broadcast.ts";
import { dot } from "../ir/ops/dot.ts";
import { pruneMask } from "../ir/ops/prune.ts";
import { quantEncode, quantMask } from "../ir/ops/quant.ts";
import { quantDot } from "../ir/ops/quant-dot.ts";
import { argmax, max, min } from "../ir/ops/reductions.ts";
import { iota } from "../ir/ops/source.ts";
import { pad, reshape, slice } from "../ir/ops/views.ts";
import { elementCount, type Type, withDims } from "../ir/type.ts";
import { isInlineSource } from "./grouping.ts";

/** How an operand is taken: the same rows as the result has, all of it, or all of it without the leading axes of size 1 that it has. */
export type OperandUse = "rows" | "whole" | "stripped";

/**
 * What becomes of the results for parts of the rows. `rows`: they are rows of the result. `added`: the result is their sum, over all rows.
 * `row_sums`: the op sums over rows and more, and is run as one that sums each row; what it gives is then summed.
 */
export type ResultUse = "rows" | "added" | "row_sums";

export interface RowRule {
  readonly operands: readonly OperandUse[];
  readonly result: ResultUse;
  /** The attributes for so many rows, which are one axis. */
  attrs(size: number): Attributes;
}

/** The number of leading axes that are the rows; undefined where a tensor has no such rows. */
export function leadOf({ dims }: Type, rows: number): number | undefined {
  let product = 1;
  for (const [axis, size] of dims.entries()) {
    if (typeof size !== "number") return undefined;
    product *= size;
    if (product === rows) return axis + 1;
  }
  return undefined;
}

/** The type of `size` rows. */
export const rowsOf = (type: Type, rows: number, size: number): Type => withDims(type, [size, ...restOf(type, rows)]);

/** Axes behind the rows. */
export const restOf = (type: Type, rows: number): readonly Dim[] => type.dims.slice(leadOf(type, rows) ?? 0);

export const isContraction = ({ op }: Instruction): boolean => op.signature.name === dot.name || op.signature.name === quantDot.name;

/** Undefined where the op needs other rows than its own, or must not run in parts. */
export function rowRule(instruction: Instruction, rows: number): RowRule | undefined {
  const { op, operands, results, attrs } = instruction;
  const { name } = op.signature;
  const [result, ...more] = results;
  const [x] = operands;
  if (result === undefined || more.length > 0) return undefined;
  const lead = leadOf(result.type, rows);
  const isReduction = name === sum.name || name === max.name || name === min.name || name === argmax.name;
  if (isContraction(instruction)) return contractionRule(instruction, rows);
  if (isReduction) return x === undefined ? undefined : reductionRule(instruction, x.type, rows);
  if (lead === undefined) return undefined;
  const ofRows = (changed: (size: number) => Attributes, uses = operands.map((): OperandUse => "rows")): RowRule => ({
    operands: uses,
    result: "rows",
    attrs: changed,
  });
  const typed = (size: number): Attributes => ({ ...attrs, type: rowsOf(result.type, rows, size) });
  /** Behind the rows, which are one axis. */
  const moved = (axis: unknown): number => (axis as number) - lead + 1;
  if (isInlineSource(instruction)) {
    if (name !== iota.name) return ofRows(typed);
    return (attrs["axis"] as number) < lead ? undefined : ofRows((size) => ({ ...typed(size), axis: moved(attrs["axis"]) }));
  }
  if (x === undefined) return undefined;
  switch (name) {
    case broadcast.name: {
      const use = spreadUse(x.type, result.type, lead);
      return use === undefined ? undefined : ofRows(typed, [use]);
    }
    case reshape.name:
      return leadOf(x.type, rows) === undefined ? undefined : ofRows(typed);
    case slice.name:
    case pad.name: {
      const isBehind = (attrs["axis"] as number) >= lead && leadOf(x.type, rows) === lead;
      return isBehind ? ofRows(() => ({ ...attrs, axis: moved(attrs["axis"]) })) : undefined;
    }
    // What rounds to codes is computed in one place, by one kernel.
    case quantEncode.name:
    case quantMask.name:
    case pruneMask.name:
      return undefined;
    default: {
      if (op.lower.kind !== "pointwise") return undefined;
      const uses = operands.map(({ type }) => (type.dims.length === 0 ? "whole" : leadOf(type, rows) === lead ? "rows" : undefined));
      const known = uses.filter((use) => use !== undefined);
      return known.length === uses.length ? ofRows(() => attrs, known) : undefined;
    }
  }
}

/** An operand has the rows, or nothing along them; part of them (one of two leading axes) is no case of its own. */
function spreadUse(from: Type, to: Type, lead: number): OperandUse | undefined {
  const missing = to.dims.length - from.dims.length;
  const own = from.dims.slice(0, Math.max(0, lead - missing));
  if (own.every((size) => size === 1)) return own.length === 0 ? "whole" : "stripped";
  return missing === 0 && shapesEqual(own, to.dims.slice(0, lead)) ? "rows" : undefined;
}

function reductionRule({ op, attrs }: Instruction, from: Type, rows: number): RowRule | undefined {
  const lead = leadOf(from, rows);
  if (lead === undefined) return undefined;
  const isByAxis = op.signature.name === argmax.name;
  const axes = isByAxis ? [attrs["axis"] as number] : (attrs["axes"] as readonly number[]);
  const behind = axes.filter((axis) => axis >= lead).map((axis) => axis - lead + 1);
  const rule = (result: ResultUse, changed: Attributes): RowRule => ({ operands: ["rows"], result, attrs: () => changed });
  if (behind.length === axes.length) return rule("rows", isByAxis ? { ...attrs, axis: behind[0] } : { ...attrs, axes: behind });
  if (op.signature.name !== sum.name || axes.length - behind.length !== lead) return undefined;
  if (behind.length === 0) return rule("added", { ...attrs, axes: [0] });
  return behind.length === from.dims.length - lead ? rule("row_sums", { ...attrs, axes: behind }) : undefined;
}

type AxisPair = readonly [readonly number[], readonly number[]];

/** Rows times something whole, or a sum over the rows of both sides. */
function contractionRule({ op, operands, attrs }: Instruction, rows: number): RowRule | undefined {
  const isOfCodes = op.signature.name === quantDot.name;
  const { contract, batch } = attrs as { readonly contract: AxisPair; readonly batch: AxisPair };
  const [lhs, rhs] = isOfCodes ? [operands[0], operands[2]] : operands;
  if (lhs === undefined || rhs === undefined || batch[0].length > 0) return undefined;
  const [left, right] = [leadOf(lhs.type, rows), leadOf(rhs.type, rows)];
  if (left === undefined) return undefined;
  const isAllRows = (axes: readonly number[], lead: number) => axes.length === lead && axes.every((axis, i) => axis === i);
  if (!isOfCodes && right !== undefined && isAllRows(contract[0], left) && isAllRows(contract[1], right))
    return { operands: ["rows", "rows"], result: "added", attrs: () => ({ ...attrs, contract: [[0], [0]] }) };
  if (contract[0].some((axis) => axis < left)) return undefined;
  const moved = contract[0].map((axis) => axis - left + 1);
  return {
    operands: isOfCodes ? ["rows", "rows", "whole", "whole"] : ["rows", "whole"],
    result: "rows",
    attrs: () => ({ ...attrs, contract: [moved, contract[1]] }),
  };
}

/** Elements behind the rows. */
export const widthOf = (type: Type, rows: number): number => elementCount(restOf(type, rows).map(Number));
