// Finds the parts of an expression that depend on one coordinate alone, so that a kernel can load them once for many elements.
import { childrenOf, input, type ScalarExpr, withChildren } from "../../ir/scalar.ts";

/** An expression in which each part is replaced by `input(firstPart + i)`. */
export interface Extracted {
  readonly expression: ScalarExpr;
  readonly parts: readonly ScalarExpr[];
}

/** Numbers of the inputs that stand for parts; above every input that problems have. */
const firstPart = 1000;

/**
 * Take out the largest parts that contain a load, depend on the variable `name` and on no input, and otherwise only on
 * variables that `also` allows. Truth values stay: lanes cannot exchange them.
 */
export function extractParts(e: ScalarExpr, name: string, also: (name: string) => boolean): Extracted {
  const parts: ScalarExpr[] = [];
  const memo = new Map<ScalarExpr, ScalarExpr>();
  const visit = (node: ScalarExpr): ScalarExpr => {
    const known = memo.get(node);
    if (known !== undefined) return known;
    let result: ScalarExpr;
    if (node.type !== "bool" && isPart(node, name, also)) {
      parts.push(node);
      result = input(firstPart + parts.length - 1, node.type);
    } else result = withChildren(node, childrenOf(node).map(visit));
    memo.set(node, result);
    return result;
  };
  return { expression: visit(e), parts };
}

/** Inputs for `prepare`: a problem's own, and what stands for the parts. */
export function withParts(inputs: readonly ScalarExpr[], parts: readonly ScalarExpr[]): readonly ScalarExpr[] {
  const all = [...inputs];
  for (const [i, part] of parts.entries()) all[firstPart + i] = part;
  return all;
}

function isPart(e: ScalarExpr, name: string, also: (name: string) => boolean): boolean {
  let found = false;
  let loads = false;
  const seen = new Set<ScalarExpr>();
  const fits = (node: ScalarExpr): boolean => {
    if (seen.has(node)) return true;
    seen.add(node);
    if (node.kind === "input") return false;
    if (node.kind === "variable") {
      if (node.name === name) found = true;
      else if (!also(node.name)) return false;
    }
    if (node.kind === "load") loads = true;
    return childrenOf(node).every(fits);
  };
  return fits(e) && found && loads;
}

export function dependsOn(e: ScalarExpr, variable: string): boolean {
  return e.kind === "variable" ? e.name === variable : childrenOf(e).some((c) => dependsOn(c, variable));
}
