// Streaming attention, forward and both gradients. A lane owns positions of one side and keeps their rows and sums in registers; the
// other side streams by in chunks: each lane loads one row of a chunk and hands it to all by broadcast (or, without subgroups, every
// lane loads every row). Nothing is as large as positions squared, and all sums run in a fixed order.
import type { AttentionProblem, Target } from "../../ir/plan.ts";
import { binary, cast, float, int, plus, type ScalarExpr, times, uint, unary } from "../../ir/scalar.ts";
import { AttentionRows, missing, needed, type Own } from "./attention-rows.ts";
import { type AttentionSchedule, groupsOf, refuseAttention, tileOf } from "./attention-schedule.ts";
import { Emitter } from "./emitter.ts";
import { finishKernel, type Kernel } from "./kernel.ts";
import { add, both, type E, exp, f32, lt, max, min, mul, scale, select, size, sub, u32, Wgsl } from "./wgsl.ts";

/** The least finite f32: exp(least - anything) is 0, and least - least is 0, not NaN. */
const least = -(2 - 2 ** -23) * 2 ** 127;

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

class AttentionFrame {
  readonly wgsl: Wgsl;
  readonly #emitter: Emitter;
  readonly #problem: AttentionProblem;
  /** Positions that stream by at a time. */
  readonly #chunk: number;
  readonly #lane: E<"u32">;
  readonly #tile: number;
  readonly #lanes: number;
  readonly #z: ScalarExpr;
  readonly #registers: AttentionRows;

  constructor(problem: AttentionProblem, schedule: AttentionSchedule, target: Target, serves: readonly string[]) {
    this.wgsl = new Wgsl(target.subgroupSize);
    this.#emitter = new Emitter(this.wgsl);
    this.#problem = problem;
    const byBroadcast = schedule.frame === "broadcast";
    this.#chunk = byBroadcast ? target.subgroupSize : 1;
    this.#lanes = byBroadcast ? target.subgroupSize : schedule.workgroup;
    this.#tile = tileOf(schedule, target);
    this.#lane = this.wgsl.builtin(byBroadcast ? "lane" : "local");
    const { batch } = problem.shape;
    this.#z = batch === 1 ? uint(0) : this.#emitter.variable("z", batch, this.wgsl.group("z"));
    this.#registers = new AttentionRows(this.#emitter, problem, serves, { chunk: this.#chunk, z: this.#z });
  }

