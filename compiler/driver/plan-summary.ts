// What a plan means in figures: bytes, dispatches, operations, and which buffers are the large ones. Known before anything runs.
import { flopsOf } from "../../ir/flops.ts";
import type { BufferRole, PlacedPlan, Placement } from "../../ir/plan.ts";
import { printType } from "../../ir/type.ts";
import { lifetimesOf } from "../../passes/lifetimes.ts";

export interface PlanSummary {
  readonly target: string;
  /** Bytes that a session allocates, and the least that any placement of these buffers could take. */
  readonly peakBytes: number;
  readonly lowerBoundBytes: number;
  readonly slabs: readonly { readonly name: string; readonly bytes: number }[];
  readonly entries: readonly EntrySummary[];
  /** Sums over the entries. */
  readonly dispatches: number;
  readonly flops: number;
  /** Largest first. */
  readonly buffers: readonly BufferSummary[];
}

export interface EntrySummary {
  readonly name: string;
  readonly dispatches: number;
  /** Of one run. */
  readonly flops: number;
  /** Dispatches by kernel family. */
  readonly families: Readonly<Record<string, number>>;
}

export interface BufferSummary extends Placement {
  readonly entry: string;
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly role: BufferRole["kind"];
  /** First and last dispatch that needs it; -1: given to the entry, the number of dispatches: handed out. */
  readonly from: number;
  readonly to: number;
  /** `path:line:column` of what computes it, where known, and the instance of the model that this belongs to. */
  readonly at?: string;
  readonly instance?: string;
}

export function summarizePlan({ target, entries, memory }: PlacedPlan): PlanSummary {
  const counted = entries.map(({ name, dispatches }): EntrySummary => {
    const families: Record<string, number> = {};
    for (const { problem } of dispatches) families[problem.kind] = (families[problem.kind] ?? 0) + 1;
    return { name, dispatches: dispatches.length, flops: dispatches.reduce((n, { problem }) => n + flopsOf(problem), 0), families };
  });
  const buffers = entries.flatMap((entry) => {
    const makers = new Map(entry.dispatches.flatMap(({ bind, at }) => bind.filter((b) => b.access !== "read").map((b) => [b.buffer, at])));
    return lifetimesOf(entry).map(({ buffer: { name, type, bytes, role }, from, to }): BufferSummary => {
      const place = memory.places[entry.name]?.[name];
      if (place === undefined) throw new Error(`@${entry.name}: ${name} has no place`);
      const at = role.kind === "temporary" ? makers.get(name) : undefined;
      return {
        entry: entry.name,
        name,
        type: printType(type),
        bytes,
        role: role.kind,
        ...place,
        from,
        to,
        ...(at === undefined ? {} : { at: `${at.path}:${at.line}:${at.column}` }),
        ...(at?.instance === undefined ? {} : { instance: at.instance }),
      };
    });
  });
  return {
    target: target.name,
    peakBytes: memory.peakBytes,
    lowerBoundBytes: memory.lowerBoundBytes,
    slabs: memory.slabs,
    entries: counted,
    dispatches: counted.reduce((n, e) => n + e.dispatches, 0),
    flops: counted.reduce((n, e) => n + e.flops, 0),
    buffers: buffers.sort((a, b) => b.bytes - a.bytes || (a.entry === b.entry ? a.from - b.from : a.entry < b.entry ? -1 : 1)),
  };
}
