// What lies in the arena, and how many bytes of it matter at each dispatch: what plan-memory places and recomputation is chosen by.
import type { PlanEntry } from "../ir/plan.ts";
import type { ArenaAllocation } from "./arena-layout.ts";
import { type InPlaceTable, updateInPlace } from "./in-place.ts";
import { lifetimesOf } from "./lifetimes.ts";
import { alignUp } from "./state-layout.ts";

/** What lies in the arena. Results in the place of their operands are one allocation with these. */
export function allocationsOf(entry: PlanEntry): readonly ArenaAllocation[] {
  const operandOf = new Map(
    entry.dispatches.flatMap(({ bind }) => bind.flatMap((b) => (b.over === undefined ? [] : [[b.buffer, b.over]]))),
  );
  const made = new Map<string, { buffers: string[]; bytes: number; from: number; to: number; gradientOf?: string }>();
  const transient = lifetimesOf(entry).filter(({ buffer: { role } }) => role.kind === "temporary" || role.kind === "gradient");
  // Operands are there before their results.
  for (const { buffer, from, to } of transient.sort((a, b) => a.from - b.from)) {
    const operand = operandOf.get(buffer.name);
    const known = operand === undefined ? undefined : made.get(operand);
    const allocation = known ?? { buffers: [], bytes: alignUp(buffer.bytes), from, to };
    allocation.buffers.push(buffer.name);
    allocation.to = Math.max(allocation.to, to);
    if (buffer.role.kind === "gradient") allocation.gradientOf = buffer.role.state;
    made.set(buffer.name, allocation);
  }
  return [...new Set(made.values())];
}

/** Bytes of the arena that matter during each dispatch of an entry, and at the boundary before each (and one behind the last). */
export interface MemoryProfile {
  readonly during: readonly number[];
  readonly before: readonly number[];
}

/** The profile of an entry whose results take the places of operands wherever they may. */
export function profileOf(entry: PlanEntry, table: InPlaceTable): MemoryProfile {
  const count = entry.dispatches.length;
  const during = new Array<number>(count + 1).fill(0);
  const before = new Array<number>(count + 2).fill(0);
  const change = (list: number[], at: number, bytes: number) => {
    list[at] = (list[at] ?? 0) + bytes;
  };
  for (const { bytes, from, to } of allocationsOf(updateInPlace(entry, table))) {
    // Given to the entry: there from the start. Handed out: there at the end.
    change(during, Math.max(from, 0), bytes);
    if (to + 1 < count) change(during, to + 1, -bytes);
    change(before, from + 1, bytes);
    change(before, Math.min(to, count) + 1, -bytes);
  }
  for (const list of [during, before]) for (let i = 1; i < list.length; i++) change(list, i, list[i - 1] ?? 0);
  return { during: during.slice(0, count), before: before.slice(0, count + 1) };
}
