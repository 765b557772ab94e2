// The contraction's fast frame: a workgroup is one subgroup; each lane loads its share of A once and hands it to all by broadcast.
// No workgroup memory, no barrier. Operands in all four layouts; shape of the loop: all loads of a step, then all arithmetic.
import type { DotProblem, Schedule, Target } from "../../ir/plan.ts";
import { plus, times, uint } from "../../ir/scalar.ts";
import { emitEpilogue } from "./dot-epilogue.ts";
import { FloatsLoop } from "./dot-floats.ts";
import type { TakeRow } from "./dot-inner.ts";
import { innerLoop } from "./dot-loops.ts";
import { acrossK } from "./dot-operands.ts";
import { Emitter, quad } from "./emitter.ts";
import { coordinatesOf, finishKernel, type Kernel, product, type Triple } from "./kernel.ts";
import { add, bitAnd, component, lanes, min, mul, shiftRight, size, u32, Wgsl } from "./wgsl.ts";

export type BroadcastSchedule = Extract<Schedule, { kind: "dot"; frame: "broadcast" }>;

/** Accumulators are registers: beyond this many rows a lane runs out of them on every adapter. */
const mostRows = 64;

export function refuseBroadcast(problem: DotProblem, { rows }: BroadcastSchedule, target: Target): string | undefined {
  const s = target.subgroupSize;
  if (target.subgroups === "none") return "the target has no subgroups";
  if (s < 4 || !Number.isInteger(Math.log2(s))) return `subgroups of ${s}: the frame needs a power of two from 4 on`;
  if (rows < 1 || rows * s > mostRows) return `${rows} rows of ${s} lanes are ${rows * s} rows of sums a lane, more than ${mostRows}`;
  const most = target.limits.maxComputeWorkgroupsPerDimension;
  return groupsOf(problem, rows * s, 4 * s).some((count) => count > most) ? `more than ${most} workgroups in one dimension` : undefined;
}

const groupsOf = (problem: DotProblem, tileRows: number, tileColumns: number): Triple => [
  Math.ceil(problem.n / tileColumns),
  Math.ceil(problem.m / tileRows),
  product(problem.batch),
];

export function emitBroadcast(problem: DotProblem, schedule: BroadcastSchedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseBroadcast(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`dot: ${refusal}`);
  const s = target.subgroupSize;
  const tileRows = schedule.rows * s;
  const wgsl = new Wgsl(target.subgroupSize);
  const emitter = new Emitter(wgsl);
  const lane = wgsl.builtin("lane");
  const batches = product(problem.batch);
  const batch =
    batches === 1
      ? coordinatesOf("z", problem.batch, uint(0))
      : coordinatesOf("z", problem.batch, emitter.variable("z", batches, wgsl.group("z")));

  const firstRow = wgsl.let("r", mul(wgsl.group("y"), u32(tileRows)));
  const columns = wgsl.let("x", add(mul(wgsl.group("x"), u32(s)), lane));
  const quads = Math.ceil(problem.n / 4);
  const clampedColumns = emitter.variable("xc", quads, wgsl.let("xc", min(columns, size(quads - 1))));
  const groups = Array.from({ length: schedule.rows }, (_, i) => i);
  /** Rows of C that this lane loads for, one a row group. */
  const ownRows = () =>
    groups.map((i) =>
      emitter.variable(
        "row",
        problem.m,
        wgsl.let("row", min(add(i === 0 ? firstRow : add(firstRow, u32(i * s)), lane), size(problem.m - 1))),
      ),
    );
  const byK = problem.a.contracted === "row";
  const ownRow = byK ? [] : ownRows();

  // A by rows of k: lanes divide into four k and s / 4 groups of four rows.
  const perK = s / 4;
  const laneK = byK ? emitter.variable("lk", 4, perK === 1 ? lane : wgsl.let("lk", shiftRight(lane, u32(Math.log2(perK))))) : uint(0);
  const rowQuads = Math.ceil(problem.m / 4);
  const ownRowQuads = byK
    ? groups.map((i) => {
        const whole = tileRows === 4 ? wgsl.group("y") : mul(wgsl.group("y"), u32(tileRows / 4));
        const first = i === 0 ? whole : add(whole, u32(i * perK));
        const mine = perK === 1 ? first : add(first, bitAnd(lane, u32(perK - 1)));
        return emitter.variable("rq", rowQuads, wgsl.let("rq", min(mine, size(rowQuads - 1))));
      })
    : [];

  const inner = innerLoop(emitter, problem, batch, { depth: schedule.depth, sums: tileRows, own: schedule.rows });
  wgsl.loop("k", u32(0), size(inner.steps), u32(1), (stepValue) => {
    const step = emitter.variable("k", inner.steps, stepValue);
    if (!byK) {
      const rows = ownRow.map((row, i) => inner.row(i, row, step));
      const columns = inner.columns(clampedColumns, step);
      // All loads of a step, then all arithmetic: sums stay in registers.
      for (const row of rows) row.load();
      columns.load();
      const own = rows.map((row) => row.settle());
      columns.settle();
      for (const [i, registers] of own.entries())
        for (let row = 0; row < s; row++) {
          inner.multiply(
            i * s + row,
            registers.map((register) => wgsl.let("g", wgsl.broadcast(register, row))),
          );
        }
      return;
    }
    if (!(inner instanceof FloatsLoop)) throw new Error("codes lie along k");
    const k = plus(times(step, uint(4)), laneK);
    const a = ownRowQuads.map((rows) => acrossK(emitter, problem, problem.a.element, k, plus(times(rows, uint(4)), quad), batch));
    const columns = inner.columns(clampedColumns, step);
    emitter.issueLoads(a);
    columns.load();
    const own = a.map((e) => inner.vector(e));
    columns.settle();
    for (const lane of lanes) {
      for (const [i, vector] of own.entries()) {
        for (let group = 0; group < perK; group++) {
          const given = wgsl.let("g", wgsl.broadcast(vector, lane * perK + group));
          for (const row of lanes) inner.addProduct((i * perK + group) * 4 + row, component(given, row), lane);
        }
      }
    }
  });
  const handOver: TakeRow = (loaded, row) => wgsl.broadcast(loaded[Math.floor(row / s)] ?? missing(), row % s);
  const sums = inner.finish(handOver);
  emitEpilogue(emitter, problem, serves, {
    sums,
    firstRow,
    columns,
    batch,
  });
  return finishKernel(wgsl, problem, target, {
    title: `dot, broadcast, ${schedule.rows} x ${s} rows, subgroups of ${s}`,
    workgroup: [s, 1, 1],
    groups: groupsOf(problem, tileRows, 4 * s),
  });
}

function missing(): never {
  throw new Error("a row group is missing");
}
