// The arena: slabs for all that is made and lost within a run. Gradients have fixed places in it, one behind the other as the optimizer
// wants them, and everything else lies around them and, until they are written, in their places.
//
// Addresses count from the end of each slab: gradients stand at its end, and what pads small ones (which must stay zero, since the norm
// sums whole ranges) at the very end, where it is in nobody's way.
import type { Module } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { Placement } from "../ir/plan.ts";
import { type Allocation, always, type Fixed, pack } from "./pack.ts";
import { alignUp, bindingAlignment, type StateLayout } from "./state-layout.ts";

/** One place for buffers that follow each other in it. */
export interface ArenaAllocation extends Allocation {
  readonly buffers: readonly string[];
  /** The parameter whose gradient it ends as; its place is given. */
  readonly gradientOf?: string;
}

export class ArenaLayout {
  readonly #layout: StateLayout;
  readonly #slabBytes: number;
  /** The address of each block of gradients. */
  readonly #blocks = new Map<string, number>();
  readonly #pads: readonly Fixed[];
  /** Entry -> buffer -> what it takes. */
  readonly #taken = new Map<string, ReadonlyMap<string, AddressRange>>();
  /** How far each slab is used. */
  readonly #extents: number[] = [];

  constructor(module: Module, layout: StateLayout, maxSlabBytes: number) {
    this.#layout = layout;
    this.#slabBytes = Math.floor(maxSlabBytes / bindingAlignment) * bindingAlignment;
    let next = 0;
    for (const [name, bytes] of layout.gradientBlocks) {
      const room = this.#slabBytes - (next % this.#slabBytes);
      const start = bytes <= room ? next : next + room;
      this.#blocks.set(name, start);
      this.#reach({ start, bytes });
      next = start + bytes;
    }
    this.#pads = module.states.flatMap(({ name, type }): readonly Fixed[] => {
      const bytes = alignUp(bufferBytes(type));
      if (!layout.gradients.has(name) || bytes === bufferBytes(type)) return [];
      // Padding is less than the unit in which places are given.
      return [{ start: this.#addressOfGradient(name, bytes), bytes: bindingAlignment, ...always }];
    });
  }

  /** Find a place for everything that an entry makes. `enough`: bytes of the arena that are few enough to look no further, as `pack` takes them. */
  place(entry: string, allocations: readonly ArenaAllocation[], enough: Parameters<typeof pack>[2]): void {
    const given: (ArenaAllocation & Fixed)[] = [];
    const free: ArenaAllocation[] = [];
    for (const each of allocations) {
      if (each.gradientOf === undefined) free.push(each);
      else given.push({ ...each, start: this.#addressOfGradient(each.gradientOf, each.bytes) });
    }
    const { starts } = pack(free, { fixed: [...given, ...this.#pads], slabBytes: this.#slabBytes }, enough);
    const taken = new Map<string, AddressRange>();
    for (const { buffers, bytes, start } of [...given, ...free.map((each, i) => ({ ...each, start: starts[i] ?? 0 }))]) {
      this.#reach({ start, bytes });
      for (const buffer of buffers) taken.set(buffer, { start, bytes });
    }
    this.#taken.set(entry, taken);
  }

  /** Bytes of each slab. Complete when every entry has its place. */
  slabs(): ReadonlyMap<string, number> {
    return new Map(this.#extents.map((bytes, i) => [slabName(i), bytes]));
  }

  /** Places of what an entry makes, once the slabs are complete. */
  places(entry: string): Readonly<Record<string, Placement>> {
    const taken = [...(this.#taken.get(entry) ?? [])];
    return Object.fromEntries(taken.map(([buffer, range]) => [buffer, this.#placeOf(range)]));
  }

  #addressOfGradient(state: string, bytes: number): number {
    const place = this.#layout.gradients.get(state);
    const block = place === undefined ? undefined : this.#blocks.get(place.slab);
    if (place === undefined || block === undefined) throw new Error(`no place for the gradient of ${state}`);
    return block + (this.#layout.gradientBlocks.get(place.slab) ?? 0) - place.offset - bytes;
  }

  #placeOf({ start, bytes }: AddressRange): Placement {
    const slab = Math.floor(start / this.#slabBytes);
    return { slab: slabName(slab), offset: (this.#extents[slab] ?? 0) - (start % this.#slabBytes) - bytes };
  }

  #reach({ start, bytes }: AddressRange): void {
    const slab = Math.floor(start / this.#slabBytes);
    for (let i = this.#extents.length; i <= slab; i++) this.#extents.push(0);
    this.#extents[slab] = Math.max(this.#extents[slab] ?? 0, (start % this.#slabBytes) + bytes);
  }
}

interface AddressRange {
  readonly start: number;
  readonly bytes: number;
}

const slabName = (number: number): string => `arena.${number}`;
