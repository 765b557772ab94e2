// What could be computed again to lower a peak: for each thing that lies unused across it, the dispatches to repeat behind it, what they
// cost, and how many bytes of the peak they save. What they need and is gone by then is kept longer or computed again in turn, by price.
import type { MemoryProfile } from "./arena-allocations.ts";
import { type Insertion, lastUse, latestBefore, type Timeline, type Version } from "./recompute-timeline.ts";

export interface Candidate extends Insertion {
  /** Of what it repeats, in the unit of the costs of dispatches. */
  readonly cost: number;
  /** Bytes that it frees at the peak, less those of what is kept longer for it. */
  readonly saved: number;
  /** Changes of the profile: bytes that come or go from one dispatch to another, both included. */
  readonly changes: readonly { readonly from: number; readonly to: number; readonly bytes: number }[];
  /** Most bytes at once while it is computed again, less those that are there anyway before `at`. */
  readonly needs: number;
}

/** Cost of running a dispatch at a position once more. */
export type CostAt = (position: number) => number;

/** More dispatches are not repeated for the sake of one. */
const longestChain = 64;

/** Prices of a byte that is kept longer, in those of a byte of what is wanted: at the first all is kept, at the last nothing. */
const prices = [0, 0.3, 1, 3, Number.POSITIVE_INFINITY] as const;

/** Dispatches before a peak whose results are used again only behind it. */
export function droppable(timeline: Timeline, peak: number): readonly number[] {
  const found = new Set<number>();
  for (const { written, isStable, reads } of timeline.versions()) {
    if (written < 0 || written >= peak || !isStable || lastUseIn(reads, timeline.length) <= peak || reads.includes(peak)) continue;
    found.add(written);
  }
  return [...found];
}

/** What is handed out lives on; all else is used for the last time by a dispatch. */
const lastUseIn = (reads: readonly number[], end: number): number => {
  const last = reads.at(-1) ?? -1;
  return last === end ? -1 : last;
};

/** The ways to compute again what a dispatch before the peak made: one for each price that leads to another one. */
export function candidatesFor(timeline: Timeline, made: number, peak: number, costAt: CostAt): readonly Candidate[] {
  const dropped = timeline.resultsOf(made).flatMap((version): readonly { version: Version; before: number; next: number }[] => {
    const next = version.reads.find((at) => at >= peak);
    if (next === undefined || next === peak || lastUseIn(version.reads, timeline.length) <= peak) return [];
    return [{ version, before: version.reads.findLast((at) => at < peak) ?? version.written, next }];
  });
  if (dropped.length === 0) return [];
  const at = Math.min(...dropped.map(({ next }) => next));
  const bytes = dropped.reduce((sum, { version }) => sum + version.bytes, 0);
  const freed = dropped.map(({ version, before, next }) => ({ from: before + 1, to: next - 1, bytes: -version.bytes }));
  const found = new Map<string, Candidate>();
  for (const price of prices) {
    const chain = new Chain(timeline, at, peak, costAt, (price * costAt(made)) / bytes);
    if (!chain.add(made)) continue;
    const key = chain.repeat.join();
    if (found.has(key)) continue;
    const kept = [...chain.kept.values()].map((version) => ({ from: lastUse(version) + 1, to: at - 1, bytes: version.bytes }));
    const lost = kept.reduce((sum, range) => (range.from <= peak ? sum + range.bytes : sum), 0);
    const saved = bytes - lost;
    if (saved <= 0) continue;
    // What is made again lies there until `at`, earlier than it would be wanted where the results are used at different times.
    found.set(key, { at, repeat: chain.repeat, cost: chain.cost, saved, changes: [...freed, ...kept], needs: chain.needs(kept) });
  }
  return [...found.values()];
}

/** What has to run again for a dispatch to run again, in order. */
class Chain {
  readonly repeat: number[] = [];
  /** By name: what is kept until then. */
  readonly kept = new Map<string, Version>();
  cost = 0;
  readonly #timeline: Timeline;
  readonly #at: number;
  readonly #peak: number;
  readonly #costAt: CostAt;
  readonly #bytePrice: number;
  readonly #prices = new Map<number, number>();

