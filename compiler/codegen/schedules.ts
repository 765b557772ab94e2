// Default schedules: a table per adapter class, and the choice among what a target and a problem allow.
// The figures come from measurements on lavapipe and SwiftShader; those of real GPUs are textbook values until a tuner replaces them.
import type {
  AttentionProblem,
  ChooseSchedule,
  CodeCosts,
  CodeDepth,
  DotProblem,
  PointwiseProblem,
  Problem,
  ReduceProblem,
  RowsProblem,
  Schedule,
  Store,
  Target,
} from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint, variable } from "../../ir/scalar.ts";
import { codesOf } from "./dot-codes.ts";
import { rowsAtOnce } from "./dot-epilogue.ts";
import { quad } from "./emitter.ts";
import { dependsOn } from "./extract.ts";
import { coordinatesOf, product } from "./kernel.ts";
import { loadSites, storeSites } from "./load-sites.ts";
import { reduceVector } from "./reduce.ts";
import { mostVectors, spanUnit, storedColumns } from "./rows-walk.ts";
import { isPacked } from "./store.ts";
import { refuseSchedule } from "./templates.ts";

/** Row groups, and words of codes a step. */
export type CodeTile = readonly [rows: number, depth: CodeDepth];

/** What the choice goes by, for one class of adapters. */
export interface ScheduleTable {
  /** Lanes and steps of large pointwise kernels; small ones get less, down to `smallest` lanes, until there are `groups` workgroups. */
  readonly pointwise: { readonly workgroup: number; readonly perLane: number; readonly smallest: number };
  /** Workgroups that keep the whole adapter busy. */
  readonly groups: number;
  /** Lanes an output where outputs are few: with subgroups the subgroup, and beyond `wideFrom` elements an output this many. */
  readonly reduce: { readonly workgroup: number; readonly wide: number; readonly wideFrom: number; readonly plainLanes: number };
  /**
   * Row groups of the broadcast frame, best first, and those where the side that all rows share is computed on load (decoded), which
   * more rows pay for; instructions that load and store, above which kernels take too long to compile;
   * and products below which small tiles do, because compiling costs more than running.
   */
  readonly dot: {
    readonly small: number;
    readonly rows: readonly number[];
    readonly rowsOfComputed: readonly number[];
    readonly mostSites: number;
    readonly tileRows: readonly number[];
    readonly tileWorkgroup: readonly [number, number];
  };
  /**
   * Contractions of codes: what a product costs, a product of f32 tensors being 1, by pair of planes, by bytes (fields of 4 bits on both
   * sides, or not) and as floats; what a plane adds to a product that decodes on load. Row groups, best first, and words a step: of
   * planes as many as the wider side's planes leave of `words`.
   */
  readonly codes: {
    readonly planePair: number;
    readonly nibble: number;
    readonly byte: number;
    readonly floats: number;
    readonly decodedPlane: number;
    readonly planes: { readonly rows: readonly number[]; readonly words: number };
    readonly bytes: readonly CodeTile[];
  };
  /**
   * Vectors of four that a lane takes of a row at once: of one that it takes whole, and of a longer one. Rows a workgroup, as many as leave work
   * for every core; lanes a row without subgroups.
   */
  readonly rows: { readonly whole: number; readonly span: number; readonly rowsPerGroup: number; readonly workgroup: number };
  /**
   * Positions a lane, and lanes of the form without subgroups. Up to `shortest` positions a lane has one: kernels compile in half the time, which
   * steps that are short anyway would take long to win back.
   */
  readonly attention: { readonly rows: number; readonly shortest: number; readonly workgroup: number };
}

