// Streaming attention, forward and both gradients. A lane owns positions of one side and keeps their rows and sums in registers; the
// other side streams by in chunks: each lane loads one row of a chunk and hands it to all by broadcast (or, without subgroups, every
// lane loads every row). Nothing is as large as positions squared, and all sums run in a fixed order.
import type { AttentionElements, AttentionProblem, Store, Target } from "../../ir/plan.ts";
import { binary, cast, float, int, plus, type ScalarExpr, select as selectExpr, times, uint, unary } from "../../ir/scalar.ts";
import { type AttentionSchedule, groupsOf, refuseAttention, tileOf } from "./attention-schedule.ts";
import { Emitter, quad } from "./emitter.ts";
import { finishKernel, type Kernel, labelOf } from "./kernel.ts";
import { prepareStore, storeElement, storeQuad } from "./store.ts";
import { add, both, component, type E, exp, f32, lanes, lt, max, min, mul, scale, select, size, sub, u32, type Var, Wgsl } from "./wgsl.ts";

/** The least finite f32: exp(least - anything) is 0, and least - least is 0, not NaN. */
const least = -(2 - 2 ** -23) * 2 ** 127;

type Vector = E<"vec4f">;
type Row = readonly Vector[];

export function emitAttention(
  problem: AttentionProblem,
  schedule: AttentionSchedule,
  target: Target,
  serves: readonly string[] = [],
): Kernel {
  const refusal = refuseAttention(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`attention: ${refusal}`);
  const frame = new AttentionFrame(problem, schedule, target, serves);
  switch (problem.pass) {
    case "forward":
      frame.forward();
      break;
    case "grad_query":
      frame.gradQuery();
      break;
    case "grad_key":
      frame.gradKey();
      break;
    default:
      problem.pass satisfies never;
  }
  const lanesPerGroup = schedule.frame === "broadcast" ? target.subgroupSize : schedule.workgroup;
  return finishKernel(frame.wgsl, problem, target, {
    title: `attention, ${problem.pass}, ${schedule.frame}, ${tileOf(schedule, target)} positions a workgroup, ${problem.shape.channels} channels`,
    workgroup: [lanesPerGroup, 1, 1],
    groups: groupsOf(problem, tileOf(schedule, target)),
  });
}

/** A position that a lane owns: as it is, and within the tensor. */
interface Own {
  readonly position: E<"u32">;
  readonly inside: ScalarExpr;
}

class AttentionFrame {
  readonly wgsl: Wgsl;
  readonly #emitter: Emitter;
  readonly #problem: AttentionProblem;
  readonly #serves: readonly string[];
  /** Positions that stream by at a time. */
  readonly #chunk: number;
  readonly #lane: E<"u32">;
  readonly #tile: number;
  readonly #lanes: number;
  readonly #z: ScalarExpr;
  /** Quads of channels, as numbers in the text: the rows are unrolled. */
  readonly #channels: readonly ScalarExpr[];

  constructor(problem: AttentionProblem, schedule: AttentionSchedule, target: Target, serves: readonly string[]) {
    this.wgsl = new Wgsl(target.subgroupSize);
    this.#emitter = new Emitter(this.wgsl);
    this.#problem = problem;
    this.#serves = serves;
    const byBroadcast = schedule.frame === "broadcast";
    this.#chunk = byBroadcast ? target.subgroupSize : 1;
    this.#lanes = byBroadcast ? target.subgroupSize : schedule.workgroup;
    this.#tile = tileOf(schedule, target);
    this.#lane = this.wgsl.builtin(byBroadcast ? "lane" : "local");
    const { batch, channels } = problem.shape;
    this.#z = batch === 1 ? uint(0) : this.#emitter.variable("z", batch, this.wgsl.group("z"));
    const quads = Math.ceil(channels / 4);
    this.#channels = Array.from({ length: quads }, (_, i) => plus(times(this.#emitter.variable("quads", quads, u32(i)), uint(4)), quad));
  }