  constructor(timeline: Timeline, at: number, peak: number, costAt: CostAt, bytePrice: number) {
    this.#timeline = timeline;
    this.#at = at;
    this.#peak = peak;
    this.#costAt = costAt;
    this.#bytePrice = bytePrice;
  }

  /** False where the dispatch, or what it needs, cannot be repeated there, or only with too many others. */
  add(position: number): boolean {
    if (this.repeat.includes(position)) return true;
    if (!this.#timeline.canRepeat(position, this.#at)) return false;
    for (const operand of this.#timeline.operandsOf(position)) {
      const there = this.#latest(operand);
      if (lastUse(there) >= this.#at || this.kept.has(there.name)) continue;
      const again = this.#maker(operand);
      if (again !== undefined && this.#priceOf(again, 0) < this.#keepPrice(there) && this.add(again)) continue;
      if (!there.isStable) return false;
      this.kept.set(there.name, there);
    }
    if (this.repeat.length >= longestChain) return false;
    this.repeat.push(position);
    this.cost += this.#costAt(position);
    return true;
  }

  /** Most bytes at once, of what is repeated and of what is kept for it. */
  needs(kept: readonly { readonly bytes: number }[]): number {
    const lastRead = new Map<string, number>();
    for (const [i, position] of this.repeat.entries())
      for (const { name } of this.#timeline.operandsOf(position)) lastRead.set(this.#timeline.rootOf(name), i);
    const last = this.repeat.length - 1;
    const gone = new Array<number>(this.repeat.length).fill(0);
    let live = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    let most = live;
    for (const [i, position] of this.repeat.entries()) {
      for (const { name, bytes } of this.#timeline.resultsOf(position)) {
        live += bytes;
        if (i === last) continue;
        const end = lastRead.get(this.#timeline.rootOf(name)) ?? i;
        gone[end] = (gone[end] ?? 0) + bytes;
      }
      most = Math.max(most, live);
      live -= gone[i] ?? 0;
    }
    return most;
  }

  #latest(operand: Version): Version {
    return latestBefore(this.#timeline.family(operand.name), this.#at) ?? operand;
  }

  /** The first dispatch that makes what an operand holds. */
  #maker({ name }: Version): number | undefined {
    const [first] = this.#timeline.family(name);
    return first === undefined || first.written < 0 || !first.isStable ? undefined : first.written;
  }

  /** What is kept behind the peak anyway costs nothing there. */
  #keepPrice(version: Version): number {
    return lastUse(version) >= this.#peak ? 0 : this.#bytePrice * version.bytes;
  }

  /** What computing a dispatch again costs, with what it needs at the cheaper of keeping and computing again. */
  #priceOf(position: number, depth: number): number {
    const known = this.#prices.get(position);
    if (known !== undefined) return known;
    if (depth > longestChain || !this.#timeline.canRepeat(position, this.#at)) return Number.POSITIVE_INFINITY;
    let price = this.#costAt(position);
    for (const operand of this.#timeline.operandsOf(position)) {
      const there = this.#latest(operand);
      if (lastUse(there) >= this.#at || this.kept.has(there.name)) continue;
      const keep = this.#keepPrice(there);
      const again = keep === 0 ? undefined : this.#maker(operand);
      price += again === undefined ? keep : Math.min(keep, this.#priceOf(again, depth + 1));
    }
    this.#prices.set(position, price);
    return price;
  }
}

/** Whether a candidate leaves every dispatch below a level, and the profile that it leads to. */
export function projected({ during, before }: MemoryProfile, candidate: Candidate, level: number): MemoryProfile | undefined {
  const { at, repeat, changes, needs } = candidate;
  const here = (before[at] ?? 0) + needs;
  if (here >= level) return undefined;
  const [nextDuring, nextBefore] = [[...during], [...before]];
  for (const { from, to, bytes } of changes) {
    for (let i = from; i <= to; i++) {
      const next = (nextDuring[i] ?? 0) + bytes;
      if (bytes > 0 && next >= level && (during[i] ?? 0) < level) return undefined;
      nextDuring[i] = next;
    }
    for (let i = from; i <= to + 1; i++) nextBefore[i] = (nextBefore[i] ?? 0) + bytes;
  }
  nextDuring.splice(at, 0, ...repeat.map(() => here));
  nextBefore.splice(at, 0, ...repeat.map(() => here));
  return { during: nextDuring, before: nextBefore };
}
