// The least memory that any plan of some dispatches could take, found without the planner: live bytes at each moment, and in-place results
// wherever evaluating every address shows that they are right.
import { axisNames, coordinateLeaves } from "../../ir/coordinates.ts";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import type { Module } from "../../ir/module.ts";
import { bufferBytes } from "../../ir/packing.ts";
import type { KernelPlan, PlanEntry, Problem, Store } from "../../ir/plan.ts";
import { childrenOf, type ScalarExpr } from "../../ir/scalar.ts";
import { elementCount } from "../../ir/type.ts";

/** `plan`: before anything has a place. Bytes as buffers hold them, without alignment. */
export function leastBytes(plan: KernelPlan, module: Module): number {
  const states = module.states.reduce((sum, { type }) => sum + bufferBytes(type), 0);
  const own = new Map<string, number>();
  for (const entry of plan.entries) {
    for (const { name, bytes, role } of entry.buffers) {
      if (role.kind === "host") own.set("host", Math.max(own.get("host") ?? 0, bytes));
      if (role.kind === "constant") own.set(`${entry.name} ${name}`, bytes);
    }
  }
  const fixed = [...own.values()].reduce((sum, bytes) => sum + bytes, states);
  return fixed + Math.max(0, ...plan.entries.map((entry) => fullestDispatch(entry, parametersInOrder(module))));
}

/** The order in which parameters and their gradients lie: those that decay first. */
const parametersInOrder = ({ states }: Module): readonly string[] => {
  const parameters = states.filter((s) => s.role === "parameter");
  return [...parameters.filter((s) => s.decay), ...parameters.filter((s) => !s.decay)].map((s) => s.name);
};

function fullestDispatch(entry: PlanEntry, order: readonly string[]): number {
  const bytes = new Map(entry.buffers.map((b) => [b.name, b.bytes]));
  const gradientOf = new Map(entry.buffers.flatMap((b) => (b.role.kind === "gradient" ? [[b.role.state, b.name] as const] : [])));
  const stateOf = new Map([...gradientOf].map(([state, name]) => [name, state]));
  const moving = new Set(entry.buffers.filter((b) => b.role.kind === "temporary" || b.role.kind === "gradient").map((b) => b.name));
  /** What a dispatch touches: of a range of gradients all from the first to the last. */
  const touched = entry.dispatches.map(({ bind }) =>
    bind.flatMap(({ buffer, through }) => {
      const [first, last] = [stateOf.get(buffer), through === undefined ? undefined : stateOf.get(through)];
      if (first === undefined || last === undefined) return [buffer];
      return order.slice(order.indexOf(first), order.indexOf(last) + 1).flatMap((state) => gradientOf.get(state) ?? []);
    }),
  );
  const end = entry.dispatches.length;
  const lastUse = new Map<string, number>();
  for (const [i, names] of touched.entries()) for (const name of names) lastUse.set(name, i);
  for (const { buffer } of entry.outputs) lastUse.set(buffer, end);

  const live = new Set(entry.inputs.map((p) => p.buffer).filter((name) => moving.has(name)));
  const sum = (names: Iterable<string>): number => [...names].reduce((total, name) => total + (bytes.get(name) ?? 0), 0);
  let most = sum(live);
  for (const [i, { bind, problem }] of entry.dispatches.entries()) {
    const born = bind.flatMap(({ buffer }, binding) => (moving.has(buffer) && !live.has(buffer) ? [{ buffer, binding }] : []));
    const dying = bind.flatMap(({ buffer, access, through }, binding) =>
      live.has(buffer) && access === "read" && through === undefined && lastUse.get(buffer) === i && stateOf.get(buffer) === undefined
        ? [{ buffer, binding }]
        : [],
    );
    const pairs = born.flatMap((result) =>
      dying
        .filter(
          (operand) => bytes.get(operand.buffer) === bytes.get(result.buffer) && isInPlaceRight(problem, result.binding, operand.binding),
        )
        .map((operand) => ({ result: result.buffer, operand: operand.buffer })),
    );
    for (const { buffer } of born) live.add(buffer);
    most = Math.max(most, sum(live) - mostSaved(pairs, bytes));
    for (const name of [...live]) if ((lastUse.get(name) ?? i) <= i) live.delete(name);
  }
  return most;
}

