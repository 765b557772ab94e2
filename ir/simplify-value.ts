// Exact rewrites of values: no reassociation, the sign of zero kept, nothing that changes a rounding.

import type { ScalarExpr } from "./scalar.ts";
import type { SimplifyRule } from "./simplify-rule.ts";

const isConst = (e: ScalarExpr, value: number): boolean => e.kind === "const" && Object.is(e.value, value);
const isInteger = (e: ScalarExpr): boolean => e.type === "i32" || e.type === "u32";
/** 2^n with a normal reciprocal: dividing by it and multiplying by its reciprocal round the same. */
const isExactPower = (x: number): boolean =>
  x > 0 && x <= 2 ** 126 && x >= 2 ** -126 && Number.isInteger(Math.log2(x)) && 2 ** Math.log2(x) === x;

export const valueRules: readonly SimplifyRule[] = [
  {
    // x + (-0) and x - 0 are x for every float; x + 0 is not: it turns -0 into 0.
    name: "add-nothing",
    apply(e) {
      if (e.kind !== "binary") return undefined;
      const nothing = e.type === "f32" ? -0 : 0;
      if (e.op === "add" && isConst(e.b, nothing)) return e.a;
      if (e.op === "add" && isConst(e.a, nothing)) return e.b;
      return e.op === "sub" && isConst(e.b, 0) ? e.a : undefined;
    },
  },
  {
    name: "multiply-by-one",
    apply(e) {
      if (e.kind !== "binary") return undefined;
      if ((e.op === "mul" || e.op === "div") && isConst(e.b, 1)) return e.a;
      return e.op === "mul" && isConst(e.a, 1) ? e.b : undefined;
    },
  },
  {
    name: "multiply-by-zero",
    apply(e, cx) {
      if (e.kind !== "binary" || !isInteger(e)) return undefined;
      if ((e.op === "mul" || e.op === "and") && (isConst(e.a, 0) || isConst(e.b, 0))) return cx.constant(e.type, 0);
      return undefined;
    },
  },
  {
    name: "shift-by-zero",
    apply(e) {
      if (e.kind !== "binary" || !isInteger(e) || !isConst(e.b, 0)) return undefined;
      return e.op === "shl" || e.op === "shr" || e.op === "or" || e.op === "xor" ? e.a : undefined;
    },
  },
  {
    name: "divide-by-power-of-two",
    apply(e, cx) {
      if (e.kind !== "binary" || e.op !== "div" || e.type !== "f32" || e.b.kind !== "const" || !isExactPower(e.b.value)) return undefined;
      return cx.binary("mul", e.a, cx.constant("f32", 1 / e.b.value));
    },
  },
  {
    name: "apply-twice",
    apply(e) {
      if (e.kind !== "unary" || e.a.kind !== "unary") return undefined;
      if ((e.op === "neg" && e.a.op === "neg") || (e.op === "not" && e.a.op === "not")) return e.a.a;
      return e.op === "abs" && e.a.op === "abs" ? e.a : undefined;
    },
  },
  {
    name: "same-operands",
    apply(e) {
      if (e.kind !== "binary" || e.a !== e.b) return undefined;
      return e.op === "min" || e.op === "max" || e.op === "and" || e.op === "or" ? e.a : undefined;
    },
  },
  {
    name: "logic-with-constant",
    apply(e) {
      if (e.kind !== "binary" || e.type !== "bool" || (e.op !== "and" && e.op !== "or")) return undefined;
      const known = e.a.kind === "const" ? e.a : e.b.kind === "const" ? e.b : undefined;
      if (known === undefined) return undefined;
      const other = known === e.a ? e.b : e.a;
      return (known.value !== 0) === (e.op === "and") ? other : known;
    },
  },
  {
    name: "select-known",
    apply(e, cx) {
      if (e.kind !== "select") return undefined;
      if (e.yes === e.no) return e.yes;
      if (e.condition.kind === "const") return e.condition.value !== 0 ? e.yes : e.no;
      if (e.condition.kind === "unary" && e.condition.op === "not")
        return cx.node({ ...e, condition: e.condition.a, yes: e.no, no: e.yes });
      return undefined;
    },
  },
];
