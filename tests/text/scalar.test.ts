// Scalar expressions as plan text: what is printed reads back to the same DAG, sharing included.
import fc from "fast-check";
import { expect, test } from "vitest";
import { portable } from "../../compiler/driver/targets.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { KernelPlan, PointwiseProblem } from "../../ir/plan.ts";
import {
  binary,
  cast,
  childrenOf,
  constant,
  input,
  keptAmongFour,
  load,
  type ScalarExpr,
  type ScalarType,
  type Storage,
  select,
  uint,
  unary,
  variable,
} from "../../ir/scalar.ts";
import { parsePlan } from "../../ir/text/parse-plan.ts";
import { printPlan } from "../../ir/text/print-plan.ts";

const storages: readonly Storage[] = [
  { kind: "dense", scalar: "f32" },
  { kind: "dense", scalar: "i32" },
  { kind: "packed", bits: 4, layout: "linear", pitch: 16, signed: true },
  { kind: "packed", bits: 1, layout: "linear", pitch: 4, signed: false },
  { kind: "packed", bits: 3, layout: "planes", pitch: 12, signed: true },
];
const floats = [0, 1, -1.5, 1e-8, -0, 0.1, 3e38, Infinity, -Infinity, Number.NaN];

/** A DAG from a list of numbers: each makes one node out of earlier ones. */
function dagOf(numbers: readonly number[]): readonly ScalarExpr[] {
  const nodes: ScalarExpr[] = [
    uint(3),
    constant("f32", 2),
    constant("i32", -7),
    constant("bool", 1),
    variable("c0", 8),
    variable("c1", 32),
    variable("k", 5),
    input(0, "f32"),
    input(1, "i32"),
  ];
  for (const n of numbers) {
    const pick = (type: ScalarType, salt: number): ScalarExpr => {
      const of = nodes.filter((e) => e.type === type);
      return of[(n * (salt + 3)) % of.length] ?? uint(0);
    };
    const type = (["f32", "i32", "u32"] as const)[n % 3] ?? "f32";
    const [a, b] = [pick(type, 1), pick(type, 2)];
    const u = (salt: number) => pick("u32", salt);
    const make: readonly (() => ScalarExpr)[] = [
      () => binary("add", a, b),
      () => binary("sub", a, b),
      () => binary("mul", a, b),
      () => binary("div", a, b),
      () => binary("max", a, b),
      () => binary("le", a, b),
      () => unary("neg", a),
      () => unary("sqrt", pick("f32", 1)),
      () => cast(type === "f32" ? "i32" : "f32", a),
      () => select(pick("bool", 3), a, b),
      () => binary("shl", u(1), u(2)),
      () => load("f32", 0, storages[0]!, u(1)),
      () => load("i32", 1, storages[1]!, u(1)),
      () => load("i32", 2, storages[2]!, u(1), u(2)),
      () => load("bool", 3, storages[3]!, u(1), u(2)),
      () => load("u32", 4, storages[4]!, u(1), u(2)),
      () => binary("or", pick("bool", 1), pick("bool", 2)),
      () => constant("f32", floats[n % floats.length] ?? 0),
      () => constant("i32", (n % 9) - 4),
      () => binary("rem", u(1), u(2)),
      () => keptAmongFour(n % 2 === 0 ? 2 : 1, pick("f32", 2)),
    ];
    nodes.push(make[Math.floor(n / 7) % make.length]?.() ?? a);
  }
  return nodes;
}

const planOf = (problem: PointwiseProblem): KernelPlan => ({
  target: portable,
  entries: [
    {
      name: "main",
      buffers: [],
      inputs: [],
      outputs: [],
      constants: [],
      dispatches: [{ problem, schedule: { kind: "pointwise", width: 1, perLane: 1, workgroup: 64 }, bind: [], serves: [] }],
    },
  ],
});

/** Nodes with operands, each counted once. */
function innerNodes(roots: readonly ScalarExpr[]): number {
  const seen = new Set<ScalarExpr>();
  const visit = (e: ScalarExpr) => {
    if (seen.has(e) || childrenOf(e).length === 0) return;
    seen.add(e);
    for (const child of childrenOf(e)) visit(child);
  };
  for (const root of roots) visit(root);
  return seen.size;
}

test("random DAGs read back equal, with the same sharing", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 40 }), (numbers) => {
      const nodes = dagOf(numbers);
      const last = nodes.at(-1)!;
      const index = nodes.findLast((e) => e.type === "u32")!;
      const stores = [last, nodes.at(-2)!].map((value, binding) => ({
        binding,
        storage: storages[binding * 2]!,
        row: binding === 0 ? uint(0) : index,
        column: index,
        value,
      }));
      const problem: PointwiseProblem = { kind: "pointwise", shape: [8, 32], stores };
      const text = printPlan(planOf(problem));
      const plan = unwrap(parsePlan({ path: "a.plan", text }));
      expect(printPlan(plan)).toBe(text);
      const again = plan.entries[0]!.dispatches[0]!.problem;
      const roots = (p: { readonly stores: typeof stores | typeof again.stores }) =>
        p.stores.flatMap(({ row, column, value }) => [row, column, value]);
      expect(innerNodes(roots(again))).toBe(innerNodes(roots(problem)));
      expect(again).toEqual(problem);
    }),
    { numRuns: 1000, seed: 4 },
  );
});
