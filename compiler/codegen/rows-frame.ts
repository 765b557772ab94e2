// One row of a row kernel, as the lanes of its team compute it: load and transform spans, gather the statistic, store what follows.
import type { RowsProblem, Store } from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint } from "../../ir/scalar.ts";
import type { KeptExpr } from "../../ir/sparse.ts";
import { type Emitter, quad } from "./emitter.ts";
import type { Exchange } from "./exchange.ts";
import { labelOf } from "./kernel.ts";
import { PackedRow } from "./rows-packed.ts";
import { keptOfVectors, withKeptAsInputs } from "./rows-sparse.ts";
import { RowStatistic } from "./rows-statistic.ts";
import { transformSpan } from "./rows-transform.ts";
import { isEarly, type RowWalk } from "./rows-walk.ts";
import { isPacked, type PreparedStore, prepareStore, storeElement, storeQuad } from "./store.ts";
import { type AnyE, add, type E, eq, f32, fromZero, lt, min, mul, select, size, splat, u32, type Var, type Wgsl } from "./wgsl.ts";

/** A row of this kernel. `exists`: false in a team that has none and goes along with another; undefined where every team has one. */
interface Row {
  readonly index: ScalarExpr;
  readonly exists: E<"bool"> | undefined;
}

/** Four columns that a lane takes in a span. */
interface Place {
  /** As an expression, clamped to the row. */
  readonly column: ScalarExpr;
  /** The number of these four columns, which may lie beyond the row. */
  readonly quads: E<"u32">;
}

interface Vector extends Place {
  readonly value: Var<"vec4f">;
}

interface LabelledStore {
  readonly store: Store;
  /** What its statements serve. */
  readonly label: string | undefined;
}

interface PackedResult extends LabelledStore {
  readonly result: PackedRow;
}

export class RowsFrame {
  readonly #emitter: Emitter;
  readonly #wgsl: Wgsl;
  readonly #problem: RowsProblem;
  readonly #exchange: Exchange;
  readonly #walk: RowWalk;
  readonly #serves: readonly string[];
  /** What is stored of each element, and the scores behind its last inputs: which elements stay of those that are compared. */
  readonly #stores: readonly Store[];
  readonly #scores: readonly KeptExpr[];
  readonly #dense: readonly LabelledStore[];
  /** The columns of a lane where there is one span: known before any row is, so that what depends on them alone (a norm's gain) is loaded once. */
  readonly #only: readonly Place[] | undefined;

  /** To be called where the kernel's rows begin, outside their loop. */
  constructor(emitter: Emitter, problem: RowsProblem, exchange: Exchange, walk: RowWalk, serves: readonly string[]) {
    this.#emitter = emitter;
    this.#wgsl = emitter.wgsl;
    this.#problem = problem;
    this.#exchange = exchange;
    this.#walk = walk;
    this.#serves = serves;
    const { stores, scores } = withKeptAsInputs(problem.stores, problem.statistic === undefined ? 1 : 2);
    this.#stores = stores;
    this.#scores = scores;
    this.#dense = stores.flatMap((store, i) => (isPacked(store) ? [] : [{ store, label: labelOf(serves, i) }]));
    if (walk.storedSpans === 1) this.#only = this.#places(u32(0));
  }

  row(rowValue: E<"u32">, exists: E<"bool"> | undefined): void {
    const { spans, storedSpans, passes } = this.#walk;
    const { statistic, stores } = this.#problem;
    const row: Row = { index: this.#emitter.variable("row", this.#problem.rows, rowValue), exists };
    if (statistic === undefined) {
      this.#storeRow(row, undefined);
      this.#storeSpans(row, undefined);
      return;
    }
    const gathered = new RowStatistic(this.#wgsl, statistic);
    if (passes === "held" && stores.length > 0) {
      const vectors = storedSpans === 1 ? [this.#span(u32(0), row)] : this.#hold(row, gathered);
      if (storedSpans === 1) gathered.take(vectors.flat().map((v) => v.value));
      const value = this.#rowValue(gathered, row);
      this.#storeRow(row, value);
      const packed = this.#packedRows(row);
      const dense = storedSpans === 1 ? this.#dense : this.#dense.filter(({ store }) => !isEarly(store));
      for (const [i, own] of vectors.entries()) this.#store(packed, dense, own, u32(i), row, value);
      this.#finish(packed);
      return;
    }
    this.#each(spans, (span) => gathered.take(this.#span(span, row).map((v) => v.value)));
    const value = this.#rowValue(gathered, row);
    this.#storeRow(row, value);
    this.#storeSpans(row, value);
  }

  /** Load each span (again), and store what follows from it. */
  #storeSpans(row: Row, value: ScalarExpr | undefined): void {
    if (this.#problem.stores.length === 0) return;
    const packed = this.#packedRows(row);
    this.#each(this.#walk.storedSpans, (span) => {
      this.#store(packed, this.#dense, this.#span(span, row), span, row, value);
      this.#finish(packed);
    });
  }

  #each(count: number, body: (span: E<"u32">) => void): void {
    if (count === 1) body(u32(0));
    else this.#wgsl.loop("span", u32(0), size(count), u32(1), body);
  }

