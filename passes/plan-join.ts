// Parts that are joined, and copies: dispatches that move values as they are.
import type { Instruction, Value } from "../ir/module.ts";
import { rowConcat } from "../ir/ops/row-parts.ts";
import type { BindingUse, BufferPart, Problem } from "../ir/plan.ts";
import { elementCount, shapeOf } from "../ir/type.ts";
import { axisVariables, KernelScope } from "./kernel-scope.ts";
import type { Kernel } from "./plan-problems.ts";
import { type BufferPlace, rowsPart, samePart } from "./row-places.ts";

/** The instruction of a kernel that joins parts which other kernels store. */
export const joinOf = ({ members }: Kernel): Instruction | undefined => members.find(({ op }) => op.signature.name === rowConcat.name);

interface JoinedPart {
  readonly value: Value;
  /** Its first element in the whole. */
  readonly element: number;
  /** Its bytes in the whole; undefined where no binding can cover them. */
  readonly part: BufferPart | undefined;
}

function partsOfJoin({ operands, results: [whole] }: Instruction): readonly JoinedPart[] {
  if (whole === undefined) throw new Error("a join without a result");
  let start = 0;
  return operands.map((value) => {
    const [size = 0, ...rest] = shapeOf(value.type);
    const lead = whole.type.dims.length - rest.length;
    const joined = { value, element: start * elementCount(rest), part: rowsPart(whole.type, { lead, start, size }) };
    start += size;
    return joined;
  });
}

/**
 * Where parts are stored: where they belong in the whole, if a binding can cover them there. `placeWhole` answers the buffer of a whole, undefined
 * where its parts may not be stored before all of them are there.
 */
export function placedParts(
  kernels: readonly Kernel[],
  placeWhole: (whole: Value) => string | undefined,
): readonly (readonly [Value, BufferPlace])[] {
  return kernels.flatMap((kernel) => {
    const join = joinOf(kernel);
    const [whole] = join?.results ?? [];
    const buffer = whole === undefined ? undefined : placeWhole(whole);
    if (join === undefined || buffer === undefined) return [];
    return partsOfJoin(join).flatMap(({ value, part }) => (part === undefined ? [] : [[value, { buffer, element: 0, part }] as const]));
  });
}

/** The parts of a join that lie elsewhere, and where they belong. */
export function copiedParts(
  join: Instruction,
  places: ReadonlyMap<Value, BufferPlace>,
): readonly { readonly value: Value; readonly to: BufferPlace }[] {
  const [whole] = join.results;
  const buffer = whole === undefined ? undefined : places.get(whole)?.buffer;
  if (buffer === undefined) throw new Error("a join without a place");
  return partsOfJoin(join).flatMap(({ value, element, part }) => {
    const place = places.get(value);
    const isThere = place?.buffer === buffer && samePart(place.part, part);
    return isThere ? [] : [{ value, to: { buffer, element } }];
  });
}

interface CopyInput {
  readonly producer: (value: Value) => Instruction | undefined;
  readonly placeOf: (value: Value) => BufferPlace;
  readonly to: BufferPlace;
}

/** Copy a value to a place. */
export function copyOf(
  value: Value,
  { producer, placeOf, to }: CopyInput,
): { readonly problem: Problem; readonly bind: readonly BindingUse[] } {
  const twin: Value = { ...value };
  const scope = new KernelScope({
    members: [],
    producer,
    isNeeded: () => true,
    placeOf: (v) => (v === twin ? to : placeOf(v)),
  });
  const shape = shapeOf(value.type);
  const at = axisVariables("c", shape);
  scope.give(twin, scope.element(value, at));
  return { problem: { kind: "pointwise", shape, stores: [scope.store(twin, at)] }, bind: scope.bindings };
}
