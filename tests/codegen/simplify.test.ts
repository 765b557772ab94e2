// Simplification keeps values: every rule on its own example, and random expressions against direct evaluation.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import {
  binary,
  cast,
  constant,
  float,
  int,
  load,
  minus,
  over,
  plus,
  type ScalarExpr,
  select,
  times,
  uint,
  unary,
  variable,
} from "../../ir/scalar.ts";
import { createSimplifier, simplify, simplifyRules } from "../../ir/simplify.ts";
import { print } from "./support/print-scalar.ts";

const rem = (a: ScalarExpr, b: ScalarExpr) => binary("rem", a, b);
const min = (a: ScalarExpr, b: ScalarExpr) => binary("min", a, b);
const a = variable("a", 8);
const b = variable("b", 64);
const i = variable("i", 50176);
const x = load("f32", 0, { kind: "dense", scalar: "f32" }, a);
const truth = binary("lt", b, uint(9));
const anywhere = variable("anywhere", 2 ** 32);

/** Rule -> an expression on which it fires, and what becomes of that. */
const examples: Readonly<Record<string, readonly [ScalarExpr, string]>> = {
  "fold-binary": [plus(uint(0xffffffff), uint(3)), "2"],
  "fold-unary": [unary("neg", float(2)), "-2f"],
  "fold-cast": [cast("f32", int(-3)), "-3f"],
  "add-nothing": [plus(x, float(-0)), "b0[a]"],
  "multiply-by-one": [times(x, float(1)), "b0[a]"],
  "multiply-by-zero": [times(cast("i32", b), int(0)), "0i"],
  "shift-by-zero": [binary("shr", b, uint(0)), "b"],
  "divide-by-power-of-two": [over(x, float(8)), "(b0[a] mul 0.125f)"],
  "apply-twice": [unary("neg", unary("neg", x)), "b0[a]"],
  "same-operands": [min(b, b), "b"],
  "logic-with-constant": [binary("and", truth, constant("bool", 1)), "(b lt 9)"],
  "select-known": [select(constant("bool", 0), a, b), "b"],
  "collect-terms": [minus(plus(times(a, uint(3)), b), a), "((a mul 2) add b)"],
  "join-quotient-and-remainder": [plus(times(over(i, uint(784)), uint(784)), rem(i, uint(784))), "i"],
  "divide-within-range": [rem(b, uint(64)), "b"],
  "nested-division": [over(over(i, uint(10)), uint(7)), "(i div 70)"],
  "divide-sum": [over(plus(times(a, uint(64)), b), uint(64)), "a"],
  "divide-by-common-factor": [rem(plus(times(b, uint(4)), rem(a, uint(3))), uint(40)), "(((b rem 10) mul 4) add (a rem 3))"],
  "divide-minimum": [over(min(i, times(b, uint(8))), uint(8)), "((i div 8) min b)"],
  "minimum-within-range": [min(b, uint(63)), "b"],
  "compare-by-range": [binary("lt", b, uint(64)), "true"],
  "compare-by-common-factor": [binary("lt", plus(times(b, uint(4)), rem(a, uint(4))), uint(100)), "(b lt 25)"],
};

describe("rules", () => {
  test("every rule has an example", () => expect(Object.keys(examples).sort()).toEqual(simplifyRules.map((r) => r.name).sort()));
  for (const [name, [expression, expected]] of Object.entries(examples)) {
    test(name, () => {
      const applied = new Set<string>();
      expect(print(createSimplifier((rule) => applied.add(rule)).simplify(expression))).toBe(expected);
      expect(applied).toContain(name);
    });
  }
});

describe("what must stay", () => {
  const kept: readonly ScalarExpr[] = [
    plus(x, float(0)),
    times(x, float(0)),
    plus(plus(x, float(1)), float(2)),
    minus(x, x),
    over(x, float(3)),
    binary("eq", x, x),
    // May wrap: (a * 2^30 + b) / 2^30 is not a.
    over(plus(times(anywhere, uint(4)), b), uint(4)),
    rem(plus(times(anywhere, uint(3)), a), uint(3)),
    binary("lt", times(anywhere, uint(4)), uint(8)),
    rem(plus(times(b, uint(4)), a), uint(40)),
  ];
  for (const e of kept) test(print(e), () => expect(print(simplify(e))).toBe(print(e)));
});

test("equal expressions become one node", () => {
  const simplifier = createSimplifier();
  const first = simplifier.simplify(plus(times(a, uint(4)), b));
  expect(simplifier.simplify(plus(b, plus(times(a, uint(2)), times(a, uint(2)))))).toBe(first);
});

