// Packing: places for allocations with lifetimes, side by side where they live at once. The second half of plan-memory.

/** Bytes that are needed from one dispatch to another, both included. */
export interface Allocation {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** An allocation whose place is given. */
export interface Fixed extends Allocation {
  readonly start: number;
}

/** Addresses run through slabs of one size, one behind the other; nothing lies across a boundary, nor where something `fixed` lives. */
export interface Space {
  readonly fixed: readonly Fixed[];
  readonly slabBytes: number;
}

export interface Packing {
  /** The address of each allocation, in their order. */
  readonly starts: readonly number[];
  /** The first address that nothing reaches. */
  readonly end: number;
}

/**
 * Orders to place in, each at the lowest address that is free for the whole lifetime; none is best for every graph. A training step
 * nests: what forward makes first dies last, and goes below what lives inside its time.
 */
const orders: readonly ((a: Allocation, b: Allocation) => number)[] = [
  (a, b) => b.bytes - a.bytes || a.from - b.from,
  (a, b) => b.to - b.from - (a.to - a.from) || b.bytes - a.bytes,
  (a, b) => b.to - a.to || a.from - b.from,
  (a, b) => b.bytes * (b.to - b.from + 1) - a.bytes * (a.to - a.from + 1) || a.from - b.from,
];

/**
 * The best of some orders, or else of what changes of them lead to. Deterministic. Ends at which no other order is tried, and at which
 * none is changed.
 */
export function pack(
  allocations: readonly Allocation[],
  space: Space,
  { near, good }: { readonly near: number; readonly good: number },
): Packing {
  const at = (i: number): Allocation => allocations[i] ?? missing();
  const tried: Ordered[] = [];
  for (const compare of orders) {
    const order = allocations.map((_, i) => i).sort((a, b) => compare(at(a), at(b)) || a - b);
    const packing = packInOrder(allocations, order, space) ?? missing();
    if (packing.end <= near) return packing;
    tried.push({ order, packing });
  }
  let best = tried.reduce((a, b) => (b.packing.end < a.packing.end ? b : a)).packing;
  if (best.end <= good) return best;
  const changes = Math.min(mostChanges, Math.floor(mostPairs / allocations.length ** 2 / tried.length));
  for (const first of tried.toSorted((a, b) => a.packing.end - b.packing.end)) {
    const packing = improved(allocations, first, space, changes, good);
    if (packing.end < best.end) best = packing;
    if (best.end <= good) break;
  }
  return best;
}

interface Ordered {
  readonly order: readonly number[];
  readonly packing: Packing;
}

/** Work for changes of orders: pairs of allocations that are looked at. */
const mostPairs = 4e7;
const mostChanges = 400;

/**
 * What ends last is placed earlier, and every third time one of those that are in its way is placed at another time. A change that makes
 * nothing worse stays, so that the next one starts elsewhere.
 */
function improved(allocations: readonly Allocation[], first: Ordered, space: Space, changes: number, good: number): Packing {
  const at = (i: number): Allocation => allocations[i] ?? missing();
  let { order, packing } = first;
  for (let change = 0; change < changes && packing.end > good; change++) {
    const { starts, end } = packing;
    const highest = order.findLastIndex((i) => (starts[i] ?? 0) + at(i).bytes === end);
    const last = order[highest];
    if (last === undefined) break;
    const { from, to } = at(last);
    const rivals = change % 3 === 2 ? order.slice(0, highest).filter((i) => at(i).from <= to && at(i).to >= from) : [];
    const moved = rivals[Math.floor(rivals.length * spread(change, 0.754877))];
    const changed =
      moved === undefined
        ? order.toSpliced(highest, 1).toSpliced(Math.floor(highest * spread(change, 0.618034)), 0, last)
        : order.toSpliced(order.indexOf(moved), 1).toSpliced(Math.floor(order.length * spread(change, 0.56984)), 0, moved);
    const next = packInOrder(allocations, changed, space, end);
    if (next === undefined) continue;
    order = changed;
    packing = next;
  }
  return packing;
}

/** Multiples of an irrational number, less what is whole, lie everywhere between 0 and 1. */
const spread = (n: number, step: number): number => (n * step) % 1;

/** Undefined where the end comes to lie beyond `most`: then nothing further is placed. */
function packInOrder(
  allocations: readonly Allocation[],
  order: readonly number[],
  { fixed, slabBytes }: Space,
  most = Number.POSITIVE_INFINITY,
): Packing | undefined {
  const line = new PlacedLine(fixed, fixed.length + allocations.length);
  let end = fixed.reduce((most, { start, bytes }) => Math.max(most, start + bytes), 0);
  let boundary = 0;
  const openSlabs = (until: number) => {
    for (; boundary < until; boundary += slabBytes) line.addBoundary(boundary + slabBytes);
  };
  openSlabs(Math.floor(end / slabBytes) * slabBytes);
  const starts: number[] = [];
  for (const i of order) {
    const { bytes, from, to } = allocations[i] ?? missing();
    if (bytes > slabBytes) throw new Error(`${bytes} bytes in slabs of ${slabBytes}`);
    let start = line.lowest(bytes, from, to);
    // The last slab ends only where something would lie across its end.
    while (start + bytes > boundary + slabBytes) {
      openSlabs(boundary + slabBytes);
      start = line.lowest(bytes, from, to);
    }
    line.add({ bytes, from, to, start });
    starts[i] = start;
    end = Math.max(end, start + bytes);
    if (end > most) return undefined;
  }
  return { starts, end };
}

/** Placed allocations by address, as columns: this is the loop that packing spends its time in. */
class PlacedLine {
  #count = 0;
  #starts: Float64Array;
  #ends: Float64Array;
  #froms: Int32Array;
  #tos: Int32Array;

