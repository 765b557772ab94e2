// Rows of attention in registers, four channels each: how a lane loads its own, takes what other lanes loaded, and stores results.
import type { AttentionElements, AttentionProblem, Store } from "../../ir/plan.ts";
import { binary, float, plus, type ScalarExpr, select as selectExpr, times, uint } from "../../ir/scalar.ts";
import { type Emitter, quad } from "./emitter.ts";
import { labelOf } from "./kernel.ts";
import { prepareStore, storeElement, storeQuad } from "./store.ts";
import { add, component, type E, f32, lanes, lt, mul, scale, size, u32, type Var, type Wgsl } from "./wgsl.ts";

type Vector = E<"vec4f">;
export type Row = readonly Vector[];

/** A position that a lane owns: as it is, and within the tensor. */
export interface Own {
  readonly position: E<"u32">;
  readonly inside: ScalarExpr;
}

export class AttentionRows {
  readonly #emitter: Emitter;
  readonly #wgsl: Wgsl;
  readonly #problem: AttentionProblem;
  readonly #serves: readonly string[];
  /** Positions that stream by at a time. */
  readonly #chunk: number;
  readonly #z: ScalarExpr;
  /** Quads of channels, as numbers in the text: rows that stream by are unrolled. */
  readonly #channels: readonly ScalarExpr[];

  constructor(
    emitter: Emitter,
    problem: AttentionProblem,
    serves: readonly string[],
    { chunk, z }: { readonly chunk: number; readonly z: ScalarExpr },
  ) {
    this.#emitter = emitter;
    this.#wgsl = emitter.wgsl;
    this.#problem = problem;
    this.#serves = serves;
    this.#chunk = chunk;
    this.#z = z;
    const quads = Math.ceil(problem.shape.channels / 4);
    this.#channels = Array.from({ length: quads }, (_, i) => plus(times(emitter.variable("quads", quads, u32(i)), uint(4)), quad));
  }

