// N:M sparsity in scalar expressions: which two of four neighbouring units have the largest scores, spelled out for kernels.
import { binary, childrenOf, over, plus, type ScalarExpr, select, times, uint, unary, variable, withChildren } from "./scalar.ts";
import type { Simplifier } from "./simplify.ts";

export type KeptExpr = Extract<ScalarExpr, { kind: "kept" }>;

/** Units that compete. */
export const unitsOfGroup = 4;

type Four = readonly [ScalarExpr, ScalarExpr, ScalarExpr, ScalarExpr];

/** For each of four sums whether fewer than two others are larger; of two equal ones the later counts as larger. */
export function keptOfFour(sums: Four): Four {
  // One comparison for each pair, and its opposite for the other: so both sides agree, whatever is compared.
  const later = sums.map((a, i) => sums.map((b, j) => (j > i ? binary("ge", b, a) : undefined)));
  const kept = (i: number): ScalarExpr => {
    const [x, y, z] = sums.flatMap((_, j) => {
      const [below, above] = [later[j]?.[i], later[i]?.[j]];
      return above !== undefined ? [above] : below !== undefined ? [unary("not", below)] : [];
    });
    if (x === undefined || y === undefined || z === undefined) throw new Error("three others");
    return unary("not", binary("or", binary("and", x, y), binary("and", z, binary("or", x, y))));
  };
  return [kept(0), kept(1), kept(2), kept(3)];
}

/** One of four by its number, u32. */
export const oneOfFour = (number: ScalarExpr, [first, second, third, fourth]: Four): ScalarExpr =>
  select(
    binary("lt", number, uint(2)),
    select(binary("eq", number, uint(0)), first, second),
    select(binary("eq", number, uint(2)), third, fourth),
  );

/** The expression with each node `kept` replaced. */
export function replaceKept(
  e: ScalarExpr,
  replacement: (kept: KeptExpr) => ScalarExpr,
  memo = new Map<ScalarExpr, ScalarExpr>(),
): ScalarExpr {
  const known = memo.get(e);
  if (known !== undefined) return known;
  const inner = withChildren(
    e,
    childrenOf(e).map((child) => replaceKept(child, replacement, memo)),
  );
  const result = inner.kind === "kept" ? replacement(inner) : inner;
  memo.set(e, result);
  return result;
}

/** Where a kernel computes elements one by one, neighbours are computed too: `kept` over the scores at all columns of its group. `column` is a variable. */
export function keptByColumns(
  e: ScalarExpr,
  column: { readonly name: string; readonly bound: number },
  simplifier: Simplifier,
): ScalarExpr {
  const own = variable(column.name, column.bound);
  return replaceKept(e, ({ unit, a }) => {
    const group = uint(unitsOfGroup * unit);
    const start = times(over(own, group), group);
    const score = (i: number) => simplifier.substitute(a, { [column.name]: plus(start, uint(i)) });
    const sum = (i: number) => (unit === 1 ? score(i) : plus(score(2 * i), score(2 * i + 1)));
    return oneOfFour(
      binary("rem", unit === 1 ? own : over(own, uint(unit)), uint(unitsOfGroup)),
      keptOfFour([sum(0), sum(1), sum(2), sum(3)]),
    );
  });
}
