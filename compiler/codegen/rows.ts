// Row kernels: Walsh-Hadamard transform of blocks, a statistic of the transformed row, and codes, masks and values that follow, in one kernel.
// A team of lanes takes a row in spans; where the row does not fit its registers it is loaded and transformed twice, by the same arithmetic.
import type { RowsProblem, Schedule, Target } from "../../ir/plan.ts";
import { storesOf } from "../../ir/problem.ts";
import { plus, type ScalarExpr, times, uint } from "../../ir/scalar.ts";
import { Emitter, quad } from "./emitter.ts";
import { type Exchange, subgroupExchange, workgroupExchange } from "./exchange.ts";
import { finishKernel, foldGroups, type Kernel, labelOf, linearGroup } from "./kernel.ts";
import { packedPlaceOf, writePackedSpan, writtenColumns } from "./rows-packed.ts";
import { RowStatistic } from "./rows-statistic.ts";
import { transformSpan } from "./rows-transform.ts";
import { halfAndDouble, neighboursAmong } from "./schedule-steps.ts";
import { elementsPerWord, isPacked, type PackedStore, prepareStore, storeElement, storeQuad } from "./store.ts";
import { type AnyE, add, type E, eq, f32, fromZero, lt, min, mul, select, size, splat, u32, type Var, Wgsl } from "./wgsl.ts";

export type RowsSchedule = Extract<Schedule, { kind: "rows" }>;

/** Vectors of four that a lane holds at once; more would not stay in registers and need too many load instructions. */
const mostVectors = 8;
const mostBlock = 128;

/** How a team of lanes walks along a row. */
export interface RowWalk {
  readonly lanes: number;
  /** Elements taken at once: a multiple of the block, of four a lane, and of the elements of every word that is stored. */
  readonly span: number;
  /** Vectors of four a lane and span: `vectors * lanes * 4 = span`. */
  readonly vectors: number;
  /** Spans that hold elements, and spans that hold elements or padding that is written. */
  readonly spans: number;
  readonly storedSpans: number;
  /** Whether every span lies inside the row: then nothing is clamped or guarded. */
  readonly exact: boolean;
}

function walkOf(problem: RowsProblem, lanes: number): RowWalk {
  const words = storesOf(problem)
    .filter(isPacked)
    .map(({ storage }) => elementsPerWord(storage));
  const unit = Math.max(problem.block, 4 * lanes, ...words);
  const stored = Math.max(problem.columns, ...problem.stores.filter(isPacked).map((store) => writtenColumns(store, problem.columns)));
  // All in registers where that saves computing it twice; a row that is taken once goes in small steps, which compile faster.
  const whole = Math.ceil(stored / unit) * unit;
  const span = problem.statistic !== undefined && whole <= mostVectors * 4 * lanes ? whole : unit;
  const [spans, storedSpans] = [Math.ceil(problem.columns / span), Math.ceil(stored / span)];
  return { lanes, span, vectors: span / (4 * lanes), spans, storedSpans, exact: spans * span === problem.columns && storedSpans === spans };
}

const lanesOf = (schedule: RowsSchedule, target: Target): number =>
  schedule.frame === "subgroup" ? target.subgroupSize : schedule.workgroup;

/** Why a schedule does not fit, or undefined. */
export function refuseRows(problem: RowsProblem, schedule: RowsSchedule, target: Target): string | undefined {
  const lanes = lanesOf(schedule, target);
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = target.limits;
  if (schedule.frame === "subgroup" && target.subgroups === "none") return "the target has no subgroups";
  if (lanes < 4 || !isPowerOfTwo(lanes)) return `a team of ${lanes} lanes: it must be a power of two from 4 on`;
  if (lanes > maxComputeInvocationsPerWorkgroup)
    return `${lanes} lanes a workgroup, the adapter takes ${maxComputeInvocationsPerWorkgroup}`;
  if (schedule.frame === "subgroup" && schedule.rowsPerGroup < 1) return "a workgroup must have a row";
  if (schedule.frame === "workgroup" && lanes * 64 > maxComputeWorkgroupStorageSize)
    return `${lanes * 64} bytes of workgroup memory, the adapter has ${maxComputeWorkgroupStorageSize}`;
  if (!isPowerOfTwo(problem.block) || problem.block > mostBlock || problem.columns % problem.block !== 0)
    return `blocks of ${problem.block} in rows of ${problem.columns}: a block is a power of two up to ${mostBlock} that divides the row`;
  const { vectors } = walkOf(problem, lanes);
  if (vectors > mostVectors) return `${vectors} vectors a lane, more than ${mostVectors}`;
  if (problem.rowStores.some(isPacked)) return "a row's own value cannot be stored packed";
  return problem.stores
    .filter(isPacked)
    .map((store) => refusePacked(problem, store))
    .find((reason) => reason !== undefined);
}