interface Pair {
  readonly result: string;
  readonly operand: string;
}

/** Try every choice of pairs. */
function mostSaved(pairs: readonly Pair[], bytes: ReadonlyMap<string, number>): number {
  const [pair, ...rest] = pairs;
  if (pair === undefined) return 0;
  const without = rest.filter((p) => p.result !== pair.result && p.operand !== pair.operand);
  return Math.max(mostSaved(rest, bytes), (bytes.get(pair.result) ?? 0) + mostSaved(without, bytes));
}

const answers = new WeakMap<Problem, Map<string, boolean>>();

/** Whether each element of the result is stored by the one evaluation that loads that element of the operand, and by no other. */
function isInPlaceRight(problem: Problem, result: number, operand: number): boolean {
  const known = answers.get(problem) ?? new Map<string, boolean>();
  answers.set(problem, known);
  const key = `${result} ${operand}`;
  const answer = known.get(key) ?? evaluateInPlace(problem, result, operand);
  known.set(key, answer);
  return answer;
}

function evaluateInPlace(problem: Problem, result: number, operand: number): boolean {
  const { points, own, others, stores } = takenApart(problem);
  // What rounds to codes is one kernel text in every entry, wherever its operands lie.
  if (stores.some((s) => s.storage.kind === "packed" && s.storage.signed)) return false;
  const [store, ...more] = stores.filter((s) => s.binding === result);
  if (store === undefined || more.length > 0 || store.storage.kind !== "dense") return false;
  if (loads(others).some((l) => l.binding === operand || l.binding === result)) return false;
  const found = loads(own).filter((l) => l.binding === operand);
  if (found.some((l) => l.storage.kind !== "dense") || loads(own).some((l) => l.binding === result)) return false;
  const count = elementCount(points.shape);
  const columns = [store.column, ...found.map((l) => l.column)];
  const variables = coordinateLeaves(points.names, points.shape);
  const [stored, ...loaded] = evaluateScalars(columns, count, "f32", {
    variables,
    load: () => {
      throw new Error("an address that is loaded");
    },
  });
  return stored !== undefined && loaded.every((column) => column.every((at, i) => at === stored[i])) && new Set(stored).size === count;
}

/** A problem's evaluations by themselves: over which points stores are evaluated, and what belongs to the stored element alone. */
function takenApart(problem: Problem): {
  readonly points: { readonly names: readonly string[]; readonly shape: readonly number[] };
  readonly own: readonly ScalarExpr[];
  readonly others: readonly ScalarExpr[];
  readonly stores: readonly Store[];
} {
  const own = problem.stores.map((s) => s.value);
  const { stores } = problem;
  switch (problem.kind) {
    case "pointwise":
      return { points: { names: axisNames("c", problem.shape), shape: problem.shape }, own, others: [], stores };
    case "reduce":
      return {
        points: { names: axisNames("c", problem.shape), shape: problem.shape },
        own,
        others: problem.accumulators.map((a) => a.element),
        stores,
      };
    case "dot":
      return {
        points: { names: [...axisNames("z", problem.batch), "m", "n"], shape: [...problem.batch, problem.m, problem.n] },
        own,
        others: [problem.a.element, problem.b.element],
        stores,
      };
    case "rows":
      return {
        points: { names: ["row", "column"], shape: [problem.rows, problem.columns] },
        own: [...own, problem.element],
        others: [...(problem.perRow === undefined ? [] : [problem.perRow]), ...problem.rowStores.map((s) => s.value)],
        stores,
      };
    case "attention":
      // Lanes share what they load: nothing of it may be written over.
      return { points: { names: [], shape: [] }, own: [], others: [], stores: [] };
    default:
      return problem satisfies never;
  }
}

type Load = Extract<ScalarExpr, { kind: "load" }>;

function loads(roots: readonly ScalarExpr[], seen = new Set<ScalarExpr>()): readonly Load[] {
  return roots.flatMap((e) => {
    if (seen.has(e)) return [];
    seen.add(e);
    return [...(e.kind === "load" ? [e] : []), ...loads(childrenOf(e), seen)];
  });
}
