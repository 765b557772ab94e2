// What follows a contraction: the stores of rows of sums. What depends on the row alone is loaded once and handed from lane to lane.
import type { DotProblem, Store } from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint } from "../../ir/scalar.ts";
import type { RowOfSums } from "./dot-inner.ts";
import type { Batch } from "./dot-operands.ts";
import { type Emitter, quad } from "./emitter.ts";
import { extractParts, withParts } from "./extract.ts";
import { labelOf } from "./kernel.ts";
import { lowerScalar } from "./lower-scalar.ts";
import { isPacked, prepareStore, storeQuad } from "./store.ts";
import { type AnyE, add, type E, lt, mul, type NumericType, size, u32 } from "./wgsl.ts";

/** How a row's own values reach every lane. */
export interface RowSharing {
  /** The rows that a lane loads for, clamped below m. Called at most once, and only where something is shared. */
  rows(): readonly ScalarExpr[];
  /** The value of row number `row` of the tile, out of what was loaded for each of `rows`. */
  take<T extends NumericType>(loaded: readonly E<T>[], row: number): E<T>;
}

export interface EpilogueFrame {
  /** Sums of each row of the tile, over this lane's four columns. */
  readonly sums: readonly RowOfSums[];
  /** The tile's first row. */
  readonly firstRow: E<"u32">;
  /** The lane's group of four columns. */
  readonly columns: E<"u32">;
  readonly batch: Batch;
  readonly sharing: RowSharing | undefined;
}

export function emitEpilogue(emitter: Emitter, problem: DotProblem, serves: readonly string[], frame: EpilogueFrame): void {
  const { wgsl } = emitter;
  const { sharing } = frame;
  let rows: readonly ScalarExpr[] | undefined;
  const stores = problem.stores.map((store) => {
    if (isPacked(store)) throw new Error("a contraction cannot store packed results");
    if (sharing === undefined) return { store, parts: [] };
    const extracted = extractParts(lowerScalar(store.value), "m", (name) => name.startsWith("z"));
    const parts = extracted.parts.map((part) => {
      rows ??= sharing.rows();
      const loaded = rows.map((m) => emitter.prepare(part, { ...frame.batch, m }));
      emitter.issueLoads(loaded);
      return loaded.map((e) => wgsl.let("mine", numeric(emitter.scalar(e, e.type))));
    });
    return { store: { ...store, value: extracted.expression }, parts };
  });
  // Before any branch: lanes may hand over values only where all of them are.
  const shared = frame.sums.map((_, row) =>
    stores.map(({ parts }) => parts.map((loaded) => emitter.register(wgsl.let("given", take(sharing, loaded, row))))),
  );

  const quads = Math.ceil(problem.n / 4);
  wgsl.when(lt(frame.columns, size(quads)), () => {
    const columns = emitter.variable("columns", quads, frame.columns);
    const n = plus(times(columns, uint(4)), quad);
    const within = problem.n % 4 === 0 ? undefined : { first: wgsl.let("n", mul(frame.columns, u32(4))), below: size(problem.n) };
    for (const [row, sum] of frame.sums.entries()) {
      const mValue = row === 0 ? frame.firstRow : wgsl.let("m", add(frame.firstRow, u32(row)));
      wgsl.when(lt(mValue, size(problem.m)), () => {
        const variables = { ...frame.batch, m: emitter.variable("m", problem.m, mValue), n };
        const result = emitter.register(sum);
        const prepared = stores.map(({ store }, i) =>
          prepareStore(emitter, store as Store, variables, withParts([result], shared[row]?.[i] ?? [])),
        );
        const writes: (() => void)[] = [];
        for (const [i, p] of prepared.entries()) wgsl.serving(labelOf(serves, i), () => writes.push(storeQuad(emitter, p, within)));
        for (const [i, write] of writes.entries()) wgsl.serving(labelOf(serves, i), write);
      });
    }
  });
}

function take(sharing: RowSharing | undefined, loaded: readonly E<NumericType>[], row: number): E<NumericType> {
  if (sharing === undefined) throw new Error("nothing is shared");
  return sharing.take(loaded, row);
}

function numeric(e: AnyE): E<NumericType> {
  if (e.type === "bool" || e.type === "vec4b") throw new Error("truth values are not shared between lanes");
  return e as E<NumericType>;
}
