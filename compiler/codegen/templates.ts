// All kernel templates behind one door: a problem and a schedule to a kernel, or why not.
import type { Problem, Schedule, Store, Target } from "../../ir/plan.ts";
import { storesOf } from "../../ir/problem.ts";
import { loadedAs } from "../../ir/scalar.ts";
import { emitAttention } from "./attention.ts";
import { refuseAttention } from "./attention-schedule.ts";
import { emitBroadcast, refuseBroadcast } from "./dot-broadcast.ts";
import { refuseElements } from "./dot-loops.ts";
import { emitTile, refuseTile } from "./dot-tile.ts";
import type { Kernel } from "./kernel.ts";
import { emitPointwise, refusePointwise } from "./pointwise.ts";
import { emitReduce, refuseReduce } from "./reduce.ts";
import { emitRows, refuseRows } from "./rows.ts";

/** Why a schedule does not fit a problem on a target, or undefined where it does. */
export function refuseSchedule(problem: Problem, schedule: Schedule, target: Target): string | undefined {
  const bindings = refuseStores(storesOf(problem));
  if (bindings !== undefined) return bindings;
  switch (problem.kind) {
    case "pointwise":
      return schedule.kind === "pointwise" ? refusePointwise(problem, schedule, target) : wrongFamily(problem, schedule);
    case "reduce":
      return schedule.kind === "reduce" ? refuseReduce(problem, schedule, target) : wrongFamily(problem, schedule);
    case "dot":
      if (schedule.kind !== "dot") return wrongFamily(problem, schedule);
      {
        const reason = refuseElements(problem, schedule.depth);
        if (reason !== undefined) return reason;
      }
      if (problem.stores.some((s) => s.storage.kind === "packed")) return "a contraction cannot store packed results";
      return schedule.frame === "broadcast" ? refuseBroadcast(problem, schedule, target) : refuseTile(problem, schedule, target);
    case "rows":
      return schedule.kind === "rows" ? refuseRows(problem, schedule, target) : wrongFamily(problem, schedule);
    case "attention":
      return schedule.kind === "attention" ? refuseAttention(problem, schedule, target) : wrongFamily(problem, schedule);
    default:
      return problem satisfies never;
  }
}

const wrongFamily = (problem: Problem, schedule: Schedule): string => `a ${schedule.kind} schedule for a ${problem.kind} problem`;

function refuseStores(stores: readonly Store[]): string | undefined {
  for (const { storage, value } of stores) {
    if (storage.kind === "dense" && loadedAs[storage.scalar] !== value.type) return `a ${value.type} value in ${storage.scalar} storage`;
    if (storage.kind === "packed" && value.type === "f32") return "a float value in packed storage";
  }
  return undefined;
}

/**
 * The kernel of a problem. `serves`: names of IR values for the source map, one a store or one for all.
 * Throws where {@link refuseSchedule} has a reason: who chooses schedules asks it first.
 */
export function emitKernel(problem: Problem, schedule: Schedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseSchedule(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`${problem.kind} kernel of ${serves.join(", ") || "an unnamed value"}: ${refusal}`);
  if (problem.kind === "pointwise" && schedule.kind === "pointwise") return emitPointwise(problem, schedule, target, serves);
  if (problem.kind === "reduce" && schedule.kind === "reduce") return emitReduce(problem, schedule, target, serves);
  if (problem.kind === "rows" && schedule.kind === "rows") return emitRows(problem, schedule, target, serves);
  if (problem.kind === "dot" && schedule.kind === "dot")
    return schedule.frame === "broadcast" ? emitBroadcast(problem, schedule, target, serves) : emitTile(problem, schedule, target, serves);
  if (problem.kind === "attention" && schedule.kind === "attention") return emitAttention(problem, schedule, target, serves);
  throw new Error(wrongFamily(problem, schedule));
}
