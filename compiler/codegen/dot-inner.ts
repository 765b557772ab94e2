// What a contraction does in one step along k, for one kind of elements: the frames (dot-broadcast.ts, dot-tile.ts) share out rows and
// columns, an inner loop loads and multiplies.
import type { ScalarExpr } from "../../ir/scalar.ts";
import type { E, NumericType } from "./wgsl.ts";

/** What lanes hand each other of a row: four floats, or a word of codes. */
export type RowRegister = E<"vec4f" | "u32">;
export type RowOfSums = E<"vec4f"> | E<"vec4i">;

export interface InnerLoop {
  /** Steps along k. */
  readonly steps: number;
  /** Row `row` of side a at a step; `own` is its number among the rows that the lane loads. */
  row(own: number, row: ScalarExpr, step: ScalarExpr): StepOf<readonly RowRegister[]>;
  /** The lane's group of four columns at a step, `columns` below ceil(n / 4); what {@link multiply} takes from then on. */
  columns(columns: ScalarExpr, step: ScalarExpr): StepOf<void>;
  /** Add a row's products with the step's columns to row `sum` of sums. */
  multiply(sum: number, row: readonly RowRegister[]): void;
  /** The sums after the loop. `take`: the value for row `sum` of the tile of what lanes have for their own rows. */
  finish(take: TakeRow): readonly RowOfSums[];
}

export type TakeRow = <T extends NumericType>(own: readonly E<T>[], sum: number) => E<T>;

/** One side at one step. All loads of a step are issued before its arithmetic, so that sums stay in registers. */
export interface StepOf<T> {
  load(): void;
  settle(): T;
}
