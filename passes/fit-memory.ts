// A plan within a memory budget, and what memory can be traded for time: recomputation of all entries, placed.
import type { Module } from "../ir/module.ts";
import type { KernelPlan, PlacedPlan, PlanEntry } from "../ir/plan.ts";
import { InPlaceTable } from "./in-place.ts";
import { planMemory } from "./plan-memory.ts";
import { type CostOf, Recomputation } from "./recompute.ts";

/** A point between memory and time. */
export interface TradeOff {
  /** Bytes that a session allocates. */
  readonly peakBytes: number;
  /** Estimated time of what runs again, as a share of one run of the entries that have something to compute again. */
  readonly extraShare: number;
  /** Dispatches that run again. */
  readonly repeated: number;
}

/** Placing takes a little more than what lives at once, so a plan is aimed lower until it fits. */
const mostAttempts = 6;

export class MemoryFitter {
  readonly #plan: KernelPlan;
  readonly #module: Module;
  readonly #costOf: CostOf;
  readonly #table = new InPlaceTable();
  readonly #recomputations = new Map<PlanEntry, Recomputation>();
  #plain: PlacedPlan | undefined;
  #least: PlacedPlan | undefined;

  constructor(plan: KernelPlan, module: Module, costOf: CostOf) {
    this.#plan = plan;
    this.#module = module;
    this.#costOf = costOf;
  }

  /** With nothing computed again. */
  get plain(): PlacedPlan {
    this.#plain ??= planMemory(this.#plan, this.#module);
    return this.#plain;
  }

  /** The cheapest plan found that needs no more than so many bytes in all; the one that needs least where none does. */
  within(bytes: number): PlacedPlan {
    if (this.plain.memory.peakBytes <= bytes) return this.plain;
    let aim = bytes - outsideArena(this.plain);
    for (let attempt = 0; attempt < mostAttempts && this.#reaches(aim); attempt++) {
      const fitted = this.#aimed(aim);
      const { peakBytes } = fitted.memory;
      if (peakBytes <= bytes) return fitted;
      aim -= Math.max(peakBytes - bytes, 0.01 * aim) * (attempt + 1);
    }
    return this.least();
  }

  /** The plan that needs the least memory. */
  least(): PlacedPlan {
    this.#least ??= this.#aimed(0);
    return this.#least;
  }

  /** From nothing computed again to the least memory, in equal steps of memory. */
  curve(points: number): readonly PlacedPlan[] {
    const least = this.least();
    const [most, end] = [this.plain.memory.peakBytes, least.memory.peakBytes];
    const found = Array.from({ length: points - 1 }, (_, i) => this.within(most + ((end - most) * i) / (points - 1)));
    // Placing may have led to less than was asked for, and a step nowhere: what is left is smaller from point to point.
    const sizes = new Map([...found, least].map((plan) => [plan.memory.peakBytes, plan]));
    return [...sizes.entries()].toSorted(([a], [b]) => b - a).map(([, plan]) => plan);
  }

  /** What a plan of these entries trades. */
  tradeOff(plan: PlacedPlan): TradeOff {
    const names = new Set(this.least().entries.flatMap((entry) => (repeatedOf(entry).length > 0 ? [entry.name] : [])));
    const counted = ({ entries }: PlacedPlan) => entries.filter((entry) => names.has(entry.name));
    const extra = counted(plan).reduce((sum, entry) => sum + this.#costOfAll(entry, repeatedOf(entry)), 0);
    const whole = counted(this.plain).reduce((sum, entry) => sum + this.#costOfAll(entry, entry.dispatches), 0);
    return {
      peakBytes: plan.memory.peakBytes,
      extraShare: whole === 0 ? 0 : extra / whole,
      repeated: plan.entries.reduce((n, entry) => n + repeatedOf(entry).length, 0),
    };
  }

  #costOfAll({ buffers }: PlanEntry, dispatches: PlanEntry["dispatches"]): number {
    const bytes = new Map(buffers.map((buffer) => [buffer.name, buffer.bytes]));
    const bound = ({ bind }: PlanEntry["dispatches"][number]) =>
      bind.reduce((sum, { buffer, part }) => sum + (part?.bytes ?? bytes.get(buffer) ?? 0), 0);
    return dispatches.reduce((sum, dispatch) => sum + this.#costOf(dispatch.problem, bound(dispatch)), 0);
  }

  /** All entries share the arena: each is brought down to the same bytes. */
  #aimed(arenaBytes: number): PlacedPlan {
    const bytes = this.#reaches(arenaBytes) ? arenaBytes : Math.max(arenaBytes, this.#leastArena);
    const entries = this.#plan.entries.map((entry) => this.#recomputation(entry).within(bytes));
    return planMemory({ ...this.#plan, entries }, this.#module);
  }

  /** Whether every entry can run in so many bytes of the arena. The least of all takes long to find, and larger budgets do not ask for it. */
  #reaches(arenaBytes: number): boolean {
    return this.#plan.entries.every((entry) => this.#recomputation(entry).reaches(arenaBytes));
  }

  #recomputation(entry: PlanEntry): Recomputation {
    const made = this.#recomputations.get(entry) ?? new Recomputation(entry, this.#table, this.#costOf);
    this.#recomputations.set(entry, made);
    return made;
  }

  /** Below what the fullest entry needs at least, the others have nothing to gain. */
  get #leastArena(): number {
    const fullest = this.#plan.entries.map((entry) => this.#recomputation(entry)).toSorted((a, b) => b.plainBytes - a.plainBytes);
    // An entry that is small as it is need not be made smaller.
    return fullest.reduce((most, entry) => (entry.plainBytes <= most ? most : Math.max(most, entry.leastBytes)), 0);
  }
}

const repeatedOf = ({ dispatches }: PlanEntry): PlanEntry["dispatches"] => dispatches.filter(({ recompute }) => recompute !== undefined);

/** Bytes of what outlives a run. */
function outsideArena({ memory: { slabs, peakBytes } }: PlacedPlan): number {
  return slabs.reduce((rest, { name, bytes }) => (name.startsWith("arena.") ? rest - bytes : rest), peakBytes);
}
