// Reductions: one lane an output, or several lanes with a tree of exchanges at the end. The order of additions is fixed by the schedule.
import type { ReduceProblem, Schedule, Target } from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint, variable } from "../../ir/scalar.ts";
import { Accumulator, positionsAt } from "./accumulator.ts";
import { Emitter, quad } from "./emitter.ts";
import { subgroupExchange, workgroupExchange } from "./exchange.ts";
import { coordinatesOf, finishKernel, foldGroups, type Kernel, labelOf, linearGroup, product } from "./kernel.ts";
import { loadSites } from "./load-sites.ts";
import { halfAndDouble } from "./schedule-steps.ts";
import { isPacked, prepareStore, storeElement, storeQuad } from "./store.ts";
import { add, and, bitAnd, eq, lt, min, mul, shiftRight, size, u32, Wgsl } from "./wgsl.ts";

export type ReduceSchedule = Extract<Schedule, { kind: "reduce" }>;

/** Which four elements a lane takes at once: neighbours along the reduced axes, neighbouring outputs, or single elements. */
export type ReduceVector = "reduced" | "outputs" | "none";

/** Why a schedule does not fit, or undefined. */
export function refuseReduce(problem: ReduceProblem, schedule: ReduceSchedule, target: Target): string | undefined {
  const { lanes, workgroup } = schedule;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = target.limits;
  if (workgroup > maxComputeInvocationsPerWorkgroup)
    return `${workgroup} lanes a workgroup, the adapter takes ${maxComputeInvocationsPerWorkgroup}`;
  if (!isPowerOfTwo(lanes) || lanes > workgroup || workgroup % lanes !== 0)
    return `${lanes} lanes an output in a workgroup of ${workgroup}: lanes must be a power of two that divides the workgroup`;
  if (problem.stores.some(isPacked)) return "a reduction cannot store packed results";
  if (lanes > 1 && !usesSubgroups(schedule, target)) {
    // Two halves of 16 bytes a lane, for values and, with argmax, for positions.
    const bytes = workgroup * 32 * (problem.accumulators.some((a) => a.combine === "argmax") ? 2 : 1);
    if (bytes > maxComputeWorkgroupStorageSize)
      return `${bytes} bytes of workgroup memory, the adapter has ${maxComputeWorkgroupStorageSize}`;
  }
  return undefined;
}

/** More or fewer lanes an output in the same workgroup, or with it; teams that are one subgroup, which alone exchange by shuffles; lone lanes. */
export function neighboursOfReduce(schedule: ReduceSchedule, _problem: ReduceProblem, target: Target): readonly ReduceSchedule[] {
  const { lanes, workgroup } = schedule;
  const team = target.subgroups === "none" ? [] : [{ ...schedule, lanes: target.subgroupSize, workgroup: target.subgroupSize }];
  return [
    ...halfAndDouble(lanes).map((n) => ({ ...schedule, lanes: n })),
    ...halfAndDouble(workgroup).map((n) => ({ ...schedule, workgroup: n })),
    ...halfAndDouble(lanes).flatMap((n) => (lanes === workgroup ? [{ ...schedule, lanes: n, workgroup: n }] : [])),
    ...team,
    { ...schedule, lanes: 1 },
  ];
}

/** A workgroup that is one subgroup exchanges by shuffles; every other one through workgroup memory. */
const usesSubgroups = ({ lanes, workgroup }: ReduceSchedule, target: Target): boolean =>
  lanes > 1 && target.subgroups !== "none" && workgroup === target.subgroupSize;

const isPowerOfTwo = (x: number): boolean => x >= 1 && Number.isInteger(Math.log2(x));

