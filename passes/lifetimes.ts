// When the content of each buffer of an entry matters.
import type { PlanEntry, VirtualBuffer } from "../ir/plan.ts";

/** First and last dispatch at which a buffer's content matters; inputs live from -1, outputs to the number of dispatches. */
export interface Lifetime {
  readonly buffer: VirtualBuffer;
  readonly from: number;
  readonly to: number;
}

/** The lifetime of each buffer, in the entry's order. */
export function lifetimesOf(entry: PlanEntry): readonly Lifetime[] {
  const end = entry.dispatches.length;
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (const { buffer } of entry.inputs) first.set(buffer, -1);
  for (const [i, { bind }] of entry.dispatches.entries()) {
    for (const { buffer, through, over } of bind) {
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
    return { buffer, from, to: Math.max(from, last.get(buffer.name) ?? from) };
  });
}