test("substitute replaces by name and index", () => {
  const { substitute } = createSimplifier();
  const replaced = substitute(plus(times(a, uint(4)), { kind: "input", type: "u32", index: 0 }), { a: over(b, uint(8)) }, [uint(5)]);
  expect(print(replaced)).toBe("(((b div 8) mul 4) add 5)");
});

describe("random expressions", () => {
  const bounds = { p: 1, q: 4, r: 7, s: 64, t: 784, u: 2 ** 32 };
  const constants = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 3, 4, 7, 8, 10, 28, 32, 64, 196, 784) },
    { weight: 1, arbitrary: fc.nat(0xffffffff) },
  );
  const leaf = fc.oneof(
    constants.map(uint),
    fc.constantFrom(...Object.entries(bounds)).map(([name, bound]) => variable(name, bound)),
  );
  const { index } = fc.letrec<{ index: ScalarExpr; condition: ScalarExpr }>((tie) => ({
    index: fc.oneof(
      { maxDepth: 6, depthIdentifier: "index" },
      leaf,
      fc.tuple(tie("index"), tie("index")).map(([l, r]) => plus(l, r)),
      fc.tuple(tie("index"), tie("index")).map(([l, r]) => minus(l, r)),
      fc.tuple(tie("index"), constants).map(([l, c]) => times(l, uint(c))),
      fc.tuple(tie("index"), constants).map(([l, c]) => over(l, uint(Math.max(1, c)))),
      fc.tuple(tie("index"), constants).map(([l, c]) => rem(l, uint(Math.max(1, c)))),
      fc.tuple(tie("index"), tie("index")).map(([l, r]) => min(l, r)),
      fc.tuple(tie("index"), tie("index")).map(([l, r]) => binary("max", l, r)),
      fc.tuple(tie("index"), fc.nat(31)).map(([l, c]) => binary("shl", l, uint(c))),
      fc.tuple(tie("index"), fc.nat(31)).map(([l, c]) => binary("shr", l, uint(c))),
      fc
        .tuple(tie("index"), constants, fc.constantFrom("and" as const, "or" as const, "xor" as const))
        .map(([l, c, op]) => binary(op, l, uint(c))),
      fc.tuple(tie("condition"), tie("index"), tie("index")).map(([c, l, r]) => select(c, l, r)),
      // How positions are made: digits of a number, and their sum again.
      fc
        .tuple(tie("index"), fc.constantFrom(2, 4, 7, 28), fc.constantFrom(2, 3, 28))
        .map(([l, n, m]) => plus(times(rem(over(l, uint(n)), uint(m)), uint(n)), rem(l, uint(n)))),
    ),
    condition: fc.oneof(
      { maxDepth: 6, depthIdentifier: "index" },
      fc
        .tuple(
          tie("index"),
          constants,
          fc.constantFrom("lt" as const, "le" as const, "gt" as const, "ge" as const, "eq" as const, "ne" as const),
        )
        .map(([l, c, op]) => binary(op, l, uint(c))),
      fc.tuple(tie("condition"), tie("condition")).map(([l, r]) => binary("and", l, r)),
      tie("condition").map((c) => unary("not", c)),
    ),
  }));
  const samples = fc.array(
    fc.record({ p: fc.constant(0), q: fc.nat(3), r: fc.nat(6), s: fc.nat(63), t: fc.nat(783), u: fc.nat(0xffffffff) }),
    { minLength: 8, maxLength: 8 },
  );

  test("have the values that they had", () => {
    fc.assert(
      fc.property(index, samples, (expression, points) => {
        const variables = Object.fromEntries(
          Object.keys(bounds).map((name) => [name, Uint32Array.from(points, (p) => p[name as keyof typeof p])]),
        );
        const [before] = evaluateScalars([expression], points.length, "f32", { variables });
        const [after] = evaluateScalars([simplify(expression)], points.length, "f32", { variables });
        expect(Array.from(after ?? []), `${print(expression)}\n${print(simplify(expression))}`).toEqual(Array.from(before ?? []));
      }),
      { numRuns: 4000 },
    );
  });

  test("lie in the ranges that they are said to have", () => {
    fc.assert(
      fc.property(index, samples, (expression, points) => {
        const simplifier = createSimplifier();
        const { lo, hi, multiple } = simplifier.rangeOf(simplifier.simplify(expression));
        const variables = Object.fromEntries(
          Object.keys(bounds).map((name) => [name, Uint32Array.from(points, (p) => p[name as keyof typeof p])]),
        );
        const [values = new Uint32Array()] = evaluateScalars([expression], points.length, "f32", { variables });
        for (const value of values) {
          expect(value).toBeGreaterThanOrEqual(lo);
          expect(value).toBeLessThanOrEqual(hi);
          if (multiple === 0) expect(value).toBe(0);
          else expect(value % multiple).toBe(0);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
