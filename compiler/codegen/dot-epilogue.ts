// What follows a contraction: the stores of rows of sums, a few rows at a time in a loop that moves the next ones up. Unrolled, each row would
// bring load and store instructions of its own, and drivers that compile for a CPU take time for each of them: more than half of a
// kernel's compile time (measured on lavapipe).
import type { DotProblem } from "../../ir/plan.ts";
import { plus, times, uint } from "../../ir/scalar.ts";
import type { RowOfSums } from "./dot-inner.ts";
import type { Batch } from "./dot-operands.ts";
import { type Emitter, quad } from "./emitter.ts";
import { labelOf } from "./kernel.ts";
import { isPacked, prepareStore, storeQuad } from "./store.ts";
import { add, type E, lt, max, min, mul, size, sub, u32 } from "./wgsl.ts";

export interface EpilogueFrame {
  /** Sums of each row of the tile, over this lane's four columns. */
  readonly sums: readonly RowOfSums[];
  /** The tile's first row. */
  readonly firstRow: E<"u32">;
  /** The lane's group of four columns. */
  readonly columns: E<"u32">;
  readonly batch: Batch;
}

/** Rows that the loop's body stores. */
export const rowsAtOnce = 4;

export function emitEpilogue(emitter: Emitter, problem: DotProblem, serves: readonly string[], frame: EpilogueFrame): void {
  if (problem.stores.some(isPacked)) throw new Error("a contraction cannot store packed results");
  const { wgsl } = emitter;
  const { firstRow } = frame;
  const quads = Math.ceil(problem.n / 4);
  const sums = frame.sums.map((sum) => wgsl.var<"vec4f" | "vec4i">("out", sum));
  const together = Math.min(rowsAtOnce, sums.length);
  wgsl.when(lt(frame.columns, size(quads)), () => {
    const columns = emitter.variable("columns", quads, frame.columns);
    const n = plus(times(columns, uint(4)), quad);
    const within = problem.n % 4 === 0 ? undefined : { first: wgsl.let("n", mul(frame.columns, u32(4))), below: size(problem.n) };
    /** Row number `i` of the tile, whose sums are `sum`. */
    const store = (row: E<"u32">, sum: E<"vec4f" | "vec4i">) => {
      const m = emitter.variable("m", problem.m, row);
      const result = emitter.register(wgsl.let("sum", sum));
      const prepared = problem.stores.map((s) => prepareStore(emitter, s, { ...frame.batch, m, n }, [result]));
      const writes: (() => void)[] = [];
      for (const [j, p] of prepared.entries()) wgsl.serving(labelOf(serves, j), () => writes.push(storeQuad(emitter, p, within)));
      for (const [j, write] of writes.entries()) wgsl.serving(labelOf(serves, j), write);
    };
    // Beyond the last row nothing is stored. No part of the bound is a constant, or the driver would unroll the loop after all.
    const rows = wgsl.let("rows", min(size(sums.length), sub(max(size(problem.m), firstRow), firstRow)));
    wgsl.loop("i", u32(0), rows, u32(together), (i) => {
      for (let j = 0; j < together; j++) {
        const sum = sums[j];
        if (sum === undefined) throw new Error("a row of sums is missing");
        const at = j === 0 ? i : wgsl.let("at", add(i, u32(j)));
        const body = () => store(wgsl.let("m", add(firstRow, at)), sum);
        if (j === 0) body();
        else wgsl.when(lt(at, rows), body);
      }
      for (const [j, sum] of sums.entries()) {
        const next = sums[j + together];
        if (next !== undefined) wgsl.assign(sum, next);
      }
    });
  });
}