export const scheduleTables: Readonly<Record<string, ScheduleTable>> = {
  lavapipe: {
    pointwise: { workgroup: 256, perLane: 4, smallest: 32 },
    groups: 8,
    reduce: { workgroup: 64, wide: 0, wideFrom: Number.POSITIVE_INFINITY, plainLanes: 32 },
    dot: { small: 2 ** 20, rows: [4, 2, 1], rowsOfComputed: [4, 2, 1], mostSites: 48, tileRows: [8, 4, 1], tileWorkgroup: [8, 1] },
    codes: {
      planePair: 0.083,
      nibble: 0.54,
      byte: 0.64,
      floats: 0.65,
      decodedPlane: 0.1,
      planes: { rows: [2, 1], words: 2 },
      bytes: [
        [2, 2],
        [1, 2],
      ],
    },
    rows: { whole: 8, span: 4, rowsPerGroup: 16, workgroup: 8 },
    attention: { rows: 2, shortest: 256, workgroup: 8 },
  },
  swiftshader: {
    pointwise: { workgroup: 256, perLane: 4, smallest: 32 },
    groups: 8,
    reduce: { workgroup: 64, wide: 0, wideFrom: Number.POSITIVE_INFINITY, plainLanes: 16 },
    dot: { small: 2 ** 20, rows: [2, 1], rowsOfComputed: [4, 2, 1], mostSites: 100, tileRows: [8, 4, 1], tileWorkgroup: [4, 1] },
    codes: {
      planePair: 0.13,
      nibble: 2.5,
      byte: 2.5,
      floats: 1.37,
      decodedPlane: 0.1,
      planes: { rows: [2, 1], words: 2 },
      bytes: [
        [2, 2],
        [1, 2],
      ],
    },
    rows: { whole: 8, span: 8, rowsPerGroup: 16, workgroup: 8 },
    attention: { rows: 4, shortest: 0, workgroup: 4 },
  },
  gpu: {
    pointwise: { workgroup: 256, perLane: 1, smallest: 64 },
    groups: 64,
    reduce: { workgroup: 64, wide: 256, wideFrom: 4096, plainLanes: 64 },
    dot: { small: 0, rows: [4, 2, 1], rowsOfComputed: [4, 2, 1], mostSites: 100, tileRows: [8, 4, 1], tileWorkgroup: [8, 8] },
    codes: {
      planePair: 0.06,
      nibble: 0.4,
      byte: 0.4,
      floats: 1,
      decodedPlane: 0.1,
      planes: { rows: [2, 1], words: 4 },
      bytes: [
        [2, 2],
        [1, 2],
      ],
    },
    rows: { whole: 1, span: 1, rowsPerGroup: 1, workgroup: 64 },
    attention: { rows: 1, shortest: 0, workgroup: 32 },
  },
};

/** Counts changes of the rules below that tables do not show: with the tables it is part of what makes results reproducible. */
export const rulesVersion = 7;

/** What contractions of codes cost on a target, by its table. */
export function codeCosts(target: Target): CodeCosts {
  const { planePair, nibble, byte, floats, decodedPlane } = tableOf(target).codes;
  return {
    decodedPlane,
    product(arithmetic, lhsBits, rhsBits) {
      switch (arithmetic) {
        case "floats":
          return floats;
        case "planes":
          return planePair * lhsBits * rhsBits;
        case "bytes":
          return Math.max(lhsBits, rhsBits) <= 4 ? nibble : byte;
        default:
          return arithmetic satisfies never;
      }
    },
  };
}

function tableOf({ adapterClass }: Target): ScheduleTable {
  const table = scheduleTables[adapterClass] ?? scheduleTables["gpu"];
  if (table === undefined) throw new Error("the table of schedules has no class gpu");
  return table;
}

/** The default schedule of a problem on a target. Throws where nothing fits, with the reasons: a target must run every problem. */
export const chooseSchedule: ChooseSchedule = (problem, target) => {
  const reasons: string[] = [];
  for (const schedule of candidates(problem, target)) {
    const reason = refuseSchedule(problem, schedule, target);
    if (reason === undefined) return schedule;
    reasons.push(`${JSON.stringify(schedule)}: ${reason}`);
  }
  throw new Error(`no schedule for a ${problem.kind} problem on ${target.name}\n${reasons.join("\n")}`);
};

function candidates(problem: Problem, target: Target): readonly Schedule[] {
  const table = tableOf(target);
  switch (problem.kind) {
    case "pointwise":
      return pointwiseCandidates(problem, target, table);
    case "reduce":
      return reduceCandidates(problem, target, table);
    case "dot":
      return dotCandidates(problem, target, table);
    case "rows":
      return rowsCandidates(problem, target, table);
    case "attention":
      return attentionCandidates(problem, target, table);
    default:
      return problem satisfies never;
  }
}

const powerOfTwoUpTo = (n: number): number => 2 ** Math.floor(Math.log2(Math.max(1, n)));
const roots = (stores: readonly Store[]): readonly ScalarExpr[] => stores.flatMap((s) => [s.row, s.column, s.value]);