  forward(): void {
    const { wgsl } = this;
    const { elements, shape } = this.#problem;
    const head = this.#queryHead();
    const own = this.#own("t", shape.queries);
    const rows = this.#ownRows([elements.q], "t", own, head).map(([q]) => this.#scaled(q ?? missing()));
    const sums = own.map(() => this.#zeros("o"));
    const best = own.map(() => wgsl.var("best", f32(least)));
    const total = own.map(() => wgsl.zero("total", "f32"));
    const seen = this.#seen(own);
    this.#stream(u32(0), this.#lastKey(), (step) => {
      const at = { z: this.#z, s: this.#streamed(step, shape.keys), g: this.#group(head.h) };
      const [keys, values] = this.#rows([elements.k, elements.v], at);
      const scores = own.map((): E<"f32">[] => []);
      const visible = own.map((): E<"bool">[] => []);
      this.#eachStreamed(step, (j, position) => {
        const key = this.#handed(keys, j);
        for (const [r, row] of rows.entries()) {
          const isSeen = wgsl.let("seen", lt(position, seen[r] ?? position));
          visible[r]?.push(isSeen);
          scores[r]?.push(wgsl.let("score", select(isSeen, this.#product(row, key), f32(least))));
        }
      });
      const shares = own.map((_, r) => {
        const [before, list] = [best[r], scores[r] ?? []];
        if (before === undefined) throw new Error("a row without its best score");
        const now = wgsl.let(
          "now",
          list.reduce<E<"f32">>((a, b) => max(a, b), before),
        );
        const shrink = wgsl.let("shrink", exp(sub<"f32">(before, now)));
        wgsl.assign(before, now);
        const weights = list.map((score, j) =>
          // Also where nothing has been seen yet: exp(least - least) would be 1.
          wgsl.let("weight", select(visible[r]?.[j] ?? missing(), exp(sub(score, now)), f32(0))),
        );
        const into = total[r] ?? missing();
        wgsl.assign(
          into,
          weights.reduce<E<"f32">>((a, b) => add(a, b), mul<"f32">(into, shrink)),
        );
        for (const sum of sums[r] ?? []) wgsl.assign(sum, scale<"f32">(sum, shrink));
        return weights;
      });
      this.#eachStreamed(step, (j) => {
        const value = this.#handed(values, j);
        for (const [r, weights] of shares.entries()) this.#accumulate(sums[r] ?? [], value, weights[j] ?? missing());
      });
    });
    for (const [r, { position }] of own.entries()) {
      const [m, l] = [best[r] ?? missing(), total[r] ?? missing()];
      const inverse = wgsl.let("inverse", this.#computed(binary("div", float(1), this.#emitter.register(l))));
      const results = (sums[r] ?? []).map((sum) => wgsl.let("out", scale<"f32">(sum, inverse)));
      // The logarithm goes through the rewrites for drivers: their own is not exact enough.
      const lse = wgsl.let("lse", this.#computed(plus(this.#emitter.register(m), unary("log", this.#emitter.register(l)))));
      this.#store(
        "t",
        position,
        shape.queries,
        head,
        results.map((out) => [out]),
        [lse],
      );
    }
  }

