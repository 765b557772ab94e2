// `remat auto`: lowers the peak of an entry by running cheap dispatches again instead of keeping what they made. Greedy on the peak
// (as XLA's rematerialization does), over sets of dispatches whose operands are kept or computed again by price, planned anew after every
// few changes; then what turned out to be needless is taken back.
//
// Choosing is NP-hard (Jain et al., Checkmate, MLSys 2020); this takes time about linear in peaks times dispatches. With chains of
// operands it finds what Chen et al. (Training Deep Nets with Sublinear Memory Cost, 2016) do with segments of layers, and
// finer choices within them. A repeated dispatch is the same pipeline on the same operands, so no bit of any result changes.
import type { Dispatch, PlanEntry, Problem } from "../ir/plan.ts";
import { type MemoryProfile, profileOf } from "./arena-allocations.ts";
import type { InPlaceTable } from "./in-place.ts";
import { type Candidate, candidatesFor, droppable, projected } from "./recompute-candidates.ts";
import { Timeline } from "./recompute-timeline.ts";

/** What running a kernel costs, in microseconds, where its bindings have so many bytes. */
export type CostOf = (problem: Problem, boundBytes: number) => number;

/** Share of a peak that a round takes off it before it looks again: small enough that the cheapest go first at each level. */
const roundShare = 0.03;
/** Plans are tried anew this many times at most to take back what is needless. */
const mostTrials = 160;

export class Recomputation {
  readonly #table: InPlaceTable;
  readonly #costOf: CostOf;
  readonly #bytes: ReadonlyMap<string, number>;
  readonly #costs = new Map<Problem, number>();
  /** From nothing computed again to the least that has been reached, each with less memory than the one before. */
  readonly #path: { readonly timeline: Timeline; readonly peakBytes: number }[];
  #isComplete = false;
  #recomputations = 0;

  constructor(entry: PlanEntry, table: InPlaceTable, costOf: CostOf) {
    this.#table = table;
    this.#costOf = costOf;
    this.#bytes = new Map(entry.buffers.map(({ name, bytes }) => [name, bytes]));
    const timeline = Timeline.of(entry);
    this.#path = [{ timeline, peakBytes: peakOf(profileOf(entry, table)) }];
  }

  /** Bytes that the entry takes where nothing is computed again. */
  get plainBytes(): number {
    return this.#path[0]?.peakBytes ?? 0;
  }

  /** The least that recomputation leads to. */
  get leastBytes(): number {
    this.#descend(0);
    return this.#path.at(-1)?.peakBytes ?? 0;
  }

  /** Whether recomputation leads to so many bytes. */
  reaches(bytes: number): boolean {
    this.#descend(bytes);
    return (this.#path.at(-1)?.peakBytes ?? 0) <= bytes;
  }

  /** The cheapest way found to run the entry in so many bytes of the arena; the one that takes least where none does. */
  within(bytes: number): PlanEntry {
    this.#descend(bytes);
    const found = this.#path.find(({ peakBytes }) => peakBytes <= bytes) ?? this.#path.at(-1);
    if (found === undefined) throw new Error("no plan of an entry");
    return this.#takenBack(found.timeline, Math.max(bytes, found.peakBytes)).entry;
  }

  /** Lower the peak until it is within some bytes or nothing helps any more. */
  #descend(target: number): void {
    for (let last = this.#path.at(-1); last !== undefined && last.peakBytes > target && !this.#isComplete; last = this.#path.at(-1)) {
      const next = this.#round(last.timeline);
      if (next === undefined) this.#isComplete = true;
      else this.#path.push(next);
    }
  }