function pointwiseCandidates(problem: PointwiseProblem, target: Target, table: ScheduleTable): readonly Schedule[] {
  const total = product(problem.shape);
  const wide = problem.stores.some(isPacked) || (total % 4 === 0 && isWorthWidth4(problem));
  const items = problem.stores.some(isPacked) ? total / 32 : total / (wide ? 4 : 1);
  const { smallest } = table.pointwise;
  const most = Math.min(table.pointwise.workgroup, target.limits.maxComputeInvocationsPerWorkgroup);
  // First fewer steps a lane, then smaller workgroups, until every core has work.
  const perLane = Math.min(table.pointwise.perLane, powerOfTwoUpTo(items / (most * table.groups)));
  const workgroup = Math.max(smallest, Math.min(most, powerOfTwoUpTo(items / table.groups)));
  const schedule = { kind: "pointwise", perLane, workgroup } as const;
  return wide
    ? [
        { ...schedule, width: 4 },
        { ...schedule, width: 1 },
      ]
    : [{ ...schedule, width: 1 }];
}

/** Whether four elements at once need fewer load and store instructions than four single ones. */
function isWorthWidth4({ shape, stores }: PointwiseProblem): boolean {
  const total = product(shape);
  const single = coordinatesOf("c", shape, variable("i", total));
  const fourfold = coordinatesOf("c", shape, plus(times(variable("i", total / 4), uint(4)), quad));
  const cost = (coordinates: Readonly<Record<string, ScalarExpr>>) =>
    loadSites(roots(stores), coordinates) + storeSites(stores, coordinates);
  return cost(fourfold) < 4 * cost(single);
}

function reduceCandidates(problem: ReduceProblem, target: Target, table: ScheduleTable): readonly Schedule[] {
  const way = reduceVector(problem);
  const outputs = product(problem.shape) / (way === "outputs" ? 4 : 1);
  const steps = product(problem.reduced) / (way === "reduced" ? 4 : 1);
  const { workgroup, wide, wideFrom, plainLanes } = table.reduce;
  const single: Schedule = {
    kind: "reduce",
    lanes: 1,
    workgroup: Math.max(4, Math.min(workgroup, powerOfTwoUpTo(outputs / table.groups))),
  };
  const plain: Schedule = { kind: "reduce", lanes: Math.min(plainLanes, powerOfTwoUpTo(steps)), workgroup: plainLanes };
  if (product(problem.reduced) >= wideFrom && outputs < table.groups) {
    const lanes = Math.min(wide, powerOfTwoUpTo(target.limits.maxComputeInvocationsPerWorkgroup));
    return [{ kind: "reduce", lanes, workgroup: lanes }, single];
  }
  const team = target.subgroups === "none" ? plainLanes : target.subgroupSize;
  // Enough outputs to go round (neighbouring ones soon, since their loads lie together), or too few elements to share out.
  const enough = way === "outputs" ? 4 * table.groups : workgroup * table.groups;
  if (outputs >= enough || steps < 2 * team) return [single];
  const shared: Schedule = { kind: "reduce", lanes: target.subgroupSize, workgroup: target.subgroupSize };
  return target.subgroups === "none" ? [plain, single] : [shared, plain, single];
}

function dotCandidates(problem: DotProblem, target: Target, table: ScheduleTable): readonly Schedule[] {
  const { mostSites, tileRows, tileWorkgroup, small } = table.dot;
  const tiles = rowTiles(problem, table);
  const s = target.subgroupSize;
  const perRow = epilogueSites(problem);
  const batches = product(problem.batch);
  const isSmall = batches * problem.m * problem.n * problem.k < small;
  /** Fitting: few enough instructions, and enough workgroups; the last is the least that there is. */
  const fits = (tile: number, columns: number) => {
    if (isSmall) return false;
    const groups = Math.ceil(problem.m / tile) * Math.ceil(problem.n / columns) * batches;
    return Math.min(tile, rowsAtOnce) * perRow <= mostSites && (groups >= table.groups || tile <= s);
  };
  const broadcast = tiles
    .filter(({ rows }, i) => i === tiles.length - 1 || fits(rows * s, 4 * s))
    .map((tile): Schedule => ({ kind: "dot", frame: "broadcast", ...tile }));
  const [x, y] = tileWorkgroup;
  const byK = problem.a.contracted === "row";
  const usable = tileRows.filter((r) => !byK || r % 4 === 0);
  const depth = tiles[0]?.depth;
  const tile = usable
    .filter((r, i) => i === usable.length - 1 || fits(r, 4 * x))
    .map((rows): Schedule => ({ kind: "dot", frame: "tile", rows, ...(depth === undefined ? {} : { depth }), workgroup: [x, y] }));
  return target.subgroups === "none" ? tile : [...broadcast, ...tile];
}