  gradQuery(): void {
    const { wgsl } = this;
    const { elements, shape } = this.#problem;
    const head = this.#queryHead();
    const own = this.#own("t", shape.queries);
    const loaded = this.#ownRows([elements.q, needed(elements.ct)], "t", own, head);
    const rows = own.map(({ inside }, r) => {
      const at = { z: this.#z, t: inside, ...head };
      const [q = missing(), ct = missing()] = loaded[r] ?? [];
      return { q: this.#scaled(q), ct, lse: this.#number(elements.lse, at), delta: this.#number(elements.delta, at) };
    });
    const sums = own.map(() => this.#zeros("dq"));
    const seen = this.#seen(own);
    this.#stream(u32(0), this.#lastKey(), (step) => {
      const at = { z: this.#z, s: this.#streamed(step, shape.keys), g: this.#group(head.h) };
      const [keys, values] = this.#rows([elements.k, elements.v], at);
      this.#eachStreamed(step, (j, position) => {
        const [key, value] = [this.#handed(keys, j), this.#handed(values, j)];
        for (const [r, row] of rows.entries()) {
          const isSeen = lt(position, seen[r] ?? position);
          const weight = wgsl.let("weight", select(isSeen, exp(sub(this.#product(row.q, key), row.lse)), f32(0)));
          const share = wgsl.let("share", mul(weight, sub(this.#product(row.ct, value), row.delta)));
          this.#accumulate(sums[r] ?? [], key, share);
        }
      });
    });
    for (const [r, { position }] of own.entries())
      this.#store(
        "t",
        position,
        shape.queries,
        head,
        this.#scaled(sums[r] ?? []).map((dq) => [dq]),
        [],
      );
  }

  gradKey(): void {
    const { wgsl } = this;
    const { elements, shape, rule } = this.#problem;
    const { heads, groups, keys, queries } = shape;
    const group = { g: groups === 1 ? uint(0) : this.#emitter.variable("g", groups, wgsl.group("y")) };
    const own = this.#own("s", keys);
    const rows = this.#ownRows([elements.k, elements.v], "s", own, group).map(([k = missing(), v = missing()]) => ({
      k: this.#scaled(k),
      v,
    }));
    const sums = own.map(() => ({ dk: this.#zeros("dk"), dv: this.#zeros("dv") }));
    // The first query that sees any of these keys.
    const from = rule.causal ? wgsl.let("earliest", mul(wgsl.group("x"), u32(this.#tile / this.#chunk))) : u32(0);
    const perGroup = heads / groups;
    wgsl.loop("head", u32(0), size(perGroup), u32(1), (headValue) => {
      const h = plus(times(group.g, uint(perGroup)), this.#emitter.variable("head", perGroup, headValue));
      this.#stream(from, size(queries), (step) => {
        const at = { z: this.#z, t: this.#streamed(step, queries), h };
        const [q, ct] = this.#rows([elements.q, needed(elements.ct)], at);
        const [lse, delta] = [this.#number(elements.lse, at), this.#number(elements.delta, at)];
        this.#eachStreamed(step, (j, position) => {
          const [query, cotangent] = [this.#handed(q, j), this.#handed(ct, j)];
          const [lseOf, deltaOf] = [this.#handedNumber(lse, j), this.#handedNumber(delta, j)];
          const within = lt(position, size(queries));
          for (const [r, row] of rows.entries()) {
            const key = own[r]?.position ?? position;
            const isSeen = rule.causal ? both(within, lt(key, add(position, u32(1)))) : within;
            const weight = wgsl.let("weight", select(isSeen, exp(sub(this.#product(row.k, query), lseOf)), f32(0)));
            this.#accumulate(sums[r]?.dv ?? [], cotangent, weight);
            const share = wgsl.let("share", mul(weight, sub(this.#product(row.v, cotangent), deltaOf)));
            this.#accumulate(sums[r]?.dk ?? [], query, share);
          }
        });
      });
    });
    for (const [r, { position }] of own.entries()) {
      const dv = sums[r]?.dv ?? [];
      const results = this.#scaled(sums[r]?.dk ?? []).map((dk, i) => [dk, dv[i] ?? missing()]);
      this.#store("s", position, keys, group, results, []);
    }
  }

  #queryHead(): { readonly h: ScalarExpr } {
    const { heads } = this.#problem.shape;
    return { h: heads === 1 ? uint(0) : this.#emitter.variable("h", heads, this.wgsl.group("y")) };
  }

  /** The head of keys and values that a query head shares. */
  #group(h: ScalarExpr): ScalarExpr {
    const { heads, groups } = this.#problem.shape;
    return binary("div", h, uint(heads / groups));
  }

  #own(hint: string, count: number): readonly Own[] {
    const { wgsl } = this;
    const first = wgsl.let("first", add(mul(wgsl.group("x"), u32(this.#tile)), this.#lane));
    return Array.from({ length: this.#tile / this.#lanes }, (_, r) => {
      const position = r === 0 ? first : wgsl.let("position", add(first, u32(r * this.#lanes)));
      return { position, inside: this.#emitter.variable(hint, count, wgsl.let("inside", min(position, size(count - 1)))) };
    });
  }

  /** How many keys each own query sees. */
  #seen(own: readonly Own[]): readonly E<"u32">[] {
    const { wgsl } = this;
    const { shape, rule, elements } = this.#problem;
    if (!rule.causal) return own.map(() => size(shape.keys));
    const first = elements.first === undefined ? undefined : cast("u32", binary("max", elements.first, int(0)));
    const start = first === undefined ? u32(1) : wgsl.let("start", add(this.#computed(first) as unknown as E<"u32">, u32(1)));
    return own.map(({ position }) => wgsl.let("limit", min(add(position, start), size(shape.keys))));
  }

  /** Keys that any query of the workgroup sees. Nothing that was loaded may decide it: lanes meet in the loop. */
  #lastKey(): E<"u32"> {
    const { shape, rule, elements } = this.#problem;
    if (!rule.causal || elements.first !== undefined) return size(shape.keys);
    return min(mul(add(this.wgsl.group("x"), u32(1)), u32(this.#tile)), size(shape.keys));
  }

  /** Chunks from number `from` on, up to the one that ends at `count` or behind it. */
  #stream(from: E<"u32">, count: E<"u32">, body: (step: E<"u32">) => void): void {
    const { wgsl } = this;
    const start = from.node.kind === "literal" ? from : wgsl.let("begin", mul(from, u32(this.#chunk)));
    wgsl.loop("step", start, wgsl.let("end", count), u32(this.#chunk), body);
  }

  /** The position that this lane loads of the chunk at `step`, within the tensor. */
  #streamed(step: E<"u32">, count: number): ScalarExpr {
    const mine = this.#chunk === 1 ? step : add(step, this.#lane);
    return this.#emitter.variable("streamed", count, this.wgsl.let("mine", min(mine, size(count - 1))));
  }

  #eachStreamed(step: E<"u32">, body: (j: number, position: E<"u32">) => void): void {
    for (let j = 0; j < this.#chunk; j++) body(j, j === 0 ? step : this.wgsl.let("at", add(step, u32(j))));
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
  #rows(elements: readonly [ScalarExpr, ScalarExpr], at: Readonly<Record<string, ScalarExpr>>): readonly [Row, Row] {
    const prepared = elements.map((element) => this.#expressions(element, at));
    this.#emitter.issueLoads(prepared.flat());
    const [a, b] = prepared.map((list) => list.map((e) => this.wgsl.settle("x", this.#emitter.vector(e, "f32"))));
    return [a ?? missing(), b ?? missing()];
  }

  /**
   * For each own position its rows of some tensors, four channels in each round of a loop that moves the others down: load instructions that
   * stood in the text once for each four channels would take most of the time to compile.
   */
  #ownRows(
    elements: readonly ScalarExpr[],
    axis: "t" | "s",
    own: readonly Own[],
    head: Readonly<Record<string, ScalarExpr>>,
  ): readonly (readonly Row[])[] {
    const rows = own.map(({ inside }) => ({ at: { z: this.#z, ...head, [axis]: inside }, rows: elements.map(() => this.#zeros("own")) }));
    this.#eachQuad((c) => {
      const prepared = rows.map(({ at }) => elements.map((element) => this.#expression(element, at, c)));
      this.#emitter.issueLoads(prepared.flat());
      for (const [r, { rows: mine }] of rows.entries())
        for (const [e, row] of mine.entries()) {
          const loaded = this.wgsl.settle("x", this.#emitter.vector(prepared[r]?.[e] ?? missing(), "f32"));
          for (const [i, x] of row.entries()) this.wgsl.assign(x, row[i + 1] ?? loaded);
        }
    });
    return rows.map((r) => r.rows);
  }

  /** A loop over quads of channels, whose number is known at run time alone, so that nobody unrolls it. */
  #eachQuad(body: (c: ScalarExpr, i: E<"u32">) => void): void {
    const quads = this.#channels.length;
    this.wgsl.loop("i", u32(0), size(quads), u32(1), (i) => body(plus(times(this.#emitter.variable("quads", quads, i), uint(4)), quad), i));
  }

  #number(element: ScalarExpr | undefined, at: Readonly<Record<string, ScalarExpr>>): E<"f32"> {
    return this.wgsl.settle("row", this.#emitter.scalar(this.#emitter.prepare(needed(element), at), "f32"));
  }

  #computed(e: ScalarExpr): E<"f32"> {
    const prepared = this.#emitter.prepare(e, {});
    return this.#emitter.scalar(prepared, prepared.type) as E<"f32">;
  }

  #scaled(row: Row): Row {
    return row.map((x) => this.wgsl.let("scaled", scale<"f32">(x, f32(this.#problem.rule.scale))));
  }

  #zeros(hint: string): readonly Var<"vec4f">[] {
    return this.#channels.map(() => this.wgsl.zero(hint, "vec4f"));
  }

  #handed(row: Row, j: number): Row {
    return this.#chunk === 1 ? row : row.map((x) => this.wgsl.let("given", this.wgsl.broadcast(x, j)));
  }

  #handedNumber(x: E<"f32">, j: number): E<"f32"> {
    return this.#chunk === 1 ? x : this.wgsl.let("given", this.wgsl.broadcast(x, j));
  }

  #product(a: Row, b: Row): E<"f32"> {
    const terms = a.map((x, i) => mul(x, b[i] ?? missing()));
    const [first = missing(), ...others] = terms;
    const whole = this.wgsl.let(
      "products",
      others.reduce<Vector>((total, term) => add(total, term), first),
    );
    const [x, y, z, w] = lanes.map((lane) => component(whole, lane));
    return add<"f32">(add<"f32">(x ?? missing(), y ?? missing()), add<"f32">(z ?? missing(), w ?? missing()));
  }

  #accumulate(sums: readonly Var<"vec4f">[], row: Row, weight: E<"f32">): void {
    for (const [i, sum] of sums.entries()) this.wgsl.accumulate(sum, scale<"f32">(row[i] ?? missing(), weight));
  }

  /** Results of one own position: for each quad of channels one vector a store, and numbers of the row. */
  #store(
    axis: "t" | "s",
    position: E<"u32">,
    count: number,
    head: Readonly<Record<string, ScalarExpr>>,
    quads: readonly (readonly Vector[])[],
    row: readonly E<"f32">[],
  ): void {
    const { wgsl } = this;
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

const needed = (element: AttentionElements[keyof AttentionElements]): ScalarExpr => element ?? missing();

function missing(): never {
  throw new Error("a part of attention is missing");
}