  /** Room for so many, and for the boundaries of slabs more. */
  constructor(fixed: readonly Fixed[], count: number) {
    const size = count + 64;
    this.#starts = new Float64Array(size);
    this.#ends = new Float64Array(size);
    this.#froms = new Int32Array(size);
    this.#tos = new Int32Array(size);
    for (const each of fixed) this.add(each);
  }

  /** Nothing lies across it. */
  addBoundary(start: number): void {
    this.add({ start, bytes: 0, from: always.from, to: always.to });
  }

  add({ start, bytes, from, to }: Fixed): void {
    if (this.#count === this.#starts.length) this.#grow();
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    for (const column of [this.#starts, this.#ends, this.#froms, this.#tos]) column.copyWithin(low + 1, low, this.#count);
    this.#starts[low] = start;
    this.#ends[low] = start + bytes;
    this.#froms[low] = from;
    this.#tos[low] = to;
    this.#count++;
  }

  /** The lowest address from which `bytes` are free at every dispatch of a lifetime. */
  lowest(bytes: number, from: number, to: number): number {
    let start = 0;
    for (let i = 0; i < this.#count; i++) {
      if ((this.#froms[i] ?? 0) > to || (this.#tos[i] ?? 0) < from) continue;
      if (start + bytes <= (this.#starts[i] ?? 0)) return start;
      const end = this.#ends[i] ?? 0;
      if (end > start) start = end;
    }
    return start;
  }

  #grow(): void {
    const size = 2 * this.#starts.length;
    const longer = <T extends Float64Array | Int32Array>(column: T, made: T): T => {
      made.set(column);
      return made;
    };
    this.#starts = longer(this.#starts, new Float64Array(size));
    this.#ends = longer(this.#ends, new Float64Array(size));
    this.#froms = longer(this.#froms, new Int32Array(size));
    this.#tos = longer(this.#tos, new Int32Array(size));
  }
}

/** A lifetime that covers every other. */
export const always = { from: -1, to: 2 ** 31 - 1 } as const;

/** The least that any placement needs at its fullest moment: the largest sum of what lives at once. */
export function fullestMoment(allocations: readonly Allocation[]): number {
  const changes = allocations.flatMap(({ bytes, from, to }) => [
    { at: from, bytes },
    { at: to + 1, bytes: -bytes },
  ]);
  // At one moment what ended is gone before what begins is there.
  changes.sort((a, b) => a.at - b.at || a.bytes - b.bytes);
  let [live, most] = [0, 0];
  for (const { bytes } of changes) {
    live += bytes;
    most = Math.max(most, live);
  }
  return most;
}

function missing(): never {
  throw new Error("an allocation without a number");
}