  #expressions(element: ScalarExpr, at: Readonly<Record<string, ScalarExpr>>): readonly ScalarExpr[] {
    return this.#channels.map((c) => this.#expression(element, at, c));
  }

  #expression(element: ScalarExpr, at: Readonly<Record<string, ScalarExpr>>, c: ScalarExpr): ScalarExpr {
    const { channels } = this.#problem.shape;
    if (channels % 4 === 0) return this.#emitter.prepare(element, { ...at, c });
    const clamped = this.#emitter.prepare(element, { ...at, c: binary("min", c, uint(channels - 1)) });
    return this.#emitter.prepare(selectExpr(binary("lt", c, uint(channels)), clamped, float(0)), {});
  }

  /** Rows of several tensors at one position: all loads, then the values. */
  rows(elements: readonly [ScalarExpr, ScalarExpr], at: Readonly<Record<string, ScalarExpr>>): readonly [Row, Row] {
    const prepared = elements.map((element) => this.#expressions(element, at));
    this.#emitter.issueLoads(prepared.flat());
    const [a, b] = prepared.map((list) => list.map((e) => this.#wgsl.settle("x", this.#emitter.vector(e, "f32"))));
    return [a ?? missing(), b ?? missing()];
  }

  /**
   * For each own position its rows of some tensors, four channels in each round of a loop that moves the others down: load instructions that
   * stood in the text once for each four channels would take most of the time to compile.
   */
  ownRows(
    elements: readonly ScalarExpr[],
    axis: "t" | "s",
    own: readonly Own[],
    head: Readonly<Record<string, ScalarExpr>>,
  ): readonly (readonly Row[])[] {
    const rows = own.map(({ inside }) => ({ at: { z: this.#z, ...head, [axis]: inside }, rows: elements.map(() => this.zeros("own")) }));
    this.#eachQuad((c) => {
      const prepared = rows.map(({ at }) => elements.map((element) => this.#expression(element, at, c)));
      this.#emitter.issueLoads(prepared.flat());
      for (const [r, { rows: mine }] of rows.entries())
        for (const [e, row] of mine.entries()) {
          const loaded = this.#wgsl.settle("x", this.#emitter.vector(prepared[r]?.[e] ?? missing(), "f32"));
          for (const [i, x] of row.entries()) this.#wgsl.assign(x, row[i + 1] ?? loaded);
        }
    });
    return rows.map((r) => r.rows);
  }

  /** A loop over quads of channels, whose number is known at run time alone, so that nobody unrolls it. */
  #eachQuad(body: (c: ScalarExpr, i: E<"u32">) => void): void {
    const quads = this.#channels.length;
    this.#wgsl.loop("i", u32(0), size(quads), u32(1), (i) =>
      body(plus(times(this.#emitter.variable("quads", quads, i), uint(4)), quad), i),
    );
  }

  /** A number that a row has one of. */
  number(element: ScalarExpr | undefined, at: Readonly<Record<string, ScalarExpr>>): E<"f32"> {
    return this.#wgsl.settle("row", this.#emitter.scalar(this.#emitter.prepare(needed(element), at), "f32"));
  }

  /** The value of an expression over registers. */
  computed(e: ScalarExpr): E<"f32"> {
    const prepared = this.#emitter.prepare(e, {});
    return this.#emitter.scalar(prepared, prepared.type) as E<"f32">;
  }

  /** A row times the scale of the scores. */
  scaled(row: Row): Row {
    return row.map((x) => this.#wgsl.let("scaled", scale<"f32">(x, f32(this.#problem.rule.scale))));
  }

  /** A row of sums. */
  zeros(hint: string): readonly Var<"vec4f">[] {
    return this.#channels.map(() => this.#wgsl.zero(hint, "vec4f"));
  }

  /** Row number `j` of the chunk, from the lane that loaded it. */
  handed(row: Row, j: number): Row {
    return this.#chunk === 1 ? row : row.map((x) => this.#wgsl.let("given", this.#wgsl.broadcast(x, j)));
  }

  /** As {@link handed}, for a number of the row. */
  handedNumber(x: E<"f32">, j: number): E<"f32"> {
    return this.#chunk === 1 ? x : this.#wgsl.let("given", this.#wgsl.broadcast(x, j));
  }

  /** The sum of products of two rows. */
  product(a: Row, b: Row): E<"f32"> {
    const terms = a.map((x, i) => mul(x, b[i] ?? missing()));
    const [first = missing(), ...others] = terms;
    const whole = this.#wgsl.let(
      "products",
      others.reduce<Vector>((total, term) => add(total, term), first),
    );
    const [x, y, z, w] = lanes.map((lane) => component(whole, lane));
    return add<"f32">(add<"f32">(x ?? missing(), y ?? missing()), add<"f32">(z ?? missing(), w ?? missing()));
  }

  /** Add a row times a weight to a row of sums. */
  accumulate(sums: readonly Var<"vec4f">[], row: Row, weight: E<"f32">): void {
    for (const [i, sum] of sums.entries()) this.#wgsl.accumulate(sum, scale<"f32">(row[i] ?? missing(), weight));
  }

  /** Results of one own position: for each quad of channels one vector a store, and numbers of the row. */
  store(
    axis: "t" | "s",
    position: E<"u32">,
    count: number,
    head: Readonly<Record<string, ScalarExpr>>,
    quads: readonly (readonly Vector[])[],
    row: readonly E<"f32">[],
  ): void {
    const wgsl = this.#wgsl;
    const { stores, rowStores, shape } = this.#problem;
    wgsl.when(lt(position, size(count)), () => {
      const at = { z: this.#z, ...head, [axis]: this.#emitter.variable(axis, count, position) };
      const numbers = row.map((x) => this.#emitter.register(x));
      const ofRow = rowStores.map((store, n) => this.#rowStore(store, n, at, numbers));
      for (const [label, write] of ofRow) wgsl.serving(label, write);
      const results = quads.map((vectors) => vectors.map((v) => wgsl.var("result", v)));
      this.#eachQuad((c, i) => {
        const inputs = (results[0] ?? []).map((v) => this.#emitter.register(wgsl.let("result", v)));
        const within = shape.channels % 4 === 0 ? undefined : { first: wgsl.let("channel", mul(i, u32(4))), below: u32(shape.channels) };
        const writes = stores.map((store, n) => {
          const prepared = prepareStore(this.#emitter, store, { ...at, c }, inputs);
          return [labelOf(this.#serves, n), storeQuad(this.#emitter, prepared, within)] as const;
        });
        for (const [label, write] of writes) wgsl.serving(label, write);
        for (const [j, vectors] of results.entries())
          for (const [n, v] of vectors.entries()) {
            const next = results[j + 1]?.[n];
            if (next !== undefined) wgsl.assign(v, next);
          }
      });
    });
  }

  #rowStore(
    store: Store,
    n: number,
    at: Readonly<Record<string, ScalarExpr>>,
    inputs: readonly ScalarExpr[],
  ): readonly [string | undefined, () => void] {
    const prepared = prepareStore(this.#emitter, store, at, inputs);
    return [labelOf(this.#serves, this.#problem.stores.length + n), storeElement(this.#emitter, prepared)];
  }
}

export const needed = (element: AttentionElements[keyof AttentionElements]): ScalarExpr => element ?? missing();

export function missing(): never {
  throw new Error("a part of attention is missing");
}
