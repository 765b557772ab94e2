// `plan-memory`: places every buffer of a plan in a slab. State, gradients and host scalars have fixed places; everything else
// shares one arena by lifetime. Entries run one at a time, so they share the arena too. Changes places only, never values.
import type { Module } from "../ir/module.ts";
import type { KernelPlan, MemoryPlan, PlacedPlan, Placement, PlanEntry, VirtualBuffer } from "../ir/plan.ts";
import { type Lifetime, lifetimesOf } from "./lifetimes.ts";
import { alignUp, layoutStates } from "./state-layout.ts";

export function planMemory(plan: KernelPlan, module: Module): PlacedPlan {
  const layout = layoutStates(module, plan.target.limits.maxStorageBufferBindingSize);
  const slabs = new Map(layout.slabs);
  const places: Record<string, Record<string, Placement>> = {};
  let arenaBytes = 0;
  let lowerBound = 0;
  for (const entry of plan.entries) {
    const own: Record<string, Placement> = {};
    places[entry.name] = own;
    for (const buffer of entry.buffers) {
      const fixed = fixedPlace(entry, buffer, layout.states, layout.gradients);
      if (fixed === undefined) continue;
      own[buffer.name] = fixed;
      if (!layout.slabs.has(fixed.slab)) slabs.set(fixed.slab, Math.max(slabs.get(fixed.slab) ?? 0, alignUp(buffer.bytes)));
    }
    const lifetimes = lifetimesOf(entry).filter(({ buffer }) => own[buffer.name] === undefined);
    const { offsets, bytes } = packLifetimes(lifetimes);
    for (const [name, offset] of offsets) own[name] = { slab: "arena.0", offset };
    arenaBytes = Math.max(arenaBytes, bytes);
    lowerBound = Math.max(lowerBound, fullestMoment(lifetimes));
  }
  if (arenaBytes > 0) slabs.set("arena.0", arenaBytes);
  const fixedBytes = [...slabs].filter(([name]) => name !== "arena.0").reduce((n, [, bytes]) => n + bytes, 0);
  const memory: MemoryPlan = {
    slabs: [...slabs].map(([name, bytes]) => ({ name, bytes })),
    places,
    peakBytes: fixedBytes + arenaBytes,
    lowerBoundBytes: fixedBytes + lowerBound,
  };
  return { ...plan, memory };
}

function fixedPlace(
  entry: PlanEntry,
  buffer: VirtualBuffer,
  states: ReadonlyMap<string, Placement>,
  gradients: ReadonlyMap<string, Placement>,
): Placement | undefined {
  const { role } = buffer;
  switch (role.kind) {
    case "state":
    case "gradient": {
      const name = role.kind === "state" ? role.name : role.state;
      const place = (role.kind === "state" ? states : gradients).get(name);
      if (place === undefined) throw new Error(`no place for ${role.kind} of ${name}`);
      return place;
    }
    case "host":
      return { slab: "host", offset: 0 };
    case "constant":
      // Uploaded once, so it must not share its place with anything.
      return { slab: `constant.${entry.name}.${buffer.name.slice(1)}`, offset: 0 };
    case "temporary":
      return undefined;
    default:
      return role satisfies never;
  }
}

const overlap = (a: Lifetime, b: Lifetime): boolean => a.from <= b.to && b.from <= a.to;

/** Largest first, each at the lowest offset that no living neighbour covers. */
function packLifetimes(lifetimes: readonly Lifetime[]): { readonly offsets: ReadonlyMap<string, number>; readonly bytes: number } {
  const placed: { readonly lifetime: Lifetime; readonly start: number; readonly end: number }[] = [];
  const offsets = new Map<string, number>();
  const bySize = [...lifetimes].sort(
    (a, b) => b.buffer.bytes - a.buffer.bytes || a.from - b.from || (a.buffer.name < b.buffer.name ? -1 : 1),
  );
  for (const lifetime of bySize) {
    const size = alignUp(lifetime.buffer.bytes);
    const neighbours = placed.filter((p) => overlap(p.lifetime, lifetime)).sort((a, b) => a.start - b.start);
    let start = 0;
    for (const neighbour of neighbours) {
      if (start + size <= neighbour.start) break;
      start = Math.max(start, neighbour.end);
    }
    placed.push({ lifetime, start, end: start + size });
    offsets.set(lifetime.buffer.name, start);
  }
  return { offsets, bytes: Math.max(0, ...placed.map((p) => p.end)) };
}

/** The least that any placement could need: the largest sum of buffers that live at once. */
function fullestMoment(lifetimes: readonly Lifetime[]): number {
  const moments = new Set(lifetimes.map((l) => l.from));
  return Math.max(
    0,
    ...[...moments].map((t) => lifetimes.filter((l) => l.from <= t && t <= l.to).reduce((n, l) => n + alignUp(l.buffer.bytes), 0)),
  );
}