  /** Some recomputations at the peak, and what the peak is then; undefined where none lowers it. */
  #round(from: Timeline): { readonly timeline: Timeline; readonly peakBytes: number } | undefined {
    let timeline = from;
    let profile = profileOf(timeline.entry, this.#table);
    const level = peakOf(profile);
    // Not what is asked for: plans would depend on what was asked for before.
    const goal = level * (1 - roundShare);
    // One peak after another: a plan may be as full at the same place in every layer.
    for (;;) {
      const before = timeline;
      timeline = this.#lower(timeline, profile, goal, level);
      if (timeline === before) return undefined;
      profile = profileOf(timeline.entry, this.#table);
      const now = peakOf(profile);
      if (now < level) return { timeline, peakBytes: now };
    }
  }

  /** Bring the first of the fullest dispatches down to a goal, cheapest first. */
  #lower(from: Timeline, profile: MemoryProfile, goal: number, level: number): Timeline {
    let timeline = from;
    let current = profile;
    let peak = current.during.indexOf(level);
    const costAt = (at: number): number => this.#cost(timeline.dispatch(at));
    const worth = ({ cost, saved }: Candidate, wanted: number): number => cost / Math.min(saved, wanted);
    const best = (made: number, wanted: number): Candidate | undefined =>
      candidatesFor(timeline, made, peak, costAt)
        .toSorted((a, b) => worth(a, wanted) - worth(b, wanted))
        .find((each) => projected(current, each, level) !== undefined);
    const wanted = level - goal;
    const ranked = droppable(timeline, peak).flatMap((made) => {
      const candidate = best(made, wanted);
      return candidate === undefined ? [] : [{ made, worth: worth(candidate, wanted) }];
    });
    for (const { made } of ranked.toSorted((a, b) => a.worth - b.worth || a.made - b.made)) {
      const left = (current.during[peak] ?? 0) - goal;
      if (left <= 0) break;
      // What has been computed again by now may have changed what this one needs. All insertions are behind the peak and what made it.
      const candidate = best(made, left);
      const next = candidate === undefined ? undefined : projected(current, candidate, level);
      if (candidate === undefined || next === undefined) continue;
      timeline = timeline.insert(candidate, ++this.#recomputations);
      current = next;
      peak = candidate.at <= peak ? peak + candidate.repeat.length : peak;
    }
    return timeline;
  }

  /** Without the recomputations that a plan within so many bytes can do without, dearest first. */
  #takenBack(from: Timeline, bytes: number): Timeline {
    let timeline = from;
    let profile = profileOf(timeline.entry, this.#table);
    const dearest = timeline.entry.dispatches
      .filter((d) => d.recompute !== undefined)
      .map((dispatch) => ({ name: dispatch.bind.find((b) => b.access === "write")?.buffer ?? "", cost: this.#cost(dispatch) }))
      .toSorted((a, b) => b.cost - a.cost);
    let trials = 0;
    for (const { name } of dearest) {
      const version = timeline.version(name);
      if (version === undefined || !mayKeep(timeline, version.written, profile, bytes)) continue;
      if (trials++ === mostTrials) break;
      const without = timeline.remove(version.written);
      const next = profileOf(without.entry, this.#table);
      if (peakOf(next) > bytes) continue;
      timeline = without;
      profile = next;
    }
    return timeline;
  }

  /** Bindings of a repeated dispatch are as large as those of the first. */
  #cost({ problem, bind }: Dispatch): number {
    const known = this.#costs.get(problem);
    if (known !== undefined) return known;
    const bytes = bind.reduce((sum, { buffer }) => sum + (this.#bytes.get(buffer) ?? 0), 0);
    const cost = this.#costOf(problem, bytes);
    this.#costs.set(problem, cost);
    return cost;
  }
}

const peakOf = ({ during }: MemoryProfile): number => during.reduce((most, bytes) => Math.max(most, bytes), 0);

/** Whether there is room between a recomputation and the last use of what is there before it. */
function mayKeep(timeline: Timeline, recomputed: number, { during }: MemoryProfile, bytes: number): boolean {
  let from = recomputed;
  let more = 0;
  for (const version of timeline.resultsOf(recomputed)) {
    const earlier = timeline.family(version.name).findLast((v) => v.written < recomputed);
    if (earlier === undefined) return false;
    if (version.reads.length === 0) continue;
    more += version.bytes;
    from = Math.min(from, (earlier.reads.at(-1) ?? earlier.written) + 1);
  }
  for (let i = from; i < recomputed; i++) if ((during[i] ?? 0) + more > bytes) return false;
  return true;
}