  /**
   * All spans of a row in registers, one after another from the same load instructions: written out once for each span, those would not stay in
   * the instruction cache of a processor. An array of registers cannot be indexed by a loop's counter, so each round moves all of them on by one span.
   */
  #hold(row: Row, gathered: RowStatistic): readonly (readonly Vector[])[] {
    const wgsl = this.#wgsl;
    const { storedSpans } = this.#walk;
    const held = Array.from({ length: storedSpans }, () => Array.from({ length: this.#walk.vectors }, () => wgsl.zero("held", "vec4f")));
    this.#each(storedSpans, (span) => {
      for (const [i, next] of held.slice(1).entries())
        for (const [j, from] of next.entries()) {
          const to = held[i]?.[j];
          if (to !== undefined) wgsl.assign(to, from);
        }
      const vectors = this.#span(span, row);
      const loaded = vectors.map((v) => v.value);
      gathered.take(loaded);
      this.#storeDense(
        this.#dense.filter(({ store }) => isEarly(store)),
        vectors,
        row,
        [],
      );
      for (const [j, to] of (held.at(-1) ?? []).entries()) wgsl.assign(to, loaded[j] ?? to);
    });
    return held.map((values, i) => {
      const places = this.#places(u32(i));
      return values.map((value, j) => ({ ...(places[j] ?? missing()), value }));
    });
  }

  /** The columns of a lane's vectors. */
  #places(span: E<"u32">): readonly Place[] {
    const wgsl = this.#wgsl;
    const { vectors, lanes, exact } = this.#walk;
    const count = Math.ceil(this.#problem.columns / 4);
    const share = lanes === 1 ? span : add(mul(span, u32(lanes)), this.#exchange.lane);
    const start = wgsl.let("start", vectors === 1 ? share : mul(share, u32(vectors)));
    return Array.from({ length: vectors }, (_, j) => {
      const quads = j === 0 ? start : wgsl.let("quads", add(start, u32(j)));
      const inside = exact ? quads : wgsl.let("inside", min(quads, size(count - 1)));
      return { quads, column: plus(times(this.#emitter.variable("quads", count, inside), uint(4)), quad) };
    });
  }

  /** Load and transform this lane's share of one span; zeros beyond the row's end. */
  #span(span: E<"u32">, row: Row): readonly Vector[] {
    const { columns, element, block } = this.#problem;
    const emitter = this.#emitter;
    const places = this.#only ?? this.#places(span);
    const elements = places.map(({ column }) => emitter.prepare(element, { row: row.index, column }));
    emitter.issueLoads(elements);
    const vectors = places.map((place, j): Vector => {
      const loaded = emitter.vector(elements[j] ?? missing(), "f32");
      const zero = splat(f32(0));
      const quads = size(Math.ceil(columns / 4));
      const inside = this.#walk.exact
        ? loaded
        : columns % 4 === 0
          ? select(lt(place.quads, quads), loaded, zero)
          : select(lt(this.#columns(place), splat(size(columns))), loaded, zero);
      return { ...place, value: this.#wgsl.var("v", inside) };
    });
    transformSpan(
      this.#wgsl,
      this.#exchange,
      vectors.map((v) => v.value),
      block,
    );
    return vectors;
  }

  #columns({ quads }: Place): E<"vec4u"> {
    return add(splat(mul(quads, u32(4))), fromZero);
  }

  /** The row's own value: what `perRow` makes of the statistic. */
  #rowValue(gathered: RowStatistic, row: Row): ScalarExpr {
    const { perRow, columns } = this.#problem;
    const result = this.#emitter.register(gathered.finish(this.#exchange, this.#walk.lanes, columns));
    if (perRow === undefined) return result;
    const prepared = this.#emitter.prepare(perRow, { row: row.index }, [result]);
    const value: AnyE = this.#wgsl.let("value", this.#emitter.scalar(prepared, perRow.type));
    return this.#emitter.register(value);
  }

  #storeRow(row: Row, value: ScalarExpr | undefined): void {
    const { rowStores, stores } = this.#problem;
    if (rowStores.length === 0) return;
    const isFirst = this.#walk.lanes === 1 ? undefined : eq(this.#exchange.lane, u32(0));
    this.#wgsl.whenAll([isFirst, row.exists], () => {
      for (const [i, store] of rowStores.entries()) {
        const prepared = prepareStore(this.#emitter, store, { row: row.index }, value === undefined ? [] : [value]);
        this.#wgsl.serving(labelOf(this.#serves, stores.length + i), () => storeElement(this.#emitter, prepared)());
      }
    });
  }

  #packedRows(row: Row): readonly PackedResult[] {
    const { columns } = this.#problem;
    return this.#stores.flatMap((store, i) => {
      if (!isPacked(store)) return [];
      const place = { store, row: row.index, exists: row.exists, columns };
      return [{ store, label: labelOf(this.#serves, i), result: new PackedRow(this.#emitter, this.#exchange, this.#walk, place) }];
    });
  }

  #finish(packed: readonly PackedResult[]): void {
    for (const { label, result } of packed) this.#wgsl.serving(label, () => result.finish());
  }

  #store(
    packed: readonly PackedResult[],
    dense: readonly LabelledStore[],
    vectors: readonly Vector[],
    span: E<"u32">,
    row: Row,
    value: ScalarExpr | undefined,
  ): void {
    const wgsl = this.#wgsl;
    const { columns } = this.#problem;
    const known = vectors.map((v) => {
      const snapshot = this.#emitter.register(wgsl.let("h", v.value));
      return value === undefined ? [snapshot] : [snapshot, value];
    });
    const kept = this.#scores.map((score) => this.#kept(score, vectors, row, known));
    const inputs = known.map((own, j) => [...own, ...kept.flatMap((ofVectors) => ofVectors[j] ?? [])]);
    // All prepared before any is written, so that what codes and mask share is computed once.
    const prepared = packed.map(({ store }) => vectors.map((v, j) => this.#prepare(store, v, row, inputs[j])));
    const inside = vectors.map((v) => (this.#walk.exact ? undefined : lt(this.#columns(v), splat(size(columns)))));
    for (const [i, { label, result }] of packed.entries()) wgsl.serving(label, () => result.take(prepared[i] ?? [], inside, span));
    this.#storeDense(dense, vectors, row, inputs);
  }

  #kept(score: KeptExpr, vectors: readonly Vector[], row: Row, inputs: readonly (readonly ScalarExpr[])[]): readonly ScalarExpr[] {
    const emitter = this.#emitter;
    const scores = vectors.map(({ column }, j) => {
      const prepared = emitter.prepare(score.a, { row: row.index, column }, inputs[j]);
      return this.#wgsl.let("score", emitter.vector(prepared, "f32"));
    });
    return keptOfVectors(emitter, this.#exchange, score, scores);
  }

  #prepare(store: Store, { column }: Vector, row: Row, inputs: readonly ScalarExpr[] = []): PreparedStore {
    return prepareStore(this.#emitter, store, { row: row.index, column }, inputs);
  }

  #storeDense(dense: readonly LabelledStore[], vectors: readonly Vector[], row: Row, inputs: readonly (readonly ScalarExpr[])[]): void {
    if (dense.length === 0) return;
    const wgsl = this.#wgsl;
    const { columns } = this.#problem;
    for (const [j, v] of vectors.entries()) {
      const within = columns % 4 === 0 ? undefined : { first: mul(v.quads, u32(4)), below: size(columns) };
      const inside = this.#walk.exact ? undefined : lt(v.quads, size(Math.ceil(columns / 4)));
      wgsl.whenAll([row.exists, inside], () => {
        const writes: (() => void)[] = [];
        const each = dense.map(({ store }) => this.#prepare(store, v, row, inputs[j]));
        for (const [i, p] of each.entries()) wgsl.serving(dense[i]?.label, () => writes.push(storeQuad(this.#emitter, p, within)));
        for (const [i, write] of writes.entries()) wgsl.serving(dense[i]?.label, write);
      });
    }
  }
}

function missing(): never {
  throw new Error("every vector of a span has a place");
}