interface RowTile {
  readonly rows: number;
  readonly depth?: CodeDepth;
}

/** Row groups to try: where rows share more work on the other side, or load more themselves, other numbers pay. */
function rowTiles(problem: DotProblem, { dot, codes }: ScheduleTable): readonly RowTile[] {
  const read = problem.b.element.type === "i32" ? codesOf(problem) : undefined;
  if (read === undefined || typeof read === "string")
    return (problem.b.element.kind === "load" ? dot.rows : dot.rowsOfComputed).map((rows) => ({ rows }));
  if (read.kind === "bytes") return codes.bytes.map(([rows, depth]) => ({ rows, depth }));
  const left = codes.planes.words / Math.max(read.a.storage.bits, read.b.storage.bits);
  return codes.planes.rows.map((rows) => ({ rows, depth: left >= 4 ? 4 : left >= 2 ? 2 : 1 }));
}

/** Load and store instructions of one row of results. */
export function epilogueSites({ stores, n, m }: DotProblem): number {
  const columns = plus(times(variable("x", Math.ceil(n / 4)), uint(4)), quad);
  const variables = { m: variable("row", m), n: columns };
  // What does not depend on the row is loaded once, and what depends on the row alone is handed from lane to lane.
  const loads = loadSites(roots(stores), variables, (e) => dependsOn(e, "row") && dependsOn(e, "x"));
  return loads + (n % 4 === 0 ? storeSites(stores, variables) : 4 * stores.length);
}

function rowsCandidates(problem: RowsProblem, target: Target, table: ScheduleTable): readonly Schedule[] {
  const { whole, span, rowsPerGroup, workgroup } = table.rows;
  const lanes = Math.min(workgroup, powerOfTwoUpTo(target.limits.maxComputeInvocationsPerWorkgroup));
  const plain: readonly Schedule[] = [lanes, 2 * lanes, 32].map((w) => ({ kind: "rows", frame: "workgroup", workgroup: w }));
  if (target.subgroups === "none") return plain;
  const most = Math.min(rowsPerGroup, powerOfTwoUpTo(problem.rows / (2 * table.groups)));
  const teams = teamShapes(problem, target.subgroupSize, whole, span);
  return [
    ...teams.map(
      (team): Schedule => ({ kind: "rows", frame: "subgroup", ...team, rowsPerGroup: Math.max(target.subgroupSize / team.lanes, most) }),
    ),
    ...plain,
  ];
}

/**
 * Lanes of a team and vectors of each, best first. A row that few lanes hold whole leaves the others to other rows, which exchange less; a longer
 * one takes the whole subgroup, in spans that fill it where they can.
 */
function teamShapes(
  problem: RowsProblem,
  subgroupSize: number,
  whole: number,
  span: number,
): readonly { lanes: number; vectors: number }[] {
  const unit = spanUnit(problem);
  const quads = Math.ceil(Math.max(unit, storedColumns(problem)) / 4);
  const [least, most] = [Math.max(1, unit / 4 / subgroupSize), mostVectors];
  const vectors = Math.min(whole, quads);
  if (isPowerOfTwo(quads) && quads <= whole * subgroupSize) return [{ lanes: quads / vectors, vectors }];
  const sizes = [8, 4, 2, 1].filter((v) => v >= least && v <= Math.min(most, Math.max(span, least)));
  const filled = sizes.filter((v) => (quads / subgroupSize) % v === 0);
  return [...filled, ...sizes.toReversed()].map((v) => ({ lanes: subgroupSize, vectors: v }));
}

const isPowerOfTwo = (x: number): boolean => Number.isInteger(Math.log2(x));

function attentionCandidates({ pass, shape }: AttentionProblem, target: Target, table: ScheduleTable): readonly Schedule[] {
  const { rows, shortest, workgroup } = table.attention;
  const plain: Schedule = { kind: "attention", frame: "plain", workgroup };
  if (target.subgroups === "none") return [plain];
  const [positions, heads] = pass === "grad_key" ? [shape.keys, shape.groups] : [shape.queries, shape.heads];
  // More positions a lane save loads, as long as lanes do not run empty and every core has work.
  const most = Math.min(positions / target.subgroupSize, (positions * heads * shape.batch) / (target.subgroupSize * table.groups));
  return [{ kind: "attention", frame: "broadcast", rows: positions <= shortest ? 1 : Math.min(rows, powerOfTwoUpTo(most)) }, plain];
}
