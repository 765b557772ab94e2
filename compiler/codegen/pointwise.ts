// Pointwise kernels: every element on its own, one or four at a time; where codes or truth values are stored, a lane makes whole words.
import type { PointwiseProblem, Schedule, Target } from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint } from "../../ir/scalar.ts";
import { Emitter, quad } from "./emitter.ts";
import { dependsOn } from "./extract.ts";
import { coordinatesOf, finishKernel, foldGroups, type Kernel, labelOf, linearGroup, product, type Triple } from "./kernel.ts";
import { halfAndDouble } from "./schedule-steps.ts";
import {
  elementsPerWord,
  isPacked,
  type PackedStore,
  packQuad,
  paddedColumns,
  prepareStore,
  storeElement,
  storeQuad,
  wordsPerElement,
} from "./store.ts";
import { add, bitAnd, div, type E, eq, fromZero, lt, min, mul, rem, shiftLeft, size, splat, u32, type Var, Wgsl } from "./wgsl.ts";

export type PointwiseSchedule = Extract<Schedule, { kind: "pointwise" }>;

/** Why a schedule does not fit, or undefined. */
export function refusePointwise(problem: PointwiseProblem, schedule: PointwiseSchedule, target: Target): string | undefined {
  const { width, perLane, workgroup } = schedule;
  if (workgroup > target.limits.maxComputeInvocationsPerWorkgroup)
    return `${workgroup} lanes a workgroup, the adapter takes ${target.limits.maxComputeInvocationsPerWorkgroup}`;
  // Schedules also come from files.
  if (![1, 4].includes(width)) return `${width} elements at a time: it must be 1 or 4`;
  if (perLane < 1 || workgroup < 1) return "a lane must have work";
  const packed = problem.stores.filter(isPacked);
  if (packed.length > 0) {
    if (problem.where !== undefined) return "packed results are stored whole";
    if (width !== 4) return "packed results are made four elements at a time: width must be 4";
    return packed.map((store) => refusePackedStore(problem, store)).find((reason) => reason !== undefined);
  }
  const total = product(problem.shape);
  const { where } = problem;
  const last = problem.shape.length - 1;
  if (width === 4 && where !== undefined && ((problem.shape[last] ?? 1) % 4 !== 0 || dependsOn(where, `c${last}`)))
    return "which elements are stored may differ between four neighbours";
  if (width === 4 && total % 4 !== 0) return `${total} elements are not a multiple of 4`;
  return undefined;
}

/** Vectors or single elements, and one step along the others. */
export const neighboursOfPointwise = (schedule: PointwiseSchedule): readonly PointwiseSchedule[] => [
  { ...schedule, width: schedule.width === 4 ? 1 : 4 },
  ...halfAndDouble(schedule.perLane).map((perLane) => ({ ...schedule, perLane })),
  ...halfAndDouble(schedule.workgroup).map((workgroup) => ({ ...schedule, workgroup })),
];

function refusePackedStore(problem: PointwiseProblem, { column, row }: PackedStore): string | undefined {
  const last = `c${problem.shape.length - 1}`;
  if (problem.shape.length === 0) return undefined;
  const alone = problem.shape.at(-1) === 1 && column.kind === "const";
  if (!alone && (column.kind !== "variable" || column.name !== last)) return `a packed result must run along the last axis ${last}`;
  return dependsOn(row, last) ? `the row of a packed result depends on the last axis ${last}` : undefined;
}

export function emitPointwise(
  problem: PointwiseProblem,
  schedule: PointwiseSchedule,
  target: Target,
  serves: readonly string[] = [],
): Kernel {
  const refusal = refusePointwise(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`pointwise: ${refusal}`);
  return problem.stores.some(isPacked) ? emitPacked(problem, schedule, target, serves) : emitDense(problem, schedule, target, serves);
}

/** Run `body` for every item that this lane has: `perLane` items, a workgroup apart, of `count` in all. */
function forEachItem(
  emitter: Emitter,
  count: number,
  { perLane, workgroup }: PointwiseSchedule,
  groups: Triple,
  body: (item: ScalarExpr) => void,
): void {
  const { wgsl } = emitter;
  const begin = wgsl.let("begin", mul(linearGroup(wgsl, groups), u32(workgroup * perLane)));
  const first = wgsl.let("first", add(begin, wgsl.builtin("local")));
  if (perLane === 1) {
    wgsl.when(lt(first, size(count)), () => body(emitter.variable("item", count, first)));
    return;
  }
  // The trip count is not written as a constant, so that the drivers do not unroll the loads.
  const end = wgsl.let("end", min(add(begin, u32(workgroup * perLane)), size(count)));
  wgsl.loop("item", first, end, u32(workgroup), (item) => body(emitter.variable("item", count, item)));
}

function emitDense(problem: PointwiseProblem, schedule: PointwiseSchedule, target: Target, serves: readonly string[]): Kernel {
  const wgsl = new Wgsl();
  const emitter = new Emitter(wgsl);
  const { width, perLane, workgroup } = schedule;
  const items = product(problem.shape) / width;
  const groups = foldGroups(Math.ceil(items / (workgroup * perLane)), target);
  forEachItem(emitter, items, schedule, groups, (item) => {
    const coordinates = coordinatesOf("c", problem.shape, width === 4 ? plus(times(item, uint(4)), quad) : item);
    const prepared = problem.stores.map((store) => prepareStore(emitter, store, coordinates));
    const where = problem.where === undefined ? undefined : emitter.prepare(problem.where, coordinates);
    const writes: (() => void)[] = [];
    // Every load before the first store: results may lie where operands were.
    for (const [i, p] of prepared.entries())
      wgsl.serving(labelOf(serves, i), () => writes.push(width === 4 ? storeQuad(emitter, p) : storeElement(emitter, p)));
    const store = () => {
      for (const [i, write] of writes.entries()) wgsl.serving(labelOf(serves, i), write);
    };
    if (where === undefined) store();
    else wgsl.when(emitter.scalar(where, "bool"), store);
  });
  return finishKernel(wgsl, problem, target, {
    title: `pointwise, width ${width}, ${perLane} a lane`,
    workgroup: [workgroup, 1, 1],
    groups,
  });
}

