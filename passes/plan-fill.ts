// State that an entry fills with one number, such as the gradient sums that a step clears: one dispatch for what lies side by side.
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { BindingUse, Problem } from "../ir/plan.ts";
import { constant, uint, variable } from "../ir/scalar.ts";
import { isInlineSource } from "./grouping.ts";
import { alignUp, type StateLayout } from "./state-layout.ts";

interface Fill {
  readonly state: string;
  readonly number: number;
  readonly slab: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface FillDispatch {
  readonly problem: Problem;
  readonly bind: readonly BindingUse[];
  /** The states that it fills, in the order of their places. */
  readonly states: readonly string[];
}

/** Dispatches for all updates of an entry whose value is one f32 everywhere. */
export function fillDispatches(
  { updates }: Entry,
  producer: (value: Value) => Instruction | undefined,
  layout: Pick<StateLayout, "states">,
): readonly FillDispatch[] {
  const fills = updates.flatMap(({ state, value }): readonly Fill[] => {
    const number = splatNumber(value, producer(value));
    const place = layout.states.get(state);
    return number === undefined || place === undefined ? [] : [{ state, number, ...place, bytes: bufferBytes(value.type) }];
  });
  return runsOf(fills).map((run): FillDispatch => {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) throw new Error("an empty run of fills");
    const length = (last.offset + last.bytes - first.offset) / Float32Array.BYTES_PER_ELEMENT;
    const value = constant("f32", first.number);
    const storage = { kind: "dense", scalar: "f32" } as const;
    return {
      problem: {
        kind: "pointwise",
        shape: [length],
        stores: [{ binding: 0, storage, row: uint(0), column: variable("c0", length), value }],
      },
      bind: [{ buffer: first.state, access: "write", ...(first === last ? {} : { through: last.state }) }],
      states: run.map(({ state }) => state),
    };
  });
}

function splatNumber({ type }: Value, producer: Instruction | undefined): number | undefined {
  const isSplat = producer?.op.signature.name === "constant" && isInlineSource(producer);
  if (!isSplat || type.kind !== "tensor" || type.scalar !== "f32") return undefined;
  return (producer.attrs["values"] as readonly number[])[0];
}

/** Equal numbers with nothing but padding between them, which may be overwritten. */
function runsOf(fills: readonly Fill[]): readonly (readonly Fill[])[] {
  const runs: Fill[][] = [];
  for (const fill of fills.toSorted((a, b) => (a.slab < b.slab ? -1 : a.slab > b.slab ? 1 : a.offset - b.offset))) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    const follows =
      last !== undefined &&
      last.slab === fill.slab &&
      last.offset + alignUp(last.bytes) === fill.offset &&
      Object.is(last.number, fill.number);
    if (run !== undefined && follows) run.push(fill);
    else runs.push([fill]);
  }
  return runs;
}
