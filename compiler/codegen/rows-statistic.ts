// A row's statistic, gathered by a team of lanes in a fixed order: sums by component, then components, then lanes.
import type { RowsProblem } from "../../ir/plan.ts";
import type { Exchange } from "./exchange.ts";
import { abs, add, bitcast, component, div, type E, f32, lt, max, mul, select, size, sub, toF32, type Var, type Wgsl } from "./wgsl.ts";

type Statistic = NonNullable<RowsProblem["statistic"]>;

export class RowStatistic {
  readonly #wgsl: Wgsl;
  readonly #statistic: Statistic;
  readonly #state: Var<"vec4f">;
  /** Sums of elements, for the variance. */
  readonly #sums: Var<"vec4f"> | undefined;

  /** Declares its state in the current block. Elements beyond the row's end must come as zeros: they change no statistic. */
  constructor(wgsl: Wgsl, statistic: Statistic) {
    this.#wgsl = wgsl;
    this.#statistic = statistic;
    this.#state = wgsl.zero("gathered", "vec4f");
    this.#sums = statistic === "variance" ? wgsl.zero("sums", "vec4f") : undefined;
  }

  take(vectors: readonly E<"vec4f">[]): void {
    for (const v of vectors) {
      switch (this.#statistic) {
        case "variance":
          if (this.#sums !== undefined) this.#wgsl.accumulate(this.#sums, v);
          this.#wgsl.accumulate(this.#state, mul(v, v));
          break;
        case "mean_square":
          this.#wgsl.accumulate(this.#state, mul(v, v));
          break;
        case "mean_abs":
          this.#wgsl.accumulate(this.#state, abs(v));
          break;
        case "abs_max":
          // By bits, which are in order where no sign is: NaN comes last, while `max` of floats may pass over it.
          this.#wgsl.assign(this.#state, bitcast("vec4f", max(bitcast("vec4u", this.#state), bitcast("vec4u", abs(v)))));
          break;
        default:
          this.#statistic satisfies never;
      }
    }
  }

  /** The same bits in every lane. */
  finish(exchange: Exchange, lanes: number, columns: number): E<"f32"> {
    const wgsl = this.#wgsl;
    const gathered = this.#join(this.#state, exchange, lanes);
    if (this.#statistic === "abs_max") return gathered;
    const mean = wgsl.let("mean", div(gathered, toF32(size(columns))));
    if (this.#sums === undefined) return mean;
    // Mean of squares less square of the mean. The order of magnitude of a deviation is what this is used for, so what cancels where
    // elements lie far from zero and close together may be lost.
    const offset = wgsl.let("offset", div(this.#join(this.#sums, exchange, lanes), toF32(size(columns))));
    const variance = wgsl.let("variance", sub(mean, mul(offset, offset)));
    // Not `max`, which takes the number of a number and NaN: a row that is not finite must not get a scale that is.
    return wgsl.let("variance", select(lt(variance, f32(0)), f32(0), variance));
  }

  #join(state: Var<"vec4f">, exchange: Exchange, lanes: number): E<"f32"> {
    const join = (a: E<"f32">, b: E<"f32">) =>
      this.#statistic === "abs_max" ? bitcast("f32", max(bitcast("u32", a), bitcast("u32", b))) : add(a, b);
    const at = (lane: 0 | 1 | 2 | 3) => component(state, lane);
    let value = this.#wgsl.let("part", join(join(at(0), at(1)), join(at(2), at(3))));
    for (let mask = 1; mask < lanes; mask *= 2) value = this.#wgsl.let("part", join(value, exchange.xor(value, mask)));
    return value;
  }
}