/** A lane makes the words of `unit` consecutive columns of one row, the padding of the row included. */
function emitPacked(problem: PointwiseProblem, schedule: PointwiseSchedule, target: Target, serves: readonly string[]): Kernel {
  const wgsl = new Wgsl();
  const emitter = new Emitter(wgsl);
  const shape = problem.shape.length === 0 ? [1] : problem.shape;
  const outer = shape.slice(0, -1);
  const columns = shape.at(-1) ?? 1;
  const packed = problem.stores.filter(isPacked);
  const unit = Math.max(...packed.map(({ storage }) => elementsPerWord(storage)));
  const units = Math.ceil(Math.max(columns, ...packed.map(({ storage }) => paddedColumns(storage))) / unit);
  const items = product(outer) * units;
  const groups = foldGroups(Math.ceil(items / (schedule.workgroup * schedule.perLane)), target);

  forEachItem(emitter, items, schedule, groups, (item) => {
    const itemOf = emitter.scalar(item, "u32");
    const rowValue = wgsl.let("row", div(itemOf, size(units)));
    const unitValue = wgsl.let("unit", rem(itemOf, size(units)));
    const row = emitter.variable("row", Math.max(1, product(outer)), rowValue);
    const rowCoordinates = coordinatesOf("c", outer, row);
    const begun = problem.stores.map((store) => {
      if (!isPacked(store)) return undefined;
      const words: Var<"u32">[] = Array.from({ length: wordsPerElement(store.storage) }, () => wgsl.zero("word", "u32"));
      const start = wgsl.let("start", mul(emitter.scalar(emitter.prepare(store.row, rowCoordinates), "u32"), size(store.storage.pitch)));
      return { words, start };
    });
    const flush = (index: number, at: E<"u32">): void => {
      const store = problem.stores[index];
      const state = begun[index];
      if (store === undefined || !isPacked(store) || state === undefined) return;
      const perPlane = store.storage.layout === "planes" ? store.storage.pitch / store.storage.bits : store.storage.pitch;
      wgsl.when(lt(at, size(perPlane)), () => {
        for (const [plane, word] of state.words.entries()) {
          const place = add(state.start, at);
          wgsl.write(store.binding, "u32", plane === 0 ? place : add(place, size(plane * perPlane)), word);
        }
      });
    };
    wgsl.loop("chunk", u32(0), size(unit / 4), u32(1), (chunk) => {
      const first = wgsl.let("column", add(mul(unitValue, u32(unit)), mul(chunk, u32(4))));
      wgsl.when(lt(first, size(columns)), () => {
        // Below the number of columns here, so the quads of a row whose length divides by 4 lie inside it.
        const quads = emitter.variable("quads", Math.ceil(columns / 4), wgsl.let("quads", div(first, u32(4))));
        const column = plus(times(quads, uint(4)), quad);
        const variables = { ...rowCoordinates, [`c${outer.length}`]: column };
        const within = columns % 4 === 0 ? undefined : { first, below: size(columns) };
        const kept = within === undefined ? undefined : lt<"vec4u">(add(splat<"u32">(first), fromZero), splat(size(columns)));
        const prepared = problem.stores.map((store) => prepareStore(emitter, store, variables));
        const writes: (() => void)[] = [];
        for (const [i, p] of prepared.entries()) {
          wgsl.serving(labelOf(serves, i), () => {
            const { store } = p;
            const state = begun[i];
            if (!isPacked(store) || state === undefined) {
              writes.push(storeQuad(emitter, p, within));
              return;
            }
            const step = store.storage.layout === "planes" ? 1 : store.storage.bits;
            const shift = wgsl.let("shift", bitAnd(step === 1 ? first : mul(first, u32(step)), u32(31)));
            for (const [plane, bits] of packQuad(emitter, p, store.storage, kept).entries()) {
              const word = state.words[plane];
              if (word !== undefined) wgsl.orInto(word, shiftLeft(bits, shift));
            }
          });
        }
        for (const [i, write] of writes.entries()) wgsl.serving(labelOf(serves, i), write);
      });
      // Words narrower than the unit are complete before its end.
      for (const [i, store] of problem.stores.entries()) {
        if (!isPacked(store) || elementsPerWord(store.storage) === unit) continue;
        const perWord = elementsPerWord(store.storage);
        const flushNow = () => {
          flush(i, div(first, u32(perWord)));
          for (const word of begun[i]?.words ?? []) wgsl.assign(word, u32(0));
        };
        wgsl.serving(labelOf(serves, i), () =>
          perWord === 4 ? flushNow() : wgsl.when(eq(bitAnd(first, u32(perWord - 1)), u32(perWord - 4)), flushNow),
        );
      }
    });
    for (const [i, store] of problem.stores.entries()) {
      if (isPacked(store) && elementsPerWord(store.storage) === unit) wgsl.serving(labelOf(serves, i), () => flush(i, unitValue));
    }
  });
  return finishKernel(wgsl, problem, target, {
    title: `pointwise, packed results, ${schedule.perLane} a lane`,
    workgroup: [schedule.workgroup, 1, 1],
    groups,
  });
}
