// Where values lie in memory, and rows of a tensor as a range of the memory that holds it: which rows a binding can cover.
import type { Instruction, Value } from "../ir/module.ts";
import { rowSlice } from "../ir/ops/row-parts.ts";
import { bufferBytes, storageOf } from "../ir/packing.ts";
import type { BufferPart } from "../ir/plan.ts";
import { denseBytes } from "../ir/scalar.ts";
import { elementCount, shapeOf, type Type } from "../ir/type.ts";
import { bindingAlignment } from "./state-layout.ts";

/** Where a value lies in memory: a buffer, and the element at which it starts (host scalars share one buffer). */
export interface BufferPlace {
  readonly buffer: string;
  readonly element: number;
  /** Where the value is a range of what the buffer holds. */
  readonly part?: BufferPart;
}

/** Rows `start` to `start + size` of a tensor whose first `lead` axes are counted as one. */
export interface RowRange {
  readonly lead: number;
  readonly start: number;
  readonly size: number;
}

/** Bindings have whole vectors of four words. */
const sizeAlignment = 16;

/** The bytes of some rows; undefined where a binding cannot begin with them, or end behind them. */
export function rowsPart(type: Type, { lead, start, size }: RowRange): BufferPart | undefined {
  const shape = shapeOf(type);
  const storage = storageOf(type);
  // A packed row is the last axis: rows of bits are no bytes.
  if (storage.kind === "packed" && lead >= shape.length) return undefined;
  const rest = shape.slice(lead);
  const rowBytes =
    storage.kind === "dense" ? elementCount(rest) * denseBytes[storage.scalar] : elementCount(rest.slice(0, -1)) * storage.pitch * 4;
  const offset = start * rowBytes;
  const isLast = start + size === elementCount(shape.slice(0, lead));
  const bytes = isLast ? bufferBytes(type) - offset : size * rowBytes;
  return offset % bindingAlignment === 0 && bytes % sizeAlignment === 0 ? { offset, bytes } : undefined;
}

export const samePart = (a: BufferPart | undefined, b: BufferPart | undefined): boolean => a?.offset === b?.offset && a?.bytes === b?.bytes;

interface RowsContext {
  readonly producer: (value: Value) => Instruction | undefined;
  readonly placeOf: (value: Value) => BufferPlace;
  /** Whether the kernel itself computes an instruction. */
  readonly isInside: (instruction: Instruction) => boolean;
}

/** The range of memory that a `row_slice` is; undefined for other instructions, where the kernel computes the operand, and where no binding fits. */
export function placeOfRows(
  { op, operands: [x], attrs }: Instruction,
  { producer, placeOf, isInside }: RowsContext,
): BufferPlace | undefined {
  if (op.signature.name !== rowSlice.name || x === undefined) return undefined;
  const from = producer(x);
  if (from !== undefined && isInside(from)) return undefined;
  const { buffer, element, part: around } = placeOf(x);
  const part = rowsPart(x.type, attrs as unknown as RowRange);
  return part === undefined || element !== 0 || around !== undefined ? undefined : { buffer, element, part };
}
