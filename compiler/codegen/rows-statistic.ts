// A row's statistic, gathered by a team of lanes in a fixed order: sums by component, then components, then lanes.
import type { RowsProblem } from "../../ir/plan.ts";
import type { Exchange } from "./exchange.ts";
import { abs, add, component, div, type E, max, mul, size, toF32, type Var, type Wgsl } from "./wgsl.ts";

type Statistic = NonNullable<RowsProblem["statistic"]>;

export class RowStatistic {
  readonly #wgsl: Wgsl;
  readonly #statistic: Statistic;
  readonly #state: Var<"vec4f">;

  /** Declares its state in the current block. Elements beyond the row's end must come as zeros: they change no statistic. */
  constructor(wgsl: Wgsl, statistic: Statistic) {
    this.#wgsl = wgsl;
    this.#statistic = statistic;
    this.#state = wgsl.zero("gathered", "vec4f");
  }

  take(vectors: readonly E<"vec4f">[]): void {
    for (const v of vectors) {
      switch (this.#statistic) {
        case "mean_square":
          this.#wgsl.accumulate(this.#state, mul(v, v));
          break;
        case "mean_abs":
          this.#wgsl.accumulate(this.#state, abs(v));
          break;
        case "abs_max":
          this.#wgsl.assign(this.#state, max(this.#state, abs(v)));
          break;
        default:
          this.#statistic satisfies never;
      }
    }
  }

  /** The same bits in every lane. */
  finish(exchange: Exchange, lanes: number, columns: number): E<"f32"> {
    const wgsl = this.#wgsl;
    const isMax = this.#statistic === "abs_max";
    const join = (a: E<"f32">, b: E<"f32">) => (isMax ? max(a, b) : add(a, b));
    const at = (lane: 0 | 1 | 2 | 3) => component(this.#state, lane);
    let value = wgsl.let("part", join(join(at(0), at(1)), join(at(2), at(3))));
    for (let mask = 1; mask < lanes; mask *= 2) value = wgsl.let("part", join(value, exchange.xor(value, mask)));
    return isMax ? value : wgsl.let("mean", div(value, toF32(size(columns))));
  }
}