export const neighboursOfRows = neighboursAmong<RowsSchedule>({
  subgroup: {
    start: { kind: "rows", frame: "subgroup", rowsPerGroup: 2 },
    steps: (schedule) => halfAndDouble(schedule.rowsPerGroup).map((rowsPerGroup) => ({ ...schedule, rowsPerGroup })),
  },
  workgroup: {
    start: { kind: "rows", frame: "workgroup", workgroup: 32 },
    steps: (schedule) => halfAndDouble(schedule.workgroup).map((workgroup) => ({ ...schedule, workgroup })),
  },
});

function refusePacked(problem: RowsProblem, store: PackedStore): string | undefined {
  const { kind } = packedPlaceOf(store);
  if (kind === "whole") return undefined;
  if (kind === "elsewhere") return "a packed result must run along the row";
  const ends = problem.columns % elementsPerWord(store.storage) === 0;
  return ends ? undefined : `groups of ${problem.columns} do not end at a word of packed results`;
}

const isPowerOfTwo = (x: number): boolean => x >= 1 && Number.isInteger(Math.log2(x));

export function emitRows(problem: RowsProblem, schedule: RowsSchedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseRows(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`rows: ${refusal}`);
  const wgsl = new Wgsl(target.subgroupSize);
  const emitter = new Emitter(wgsl);
  const lanes = lanesOf(schedule, target);
  const exchange = schedule.frame === "subgroup" ? subgroupExchange(wgsl) : workgroupExchange(wgsl, lanes);
  const rowsPerGroup = schedule.frame === "subgroup" ? schedule.rowsPerGroup : 1;
  const groups = foldGroups(Math.ceil(problem.rows / rowsPerGroup), target);
  const frame = new RowsFrame(emitter, problem, exchange, walkOf(problem, lanes), serves);

  const first = wgsl.let("first", rowsPerGroup === 1 ? linearGroup(wgsl, groups) : mul(linearGroup(wgsl, groups), u32(rowsPerGroup)));
  // A loop also where it runs once: what is beyond the last row does nothing, and all lanes agree on it.
  const end = wgsl.let("end", min(add(first, u32(rowsPerGroup)), size(problem.rows)));
  wgsl.loop("row", first, end, u32(1), (row) => frame.row(row));
  return finishKernel(wgsl, problem, target, {
    title: `rows, ${schedule.frame}, ${lanes} lanes a row, ${rowsPerGroup} rows a workgroup, blocks of ${problem.block}`,
    workgroup: [lanes, 1, 1],
    groups,
  });
}

/** One of a lane's vectors in a span. */
interface Vector {
  readonly value: Var<"vec4f">;
  /** Four columns, clamped to the row; as an expression, and where it starts before clamping. */
  readonly column: ScalarExpr;
  readonly first: E<"u32">;
  readonly quads: E<"u32">;
}

class RowsFrame {
  readonly #emitter: Emitter;
  readonly #wgsl: Wgsl;
  readonly #problem: RowsProblem;
  readonly #exchange: Exchange;
  readonly #walk: RowWalk;
  readonly #serves: readonly string[];

  constructor(emitter: Emitter, problem: RowsProblem, exchange: Exchange, walk: RowWalk, serves: readonly string[]) {
    this.#emitter = emitter;
    this.#wgsl = emitter.wgsl;
    this.#problem = problem;
    this.#exchange = exchange;
    this.#walk = walk;
    this.#serves = serves;
  }