  forward(): void {
    const { wgsl } = this;
    const { elements, shape } = this.#problem;
    const head = this.#queryHead();
    const own = this.#own("t", shape.queries);
    const rows = this.#registers.ownRows([elements.q], "t", own, head).map(([q]) => this.#registers.scaled(q ?? missing()));
    const sums = own.map(() => this.#registers.zeros("o"));
    const best = own.map(() => wgsl.var("best", f32(least)));
    const total = own.map(() => wgsl.zero("total", "f32"));
    const seen = this.#seen(own);
    this.#stream(u32(0), this.#lastKey(), (step) => {
      const at = { z: this.#z, s: this.#streamed(step, shape.keys), g: this.#group(head.h) };
      const [keys, values] = this.#registers.rows([elements.k, elements.v], at);
      const scores = own.map((): E<"f32">[] => []);
      const visible = own.map((): E<"bool">[] => []);
      this.#eachStreamed(step, (j, position) => {
        const key = this.#registers.handed(keys, j);
        for (const [r, row] of rows.entries()) {
          const isSeen = wgsl.let("seen", lt(position, seen[r] ?? position));
          visible[r]?.push(isSeen);
          scores[r]?.push(wgsl.let("score", select(isSeen, this.#registers.product(row, key), f32(least))));
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
        const value = this.#registers.handed(values, j);
        for (const [r, weights] of shares.entries()) this.#registers.accumulate(sums[r] ?? [], value, weights[j] ?? missing());
      });
    });
    for (const [r, { position }] of own.entries()) {
      const [m, l] = [best[r] ?? missing(), total[r] ?? missing()];
      const inverse = wgsl.let("inverse", this.#registers.computed(binary("div", float(1), this.#emitter.register(l))));
      const results = (sums[r] ?? []).map((sum) => wgsl.let("out", scale<"f32">(sum, inverse)));
      // The logarithm goes through the rewrites for drivers: their own is not exact enough.
      const lse = wgsl.let("lse", this.#registers.computed(plus(this.#emitter.register(m), unary("log", this.#emitter.register(l)))));
      this.#registers.store(
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
    const loaded = this.#registers.ownRows([elements.q, needed(elements.ct)], "t", own, head);
    const rows = own.map(({ inside }, r) => {
      const at = { z: this.#z, t: inside, ...head };
      const [q = missing(), ct = missing()] = loaded[r] ?? [];
      return {
        q: this.#registers.scaled(q),
        ct,
        lse: this.#registers.number(elements.lse, at),
        delta: this.#registers.number(elements.delta, at),
      };
    });
    const sums = own.map(() => this.#registers.zeros("dq"));
    const seen = this.#seen(own);
    this.#stream(u32(0), this.#lastKey(), (step) => {
      const at = { z: this.#z, s: this.#streamed(step, shape.keys), g: this.#group(head.h) };
      const [keys, values] = this.#registers.rows([elements.k, elements.v], at);
      this.#eachStreamed(step, (j, position) => {
        const [key, value] = [this.#registers.handed(keys, j), this.#registers.handed(values, j)];
        for (const [r, row] of rows.entries()) {
          const isSeen = lt(position, seen[r] ?? position);
          const weight = wgsl.let("weight", select(isSeen, exp(sub(this.#registers.product(row.q, key), row.lse)), f32(0)));
          const share = wgsl.let("share", mul(weight, sub(this.#registers.product(row.ct, value), row.delta)));
          this.#registers.accumulate(sums[r] ?? [], key, share);
        }
      });
    });
    for (const [r, { position }] of own.entries())
      this.#registers.store(
        "t",
        position,
        shape.queries,
        head,
        this.#registers.scaled(sums[r] ?? []).map((dq) => [dq]),
        [],
      );
  }

  gradKey(): void {
    const { wgsl } = this;
    const { elements, shape, rule } = this.#problem;
    const { heads, groups, keys, queries } = shape;
    const group = { g: groups === 1 ? uint(0) : this.#emitter.variable("g", groups, wgsl.group("y")) };
    const own = this.#own("s", keys);
    const rows = this.#registers.ownRows([elements.k, elements.v], "s", own, group).map(([k = missing(), v = missing()]) => ({
      k: this.#registers.scaled(k),
      v,
    }));
    const sums = own.map(() => ({ dk: this.#registers.zeros("dk"), dv: this.#registers.zeros("dv") }));
    // The first query that sees any of these keys.
    const from = rule.causal ? wgsl.let("earliest", mul(wgsl.group("x"), u32(this.#tile / this.#chunk))) : u32(0);
    const perGroup = heads / groups;
    wgsl.loop("head", u32(0), size(perGroup), u32(1), (headValue) => {
      const h = plus(times(group.g, uint(perGroup)), this.#emitter.variable("head", perGroup, headValue));
      this.#stream(from, size(queries), (step) => {
        const at = { z: this.#z, t: this.#streamed(step, queries), h };
        const [q, ct] = this.#registers.rows([elements.q, needed(elements.ct)], at);
        const [lse, delta] = [this.#registers.number(elements.lse, at), this.#registers.number(elements.delta, at)];
        this.#eachStreamed(step, (j, position) => {
          const [query, cotangent] = [this.#registers.handed(q, j), this.#registers.handed(ct, j)];
          const [lseOf, deltaOf] = [this.#registers.handedNumber(lse, j), this.#registers.handedNumber(delta, j)];
          const within = lt(position, size(queries));
          for (const [r, row] of rows.entries()) {
            const key = own[r]?.position ?? position;
            const isSeen = rule.causal ? both(within, lt(key, add(position, u32(1)))) : within;
            const weight = wgsl.let("weight", select(isSeen, exp(sub(this.#registers.product(row.k, query), lseOf)), f32(0)));
            this.#registers.accumulate(sums[r]?.dv ?? [], cotangent, weight);
            const share = wgsl.let("share", mul(weight, sub(this.#registers.product(row.v, cotangent), deltaOf)));
            this.#registers.accumulate(sums[r]?.dk ?? [], query, share);
          }
        });
      });
    });
    for (const [r, { position }] of own.entries()) {
      const dv = sums[r]?.dv ?? [];
      const results = this.#registers.scaled(sums[r]?.dk ?? []).map((dk, i) => [dk, dv[i] ?? missing()]);
      this.#registers.store("s", position, keys, group, results, []);
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
    const start = first === undefined ? u32(1) : wgsl.let("start", add(this.#registers.computed(first) as unknown as E<"u32">, u32(1)));
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
}
