// Row kernels: Walsh-Hadamard transform of blocks, a statistic of the transformed row, and codes, masks and values that follow, in one kernel.
// A team of lanes takes a row; a workgroup has several teams, each with rows of its own (see rows-walk.ts for how a row is held).
import type { RowsProblem, Schedule, Target } from "../../ir/plan.ts";
import { Emitter } from "./emitter.ts";
import { type Exchange, noExchange, subgroupExchange, workgroupExchange } from "./exchange.ts";
import { finishKernel, foldGroups, type Kernel, linearGroup } from "./kernel.ts";
import { packedPlaceOf } from "./packed-place.ts";
import { RowsFrame } from "./rows-frame.ts";
import { mostVectors, spanUnit, walkOf } from "./rows-walk.ts";
import { halfAndDouble, neighboursAmong } from "./schedule-steps.ts";
import { elementsPerWord, isPacked, type PackedStore } from "./store.ts";
import { add, lt, min, mul, shiftRight, size, u32, Wgsl } from "./wgsl.ts";

export type RowsSchedule = Extract<Schedule, { kind: "rows" }>;

const mostBlock = 128;

/** A schedule's teams: lanes of each, teams of a workgroup, and the rows that a workgroup takes in all. */
interface Teams {
  readonly lanes: number;
  readonly vectors: number;
  readonly count: number;
  readonly rowsPerGroup: number;
}

function teamsOf(problem: RowsProblem, schedule: RowsSchedule, target: Target): Teams {
  switch (schedule.frame) {
    case "subgroup":
      return { ...schedule, count: target.subgroupSize / schedule.lanes };
    case "lane":
      return { lanes: 1, vectors: schedule.vectors, count: schedule.workgroup, rowsPerGroup: schedule.workgroup };
    case "workgroup": {
      const lanes = schedule.workgroup;
      return { lanes, vectors: Math.max(1, spanUnit(problem) / (4 * lanes)), count: 1, rowsPerGroup: 1 };
    }
    default:
      return schedule satisfies never;
  }
}

/** Why a schedule does not fit, or undefined. */
export function refuseRows(problem: RowsProblem, schedule: RowsSchedule, target: Target): string | undefined {
  const { lanes, vectors, count, rowsPerGroup } = teamsOf(problem, schedule, target);
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = target.limits;
  if (schedule.frame === "subgroup" && target.subgroups === "none") return "the target has no subgroups";
  if (!isPowerOfTwo(lanes) || !isPowerOfTwo(vectors))
    return `teams of ${lanes} lanes with ${vectors} vectors each: both must be powers of two`;
  if (schedule.frame === "subgroup" && lanes > target.subgroupSize)
    return `a team of ${lanes} lanes, a subgroup has ${target.subgroupSize}`;
  if (lanes * count > maxComputeInvocationsPerWorkgroup)
    return `${lanes * count} lanes a workgroup, the adapter takes ${maxComputeInvocationsPerWorkgroup}`;
  if (rowsPerGroup < 1 || rowsPerGroup % count !== 0) return `${rowsPerGroup} rows a workgroup, not a multiple of its ${count} teams`;
  if (schedule.frame === "workgroup" && lanes * 64 > maxComputeWorkgroupStorageSize)
    return `${lanes * 64} bytes of workgroup memory, the adapter has ${maxComputeWorkgroupStorageSize}`;
  if (!isPowerOfTwo(problem.block) || problem.block > mostBlock || problem.columns % problem.block !== 0)
    return `blocks of ${problem.block} in rows of ${problem.columns}: a block is a power of two up to ${mostBlock} that divides the row`;
  const most = schedule.frame === "lane" ? 2 * mostVectors : mostVectors;
  if (vectors > most) return `${vectors} vectors a lane, more than ${most}`;
  const unit = spanUnit(problem);
  if (4 * lanes * vectors < unit) return `spans of ${4 * lanes * vectors} elements, less than the ${unit} of a block or a word`;
  if (problem.rowStores.some(isPacked)) return "a row's own value cannot be stored packed";
  return problem.stores
    .filter(isPacked)
    .map((store) => refusePacked(problem, store))
    .find((reason) => reason !== undefined);
}

