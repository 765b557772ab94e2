// `plan-memory`: places every buffer of a plan in a slab. State, constants and host scalars have slabs of their own; everything that is
// made and lost within a run shares the arena by lifetime. A result takes the place of an operand that dies, where that is right.
// Entries run one at a time, so they share the arena too. Changes places only, never values.
import type { Module } from "../ir/module.ts";
import type { KernelPlan, MemoryPlan, PlacedPlan, Placement, PlanEntry, VirtualBuffer } from "../ir/plan.ts";
import { allocationsOf } from "./arena-allocations.ts";
import { ArenaLayout } from "./arena-layout.ts";
import { InPlaceTable, updateInPlace } from "./in-place.ts";
import { fullestMoment } from "./pack.ts";
import { alignUp, layoutStates, type StateLayout } from "./state-layout.ts";

/** Where a packing is this near to the lower bound, no other order is tried; and no time is spent on changes of orders. */
const nearEnough = 1.002;
const goodEnough = 1.012;

export function planMemory(plan: KernelPlan, module: Module): PlacedPlan {
  const { limits } = plan.target;
  const layout = layoutStates(module, limits.maxStorageBufferBindingSize);
  const inPlace = new InPlaceTable();
  const entries = plan.entries.map((entry) => updateInPlace(entry, inPlace));
  const slabs = new Map(layout.slabs);
  const arena = new ArenaLayout(module, layout, limits.maxBufferSize);
  const places: Record<string, Record<string, Placement>> = {};
  let fullest = 0;
  for (const entry of entries) {
    const own: Record<string, Placement> = {};
    places[entry.name] = own;
    for (const buffer of entry.buffers) {
      const place = fixedPlace(entry, buffer, layout);
      if (place === undefined) continue;
      own[buffer.name] = place;
      if (!layout.slabs.has(place.slab)) slabs.set(place.slab, Math.max(slabs.get(place.slab) ?? 0, alignUp(buffer.bytes)));
    }
    const allocations = allocationsOf(entry);
    const moment = fullestMoment(allocations);
    fullest = Math.max(fullest, moment);
    arena.place(entry.name, allocations, { near: nearEnough * moment, good: goodEnough * moment });
  }
  const arenaSlabs = arena.slabs();
  for (const entry of entries) Object.assign(places[entry.name] ?? {}, arena.places(entry.name));
  const sum = (sizes: Iterable<number>): number => [...sizes].reduce((total, bytes) => total + bytes, 0);
  const memory: MemoryPlan = {
    slabs: [...slabs, ...arenaSlabs].map(([name, bytes]) => ({ name, bytes })),
    places,
    peakBytes: sum(slabs.values()) + sum(arenaSlabs.values()),
    lowerBoundBytes: sum(slabs.values()) + fullest,
  };
  return { ...plan, entries, memory };
}

/** The place of what outlives a run; undefined for what lies in the arena. */
function fixedPlace(entry: PlanEntry, buffer: VirtualBuffer, { states }: StateLayout): Placement | undefined {
  const { role } = buffer;
  switch (role.kind) {
    case "state": {
      const place = states.get(role.name);
      if (place === undefined) throw new Error(`no place for the state ${role.name}`);
      return place;
    }
    case "host":
      return { slab: "host", offset: 0 };
    case "constant":
      // Uploaded once, so it must not share its place with anything.
      return { slab: `constant.${entry.name}.${buffer.name.slice(1)}`, offset: 0 };
    case "gradient":
    case "temporary":
      return undefined;
    default:
      return role satisfies never;
  }
}
