// Accumulators of reductions: how elements are taken in, and how partial results of components and lanes are joined.
import type { Combine } from "../../ir/plan.ts";
import type { ScalarType } from "../../ir/scalar.ts";
import type { Exchange } from "./exchange.ts";
import {
  type AnyE,
  add,
  bitcast,
  both,
  component,
  type E,
  either,
  eq,
  f32,
  fromZero,
  gt,
  i32,
  isOf,
  type Lane,
  lt,
  max,
  min,
  type NumericType,
  select,
  splat,
  u32,
  type Var,
  type Wgsl,
} from "./wgsl.ts";
import { vectorOf, type WgslVector } from "./wgsl-node.ts";

/** One, or four side by side. */
type Numbers = E<NumericType>;
type Positions = E<"i32" | "vec4i">;

interface Partial {
  readonly value: Numbers;
  /** Where the value was found; with `argmax` only. */
  readonly position: Positions | undefined;
}

type Numeric = Exclude<ScalarType, "bool">;
/** The position before any element was taken; worse than every real one. */
const nowhere = 0x7fffffff;

export class Accumulator {
  readonly #wgsl: Wgsl;
  readonly #combine: Combine;
  readonly #value: Var<NumericType>;
  readonly #position: Var<"i32" | "vec4i"> | undefined;

  /** Declares its variables in the current block. `vector`: four results side by side. */
  constructor(wgsl: Wgsl, combine: Combine, type: ScalarType, vector: boolean) {
    if (type === "bool") throw new Error("truth values cannot be reduced");
    this.#wgsl = wgsl;
    this.#combine = combine;
    const start = neutral(combine, type);
    this.#value =
      combine === "sum" ? wgsl.zero("sum", vector ? vectorOf[type] : type) : wgsl.var<NumericType>("best", vector ? splat(start) : start);
    if (combine === "argmax") this.#position = wgsl.var<"i32" | "vec4i">("position", vector ? splat(i32(nowhere)) : i32(nowhere));
  }

  /** Take one element, or four. `position`: its place along the reduced axes. */
  take(value: AnyE, position: Positions): void {
    const taken = isNumbers(value);
    if (this.#combine === "sum") {
      this.#wgsl.accumulate(this.#value, taken);
      return;
    }
    const joined = this.#join({ value: this.#value, position: this.#position }, { value: this.#wgsl.settle("taken", taken), position });
    this.#wgsl.assign(this.#value, joined.value);
    if (this.#position !== undefined && joined.position !== undefined) this.#wgsl.assign(this.#position, joined.position);
  }

  /**
   * The result of all lanes of a team, the same in every lane; for `argmax` its position. `across`: also join the four
   * components of the vector. Components first, then lanes, one power of two further apart each time.
   */
  finish(across: boolean, exchange: Exchange | undefined, lanes: number): AnyE {
    let partial = this.#named({ value: this.#value, position: this.#position });
    if (across) {
      const whole = partial;
      const pair = (a: Lane, b: Lane) => this.#named(this.#join(componentOf(whole, a), componentOf(whole, b)));
      partial = this.#named(this.#join(pair(0, 1), pair(2, 3)));
    }
    for (let mask = 1; exchange !== undefined && mask < lanes; mask *= 2) {
      const value = this.#wgsl.settle("other", exchange.xor(partial.value, mask));
      const position = partial.position && this.#wgsl.settle("other", exchange.xor(partial.position, mask));
      partial = this.#named(this.#join(partial, { value, position }));
    }
    const { position } = partial;
    if (position === undefined) return partial.value;
    // Nothing compares greater than NaN: where there is nothing else, the first element is the answer.
    const [none, first]: [Positions, Positions] = position.type === "i32" ? [i32(nowhere), i32(0)] : [splat(i32(nowhere)), splat(i32(0))];
    return this.#wgsl.let("found", select(eq(position, none), first, position));
  }

  #named({ value, position }: Partial): Partial {
    return { value: this.#wgsl.let("part", value), position: position && this.#wgsl.let("place", position) };
  }

  #join(a: Partial, b: Partial): Partial {
    switch (this.#combine) {
      case "sum":
        return { value: add(a.value, b.value), position: undefined };
      case "max":
        return { value: max(a.value, b.value), position: undefined };
      case "min":
        return { value: min(a.value, b.value), position: undefined };
      case "argmax": {
        if (a.position === undefined || b.position === undefined) throw new Error("argmax without positions");
        const earlier = both(eq(b.value, a.value), lt(b.position, a.position));
        const better = this.#wgsl.let("better", either(gt(b.value, a.value), earlier));
        return { value: select(better, b.value, a.value), position: select(better, b.position, a.position) };
      }
      default:
        return this.#combine satisfies never;
    }
  }
}

function isNumbers(value: AnyE): Numbers {
  if (!isOf(value, "f32", "i32", "u32", "vec4f", "vec4i", "vec4u")) throw new Error(`cannot reduce ${value.type}`);
  return value;
}

function componentOf({ value, position }: Partial, lane: Lane): Partial {
  const part = (e: AnyE) => component(e as E<WgslVector>, lane);
  return { value: isNumbers(part(value)), position: position && (part(position) as E<"i32">) };
}

function neutral(combine: Combine, type: Numeric): E<Numeric> {
  const lowest = combine !== "min";
  switch (type) {
    case "f32":
      return f32(lowest ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
    case "i32":
      return i32(lowest ? -(2 ** 31) : 2 ** 31 - 1);
    case "u32":
      return u32(lowest ? 0 : 2 ** 32 - 1);
    default:
      return type satisfies never;
  }
}

/** The positions of an element or of four: all at `step`, or consecutive from it on. */
export function positionsAt(step: E<"u32">, elements: "one" | "four together" | "four consecutive"): Positions {
  if (elements === "four consecutive") return bitcast("vec4i", add(splat(step), fromZero));
  const position = bitcast("i32", step);
  return elements === "one" ? position : splat(position);
}