  row(rowValue: E<"u32">): void {
    const { statistic, stores } = this.#problem;
    const row = this.#emitter.variable("row", this.#problem.rows, rowValue);
    if (this.#walk.storedSpans === 1) {
      const vectors = this.#span(u32(0), row);
      const value = statistic === undefined ? undefined : this.#rowValue((s) => s.take(vectors.map((v) => v.value)), row);
      this.#storeRow(row, value);
      this.#store(vectors, u32(0), row, value);
      return;
    }
    const value =
      statistic === undefined
        ? undefined
        : this.#rowValue(
            (s) =>
              this.#wgsl.loop("span", u32(0), size(this.#walk.spans), u32(1), (span) => s.take(this.#span(span, row).map((v) => v.value))),
            row,
          );
    this.#storeRow(row, value);
    if (stores.length === 0) return;
    this.#wgsl.loop("span", u32(0), size(this.#walk.storedSpans), u32(1), (span) => this.#store(this.#span(span, row), span, row, value));
  }

  /** Load and transform this lane's share of one span. */
  #span(span: E<"u32">, row: ScalarExpr): readonly Vector[] {
    const wgsl = this.#wgsl;
    const { columns, element, block } = this.#problem;
    const { vectors, lanes } = this.#walk;
    const count = Math.ceil(columns / 4);
    const start = wgsl.let("start", add(mul(span, size(this.#walk.span / 4)), this.#exchange.lane));
    const places = Array.from({ length: vectors }, (_, j) => {
      const quads = j === 0 ? start : wgsl.let("quads", add(start, u32(j * lanes)));
      const clamped = this.#emitter.variable("quads", count, wgsl.let("inside", min(quads, size(count - 1))));
      const column = plus(times(clamped, uint(4)), quad);
      return { quads, column, element: this.#emitter.prepare(element, { row, column }) };
    });
    this.#emitter.issueLoads(places.map((p) => p.element));
    const values = places.map((p): Vector => {
      const first = wgsl.let("column", mul(p.quads, u32(4)));
      const loaded = this.#emitter.vector(p.element, "f32");
      const zero = splat(f32(0));
      const inside =
        columns % 4 !== 0
          ? select(lt(add(splat(first), fromZero), splat(size(columns))), loaded, zero)
          : this.#walk.exact
            ? loaded
            : select(lt(p.quads, size(count)), loaded, zero);
      return { value: wgsl.var("v", inside), column: p.column, first, quads: p.quads };
    });
    transformSpan(
      wgsl,
      this.#exchange,
      lanes,
      values.map((v) => v.value),
      block,
    );
    return values;
  }

  /** The row's own value: the statistic of everything that `take` hands over, then what `perRow` makes of it. */
  #rowValue(take: (statistic: RowStatistic) => void, row: ScalarExpr): ScalarExpr {
    const { statistic, perRow, columns } = this.#problem;
    if (statistic === undefined) throw new Error("a row without a statistic");
    const state = new RowStatistic(this.#wgsl, statistic);
    take(state);
    const result = this.#emitter.register(state.finish(this.#exchange, this.#walk.lanes, columns));
    if (perRow === undefined) return result;
    const prepared = this.#emitter.prepare(perRow, { row }, [result]);
    const value: AnyE = this.#wgsl.let("value", this.#emitter.scalar(prepared, perRow.type));
    return this.#emitter.register(value);
  }

  #storeRow(row: ScalarExpr, value: ScalarExpr | undefined): void {
    const { rowStores, stores } = this.#problem;
    if (rowStores.length === 0) return;
    this.#wgsl.when(eq(this.#exchange.lane, u32(0)), () => {
      for (const [i, store] of rowStores.entries()) {
        const prepared = prepareStore(this.#emitter, store, { row }, value === undefined ? [] : [value]);
        this.#wgsl.serving(labelOf(this.#serves, stores.length + i), () => storeElement(this.#emitter, prepared)());
      }
    });
  }

  #store(vectors: readonly Vector[], span: E<"u32">, row: ScalarExpr, value: ScalarExpr | undefined): void {
    const wgsl = this.#wgsl;
    const { stores, columns } = this.#problem;
    const count = Math.ceil(columns / 4);
    const inputs = vectors.map((v) => {
      const snapshot = this.#emitter.register(wgsl.let("h", v.value));
      return value === undefined ? [snapshot] : [snapshot, value];
    });
    const guards = vectors.map((v) => (this.#walk.exact ? undefined : { first: v.first, below: size(columns) }));
    // All prepared before any is written, so that what codes and mask share is computed once.
    const packed = stores.flatMap((store, i) => {
      if (!isPacked(store)) return [];
      const prepared = vectors.map((v, j) => prepareStore(this.#emitter, store, { row, column: v.column }, inputs[j]));
      return [{ store, prepared, label: labelOf(this.#serves, i) }];
    });
    for (const { store, prepared, label } of packed) {
      wgsl.serving(label, () => writePackedSpan(this.#emitter, this.#exchange, this.#walk, store, prepared, guards, span, row, columns));
    }
    const dense = stores.map((store, i) => ({ store, label: labelOf(this.#serves, i) })).filter(({ store }) => !isPacked(store));
    if (dense.length === 0) return;
    for (const [j, v] of vectors.entries()) {
      const body = () => {
        const prepared = dense.map(({ store }) => prepareStore(this.#emitter, store, { row, column: v.column }, inputs[j]));
        const within = columns % 4 === 0 ? undefined : { first: v.first, below: size(columns) };
        const writes: (() => void)[] = [];
        for (const [i, p] of prepared.entries()) wgsl.serving(dense[i]?.label, () => writes.push(storeQuad(this.#emitter, p, within)));
        for (const [i, write] of writes.entries()) wgsl.serving(dense[i]?.label, write);
      };
      if (this.#walk.exact) body();
      else wgsl.when(lt(v.quads, size(count)), body);
    }
  }
}
