// Simplification of scalar expressions: index arithmetic by ranges (`i < 64` lets `i % 64` go), values by exact rewrites only.
// One list of named local rules; nodes are interned, so equal expressions become one node.

import { createRangeAnalysis, type RangeOf } from "./range.ts";
import { type BinaryOp, childrenOf, constant, type ScalarExpr, withChildren } from "./scalar.ts";
import { foldRules } from "./simplify-fold.ts";
import { indexRules } from "./simplify-index.ts";
import type { SimplifyContext, SimplifyRule } from "./simplify-rule.ts";
import { valueRules } from "./simplify-value.ts";

export const simplifyRules: readonly SimplifyRule[] = [...foldRules, ...valueRules, ...indexRules];

export interface Simplifier {
  readonly rangeOf: RangeOf;
  /** The simplified expression. Equal results are the same node within one simplifier. */
  simplify(e: ScalarExpr): ScalarExpr;
  /** Replace variables by name and inputs by index (those that are named), then simplify. */
  substitute(e: ScalarExpr, variables: Readonly<Record<string, ScalarExpr>>, inputs?: readonly ScalarExpr[]): ScalarExpr;
}

/** Simplify one expression by itself. */
export const simplify = (e: ScalarExpr): ScalarExpr => createSimplifier().simplify(e);

/** `applied` hears the name of every rule that fires. */
export function createSimplifier(applied: (rule: string) => void = () => {}): Simplifier {
  const interned = new Map<string, ScalarExpr>();
  const ids = new Map<ScalarExpr, number>();
  const settled = new Map<ScalarExpr, ScalarExpr>();
  const seen = new Map<ScalarExpr, ScalarExpr>();
  const rangeOf = createRangeAnalysis();

  const idOf = (e: ScalarExpr): number => ids.get(e) ?? ids.set(e, ids.size).get(e) ?? 0;
  const intern = (e: ScalarExpr): ScalarExpr => {
    const key = `${keyOf(e)}(${childrenOf(e).map(idOf).join()})`;
    const known = interned.get(key);
    if (known !== undefined) return known;
    interned.set(key, e);
    idOf(e);
    return e;
  };
  const node = (e: ScalarExpr): ScalarExpr => {
    const start = intern(e);
    const known = settled.get(start);
    if (known !== undefined) return known;
    let current = start;
    for (let rounds = 0; ; rounds++) {
      if (rounds > 100) throw new Error(`simplification does not settle: ${keyOf(start)}`);
      const next = step(current);
      if (next === undefined || next === current) break;
      current = next;
    }
    settled.set(start, current);
    settled.set(current, current);
    return current;
  };
  const step = (e: ScalarExpr): ScalarExpr | undefined => {
    for (const rule of simplifyRules) {
      const better = rule.apply(e, cx);
      if (better === undefined || better === e) continue;
      applied(rule.name);
      return intern(better);
    }
    return undefined;
  };
  const cx: SimplifyContext = {
    rangeOf,
    binary: (op, a, b) => node({ kind: "binary", type: isComparison(op) ? "bool" : a.type, op, a, b }),
    constant: (type, value) => intern(constant(type, value)),
    intern,
    node,
    idOf,
  };

  const simplifyIn = (e: ScalarExpr, memo: Map<ScalarExpr, ScalarExpr>, leaf: (e: ScalarExpr) => ScalarExpr | undefined): ScalarExpr => {
    const known = memo.get(e);
    if (known !== undefined) return known;
    const replaced = leaf(e);
    const result =
      replaced ??
      node(
        withChildren(
          e,
          childrenOf(e).map((c) => simplifyIn(c, memo, leaf)),
        ),
      );
    memo.set(e, result);
    return result;
  };
  const simplifyAll = (e: ScalarExpr) => simplifyIn(e, seen, () => undefined);
  return {
    rangeOf,
    simplify: simplifyAll,
    substitute(e, variables, inputs = []) {
      const simple = Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, simplifyAll(value)]));
      return simplifyIn(e, new Map(), (x) => {
        if (x.kind === "variable") return Object.hasOwn(simple, x.name) ? simple[x.name] : undefined;
        return x.kind === "input" ? inputs[x.index] : undefined;
      });
    },
  };
}

const comparisons: ReadonlySet<BinaryOp> = new Set(["eq", "ne", "lt", "le", "gt", "ge"]);
const isComparison = (op: BinaryOp): boolean => comparisons.has(op);

/** What tells a node from another over the same children. */
function keyOf(e: ScalarExpr): string {
  switch (e.kind) {
    case "const":
      return `${e.type} ${Object.is(e.value, -0) ? "-0" : e.value}`;
    case "input":
      return `input ${e.type} ${e.index}`;
    case "variable":
      return `variable ${e.name} ${e.bound}`;
    case "unary":
    case "binary":
      return `${e.op} ${e.type}`;
    case "select":
      return "select";
    case "cast":
      return `cast ${e.type}`;
    case "kept":
      return `kept ${e.unit}`;
    case "load": {
      const s = e.storage;
      return `load ${e.type} ${e.binding} ${s.kind === "dense" ? s.scalar : `${s.bits} ${s.layout} ${s.pitch} ${s.signed}`}`;
    }
    default:
      return e satisfies never;
  }
}