export const neighboursOfRows = neighboursAmong<RowsSchedule>({
  subgroup: {
    start: { kind: "rows", frame: "subgroup", lanes: 4, vectors: 8, rowsPerGroup: 8 },
    steps: (schedule) => {
      const { lanes, vectors, rowsPerGroup } = schedule;
      return [
        ...halfAndDouble(rowsPerGroup).map((rows) => ({ ...schedule, rowsPerGroup: rows })),
        ...halfAndDouble(vectors).map((own) => ({ ...schedule, vectors: own })),
        // The same span by fewer lanes with more each, or the other way round; there are more teams then, or fewer.
        ...halfAndDouble(lanes).map((team) => ({
          ...schedule,
          lanes: team,
          vectors: (vectors * lanes) / team,
          rowsPerGroup: Math.max(rowsPerGroup, (rowsPerGroup * lanes) / team),
        })),
      ];
    },
  },
  lane: {
    start: { kind: "rows", frame: "lane", vectors: 8, workgroup: 32 },
    steps: (schedule) => [
      ...halfAndDouble(schedule.workgroup).map((workgroup) => ({ ...schedule, workgroup })),
      ...halfAndDouble(schedule.vectors).map((vectors) => ({ ...schedule, vectors })),
    ],
  },
  workgroup: {
    start: { kind: "rows", frame: "workgroup", workgroup: 32 },
    steps: (schedule) => halfAndDouble(schedule.workgroup).map((workgroup) => ({ ...schedule, workgroup })),
  },
});

function refusePacked(problem: RowsProblem, store: PackedStore): string | undefined {
  const { kind } = packedPlaceOf(store);
  if (kind === "whole") return undefined;
  if (kind === "elsewhere") return "a packed result must run along the row";
  const ends = problem.columns % elementsPerWord(store.storage) === 0;
  return ends ? undefined : `groups of ${problem.columns} do not end at a word of packed results`;
}

const isPowerOfTwo = (x: number): boolean => x >= 1 && Number.isInteger(Math.log2(x));

export function emitRows(problem: RowsProblem, schedule: RowsSchedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseRows(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`rows: ${refusal}`);
  const wgsl = new Wgsl(target.subgroupSize);
  const emitter = new Emitter(wgsl);
  const { lanes, vectors, count, rowsPerGroup } = teamsOf(problem, schedule, target);
  const exchange = exchangeOf(wgsl, schedule, lanes, target);
  const groups = foldGroups(Math.ceil(problem.rows / rowsPerGroup), target);
  const frame = new RowsFrame(emitter, problem, exchange, walkOf(problem, lanes, vectors), serves);

  const first = wgsl.let("first", rowsPerGroup === 1 ? linearGroup(wgsl, groups) : mul(linearGroup(wgsl, groups), size(rowsPerGroup)));
  // A loop also where it runs once: what is beyond the last row does nothing, and all lanes agree on it.
  const end = wgsl.let("end", min(add(first, size(rowsPerGroup)), size(problem.rows)));
  if (count === 1) wgsl.loop("row", first, end, u32(1), (row) => frame.row(row, undefined));
  else {
    const local = schedule.frame === "lane" ? wgsl.builtin("local") : wgsl.builtin("lane");
    const team = lanes === 1 ? local : wgsl.let("team", shiftRight(local, u32(Math.log2(lanes))));
    wgsl.loop("rows", first, end, u32(count), (rows) => {
      const row = wgsl.let("own", add(rows, team));
      // A team without a row goes along with the last one and stores nothing.
      frame.row(wgsl.let("row", min(row, size(problem.rows - 1))), wgsl.let("exists", lt(row, end)));
    });
  }
  return finishKernel(wgsl, problem, target, {
    title: `rows, ${schedule.frame}, ${lanes} lanes a row, ${count} at a time, ${vectors} vectors a lane, blocks of ${problem.block}`,
    workgroup: [lanes * count, 1, 1],
    groups,
  });
}

function exchangeOf(wgsl: Wgsl, schedule: RowsSchedule, lanes: number, target: Target): Exchange {
  if (lanes === 1) return noExchange;
  return schedule.frame === "subgroup"
    ? subgroupExchange(wgsl, lanes === target.subgroupSize ? undefined : lanes)
    : workgroupExchange(wgsl, lanes);
}
