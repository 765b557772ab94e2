// How attention's schedules lay out positions over workgroups, and which of them an adapter can run.
import type { AttentionProblem, Schedule, Target } from "../../ir/plan.ts";
import type { Triple } from "./kernel.ts";
import { halfAndDouble, neighboursAmong, oneLessAndMore } from "./schedule-steps.ts";

export type AttentionSchedule = Extract<Schedule, { kind: "attention" }>;

/** Rows of more channels would need more registers and load instructions than any adapter has. */
const mostChannels = 256;

/** Why a schedule does not fit, or undefined. */
export function refuseAttention(problem: AttentionProblem, schedule: AttentionSchedule, target: Target): string | undefined {
  const { shape } = problem;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupsPerDimension } = target.limits;
  if (shape.channels > mostChannels) return `${shape.channels} channels a head, more than ${mostChannels}`;
  if (schedule.frame === "broadcast") {
    const s = target.subgroupSize;
    if (target.subgroups === "none") return "the target has no subgroups";
    if (s < 2 || !Number.isInteger(Math.log2(s))) return `subgroups of ${s}: the frame needs a power of two from 2 on`;
    if (schedule.rows < 1 || schedule.rows > 4) return `${schedule.rows} positions a lane: 1 to 4`;
  } else if (schedule.workgroup < 1 || schedule.workgroup > maxComputeInvocationsPerWorkgroup)
    return `${schedule.workgroup} lanes a workgroup, the adapter takes ${maxComputeInvocationsPerWorkgroup}`;
  if (problem.stores.concat(problem.rowStores).some((s) => s.storage.kind === "packed")) return "attention cannot store packed results";
  const most = groupsOf(problem, tileOf(schedule, target)).find((count) => count > maxComputeWorkgroupsPerDimension);
  return most === undefined ? undefined : `${most} workgroups in one dimension, more than ${maxComputeWorkgroupsPerDimension}`;
}

export const neighboursOfAttention = neighboursAmong<AttentionSchedule>({
  broadcast: {
    start: { kind: "attention", frame: "broadcast", rows: 2 },
    steps: (schedule) => oneLessAndMore(schedule.rows).map((rows) => ({ ...schedule, rows })),
  },
  plain: {
    start: { kind: "attention", frame: "plain", workgroup: 8 },
    steps: (schedule) => halfAndDouble(schedule.workgroup).map((workgroup) => ({ ...schedule, workgroup })),
  },
});

/** Positions of a workgroup. */
export const tileOf = (schedule: AttentionSchedule, target: Target): number =>
  schedule.frame === "broadcast" ? schedule.rows * target.subgroupSize : schedule.workgroup;

export const groupsOf = ({ pass, shape }: AttentionProblem, tile: number): Triple =>
  pass === "grad_key"
    ? [Math.ceil(shape.keys / tile), shape.groups, shape.batch]
    : [Math.ceil(shape.queries / tile), shape.heads, shape.batch];
