// The keys and values that attention has seen, kept as state between the runs of an entry that takes a part of a sequence at a time.
import type { Builder } from "../../ir/builder.ts";
import { reject } from "../../ir/diagnostic.ts";
import { type Dim, namesOfDim } from "../../ir/dim.ts";
import type { Entry, StateDeclaration, Value } from "../../ir/module.ts";
import { add } from "../../ir/ops/arithmetic.ts";
import { cachedAttention } from "../../ir/ops/attention.ts";
import { broadcast } from "../../ir/ops/broadcast.ts";
import { cacheWrite } from "../../ir/ops/concat.ts";
import { iota, stateRead } from "../../ir/ops/source.ts";
import { printType, tensor, withDims } from "../../ir/type.ts";

export interface CachedSequence {
  /** Name of the size that is the number of positions in a run. */
  readonly length: string;
  /** Positions that the cache holds. */
  readonly capacity: number;
  /** i32[]: where the run's first position stands in its sequence. */
  readonly first: Value;
}

/** One entry's cache. Attention adds to it in the order of its calls, so all entries of one model have the same states. */
export class KeyValueCache {
  readonly states: StateDeclaration[] = [];
  readonly updates: Entry["updates"][number][] = [];
  readonly #sequence: CachedSequence;
  readonly #calls = new Map<string, number>();

  constructor(sequence: CachedSequence) {
    this.#sequence = sequence;
  }

  get capacity(): number {
    return this.#sequence.capacity;
  }

  /** i32[length]: 0, 1, ... for an axis of any other size, places in the whole sequence for the run's own. */
  positions(b: Builder, length: Dim, hint: string): Value {
    const type = tensor("i32", [length]);
    const places = b.emit(iota, [], { axis: 0, type }, { hint });
    if (!namesOfDim(length).includes(this.#sequence.length)) return places;
    return b.emit(add, [places, b.emit(broadcast, [this.#sequence.first], { type })], {}, { hint });
  }

  /**
   * Causal attention of the run's queries over all keys and values up to their own: those of the run go into the cache first. `instance` is
   * the path that names the states: `layers.0.attn#k`, `layers.0.attn#v`, for a second call `layers.0.attn#k2`.
   */
  attend(b: Builder, instance: string, [q, k, v]: readonly [Value, Value, Value], scale: "auto" | number, hint: string | undefined): Value {
    const call = (this.#calls.get(instance) ?? 0) + 1;
    this.#calls.set(instance, call);
    const name = (side: "k" | "v") => `${instance}#${side}${call === 1 ? "" : call}`;
    const [keys, values] = [this.#extended(b, name("k"), k), this.#extended(b, name("v"), v)];
    return b.emit(cachedAttention, [q, keys, values, this.#sequence.first], { scale }, hint === undefined ? {} : { hint });
  }

  /** The state of that name with what the run adds. */
  #extended(b: Builder, name: string, fresh: Value): Value {
    const axis = fresh.type.dims.length - 3;
    if (axis < 0) return reject(`\`attention\` takes k and v[.., S, groups, n], got ${printType(fresh.type)}`);
    const type = withDims(fresh.type, fresh.type.dims.with(axis, this.capacity));
    const cache = b.emit(stateRead, [], { name, type }, { hint: name.replaceAll(/[.#]/g, "_"), marks: {} });
    const value = b.emit(cacheWrite, [cache, fresh, this.#sequence.first], { axis }, { hint: name.slice(name.indexOf("#") + 1) });
    this.states.push({ name, type, role: "cache", init: "zeros", decay: false });
    this.updates.push({ state: name, value });
    return value;
  }
}