/** The way to take elements that needs the fewest load instructions. */
export function reduceVector(problem: ReduceProblem): ReduceVector {
  const outputs = product(problem.shape);
  const reduced = product(problem.reduced);
  const elements = problem.accumulators.map((a) => a.element);
  const sites = (outer: ScalarExpr, inner: ScalarExpr) =>
    loadSites(elements, { ...coordinatesOf("c", problem.shape, outer), ...coordinatesOf("r", problem.reduced, inner) });
  const o = variable("o", outputs);
  const r = variable("r", reduced);
  const costs: { readonly kind: ReduceVector; readonly cost: number }[] = [{ kind: "none", cost: 4 * sites(o, r) }];
  if (reduced % 4 === 0) costs.push({ kind: "reduced", cost: sites(o, plus(times(variable("r", reduced / 4), uint(4)), quad)) });
  if (outputs % 4 === 0) costs.push({ kind: "outputs", cost: sites(plus(times(variable("o", outputs / 4), uint(4)), quad), r) });
  return costs.reduce((best, c) => (c.cost < best.cost ? c : best)).kind;
}

export function emitReduce(problem: ReduceProblem, schedule: ReduceSchedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseReduce(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`reduce: ${refusal}`);
  const wgsl = new Wgsl(target.subgroupSize);
  const emitter = new Emitter(wgsl);
  const { lanes, workgroup } = schedule;
  const way = reduceVector(problem);
  const outputs = product(problem.shape) / (way === "outputs" ? 4 : 1);
  const steps = product(problem.reduced) / (way === "reduced" ? 4 : 1);
  const teams = workgroup / lanes;
  const groups = foldGroups(Math.ceil(outputs / teams), target);

  const exchange = lanes === 1 ? undefined : usesSubgroups(schedule, target) ? subgroupExchange(wgsl) : workgroupExchange(wgsl, workgroup);
  const lane = exchange?.lane ?? wgsl.builtin("local");
  const team = lanes === 1 ? lane : teams === 1 ? undefined : shiftRight(lane, u32(Math.log2(lanes)));
  const group = linearGroup(wgsl, groups);
  const output = wgsl.let("output", team === undefined ? group : add(teams === 1 ? group : mul(group, u32(teams)), team));
  const member = lanes === 1 ? u32(0) : teams === 1 ? lane : wgsl.let("member", bitAnd(lane, u32(lanes - 1)));
  // Lanes without an output work on the last one: nobody may leave before the exchanges.
  const clamped = wgsl.let("clamped", min(output, size(outputs - 1)));
  const outer = emitter.variable("output", outputs, clamped);
  const outerCoordinates = coordinatesOf("c", problem.shape, way === "outputs" ? plus(times(outer, uint(4)), quad) : outer);

  const accumulators = problem.accumulators.map(({ combine, element }) => new Accumulator(wgsl, combine, element.type, way !== "none"));
  wgsl.loop("step", member, size(steps), u32(lanes), (stepValue) => {
    const step = emitter.variable("step", steps, stepValue);
    const variables = {
      ...outerCoordinates,
      ...coordinatesOf("r", problem.reduced, way === "reduced" ? plus(times(step, uint(4)), quad) : step),
    };
    const elements = problem.accumulators.map(({ element }) => emitter.prepare(element, variables));
    for (const [i, element] of elements.entries()) {
      const value = way === "none" ? emitter.scalar(element, element.type) : emitter.vector(element, element.type);
      const positions =
        way === "none"
          ? positionsAt(stepValue, "one")
          : way === "outputs"
            ? positionsAt(stepValue, "four together")
            : positionsAt(mul(stepValue, u32(4)), "four consecutive");
      accumulators[i]?.take(value, positions);
    }
  });

  const results = accumulators.map((accumulator) => emitter.register(accumulator.finish(way === "reduced", exchange, lanes)));
  const mine = lanes === 1 ? lt(output, size(outputs)) : and(lt(output, size(outputs)), eq(member, u32(0)));
  wgsl.when(mine, () => {
    const prepared = problem.stores.map((store) => prepareStore(emitter, store, outerCoordinates, results));
    const writes: (() => void)[] = [];
    for (const [i, p] of prepared.entries())
      wgsl.serving(labelOf(serves, i), () => writes.push(way === "outputs" ? storeQuad(emitter, p) : storeElement(emitter, p)));
    for (const [i, write] of writes.entries()) wgsl.serving(labelOf(serves, i), write);
  });
  return finishKernel(wgsl, problem, target, {
    title: `reduce, ${lanes} lanes an output, vectors along ${way}`,
    workgroup: [workgroup, 1, 1],
    groups,
  });
}
