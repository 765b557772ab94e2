// N:M sparsity in row kernels: which elements of a lane's vectors stay. A group of four pairs is two vectors, of one lane or of two neighbours.
import type { Store } from "../../ir/plan.ts";
import { childrenOf, input, type ScalarExpr, select, uint } from "../../ir/scalar.ts";
import { createSimplifier } from "../../ir/simplify.ts";
import { type KeptExpr, keptOfFour, oneOfFour, replaceKept } from "../../ir/sparse.ts";
import { type Emitter, quad } from "./emitter.ts";
import type { Exchange } from "./exchange.ts";
import { add, bitAnd, component, type E, eq, lanes, u32 } from "./wgsl.ts";

/** Comparisons with neighbours in what is stored, each once. */
export function keptIn(stores: readonly Store[], simplifier = createSimplifier()): readonly KeptExpr[] {
  const found = new Map<ScalarExpr, KeptExpr>();
  const seen = new Set<ScalarExpr>();
  const visit = (e: ScalarExpr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.kind === "kept") found.set(simplifier.simplify(e), e);
    for (const child of childrenOf(e)) visit(child);
  };
  for (const { value } of stores) visit(value);
  return [...found.values()];
}

/** What is stored, its comparisons as inputs from `first` on; `scores`: whose neighbours each input compares. */
export function withKeptAsInputs(
  stores: readonly Store[],
  first: number,
): { readonly stores: readonly Store[]; readonly scores: readonly KeptExpr[] } {
  const simplifier = createSimplifier();
  const scores = keptIn(stores, simplifier);
  if (scores.length === 0) return { stores, scores };
  const names = scores.map((kept) => simplifier.simplify(kept));
  const place = (kept: KeptExpr) => input(first + names.indexOf(simplifier.simplify(kept)), "bool");
  return { stores: stores.map((store) => ({ ...store, value: replaceKept(store.value, place) })), scores };
}

/**
 * For each vector of a lane, by the scores of its elements, which of them stay: expressions over the position in the vector. Every lane of the team
 * must come here, because neighbours exchange sums. A sum is computed in one lane, so that all who compare it see the same bits.
 */
export function keptOfVectors(
  emitter: Emitter,
  exchange: Exchange,
  { unit }: Pick<KeptExpr, "unit">,
  scores: readonly E<"vec4f">[],
): readonly ScalarExpr[] {
  const { wgsl } = emitter;
  if (unit === 1)
    return scores.map((score) => {
      const [a, b, c, d] = lanes.map((lane) => emitter.register(component(score, lane)));
      return oneOfFour(quad, keptOfFour([need(a), need(b), need(c), need(d)]));
    });
  const pairs = scores.map((score) => [
    wgsl.let("pair", add(component(score, 0), component(score, 1))),
    wgsl.let("pair", add(component(score, 2), component(score, 3))),
  ]);
  const known = pairs.map((sums) => sums.map((sum) => emitter.register(sum)));
  const halves = (first: ScalarExpr, second: ScalarExpr) =>
    select({ kind: "binary", type: "bool", op: "lt", a: quad, b: uint(2) }, first, second);
  if (scores.length > 1)
    return known.map((_, j) => {
      const [low, high] = [known[j & ~1], known[j | 1]];
      const kept = keptOfFour([need(low?.[0]), need(low?.[1]), need(high?.[0]), need(high?.[1])]);
      return (j & 1) === 0 ? halves(kept[0], kept[1]) : halves(kept[2], kept[3]);
    });
  const [own = [], other = []] = [known[0], pairs[0]?.map((sum) => emitter.register(exchange.xor(sum, 1)))];
  const isLow = emitter.register(wgsl.let("is_low", eq(bitAnd(exchange.lane, u32(1)), u32(0))));
  const inOrder = [own[0], own[1], other[0], other[1]].map(need);
  const four = (i: 0 | 1 | 2 | 3) => select(isLow, need(inOrder[i]), need(inOrder[i ^ 2]));
  const kept = keptOfFour([four(0), four(1), four(2), four(3)]);
  return [halves(select(isLow, kept[0], kept[2]), select(isLow, kept[1], kept[3]))];
}

function need<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("four sums to compare");
  return value;
}
