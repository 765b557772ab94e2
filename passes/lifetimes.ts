// When the content of each buffer of an entry matters.
import type { PlanEntry, VirtualBuffer } from "../ir/plan.ts";

/** First and last dispatch at which a buffer's content matters; inputs live from -1, outputs to the number of dispatches. */
export interface Lifetime {
  readonly buffer: VirtualBuffer;
  readonly from: number;
  readonly to: number;
}

/**
 * The lifetime of each buffer, in the entry's order. A slab-wide kernel names only the ends of its range, so every gradient lives until
 * the last kernel that takes a range of them.
 */
export function lifetimesOf(entry: PlanEntry): readonly Lifetime[] {
  const end = entry.dispatches.length;
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  const gradients = new Set(entry.buffers.filter((b) => b.role.kind === "gradient").map((b) => b.name));
  let lastRange = -1;
  for (const { buffer } of entry.inputs) first.set(buffer, -1);
  for (const [i, { bind }] of entry.dispatches.entries()) {
    for (const { buffer, through, over } of bind) {
      if (through !== undefined && gradients.has(buffer)) lastRange = i;
      for (const name of [buffer, through, over]) {
        if (name === undefined) continue;
        if (!first.has(name)) first.set(name, i);
        last.set(name, i);
      }
    }
  }
  for (const { buffer } of entry.outputs) last.set(buffer, end);
  return entry.buffers.map((buffer) => {
    const from = first.get(buffer.name) ?? end;
    const to = Math.max(from, last.get(buffer.name) ?? from, gradients.has(buffer.name) ? lastRange : from);
    return { buffer, from, to };
  });
}
