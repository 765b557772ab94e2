// The contraction without subgroups: each lane computes some rows of four columns, loading what it needs itself.
import type { DotProblem, Schedule, Target } from "../../ir/plan.ts";
import { plus, type ScalarExpr, times, uint } from "../../ir/scalar.ts";
import { emitEpilogue } from "./dot-epilogue.ts";
import { FloatsLoop } from "./dot-floats.ts";
import { innerLoop } from "./dot-loops.ts";
import { acrossK } from "./dot-operands.ts";
import { Emitter, quad } from "./emitter.ts";
import { coordinatesOf, finishKernel, type Kernel, product, type Triple } from "./kernel.ts";
import { add, bitAnd, component, type E, four, type Lane, lanes, min, mul, shiftRight, size, u32, Wgsl } from "./wgsl.ts";

export type TileSchedule = Extract<Schedule, { kind: "dot"; frame: "tile" }>;

const mostRows = 16;

/** Why a schedule does not fit, or undefined. */
export function refuseTile(problem: DotProblem, { rows, workgroup }: TileSchedule, target: Target): string | undefined {
  const [x, y] = workgroup;
  const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupsPerDimension } = target.limits;
  if (![x, y].every((n) => n >= 1 && Number.isInteger(Math.log2(n)))) return `workgroups of ${x} x ${y} lanes: both must be powers of two`;
  if (x * y > maxComputeInvocationsPerWorkgroup)
    return `${x * y} lanes a workgroup, the adapter takes ${maxComputeInvocationsPerWorkgroup}`;
  if (rows < 1 || rows > mostRows) return `${rows} rows a lane, more than ${mostRows}`;
  if (problem.a.contracted === "row" && rows % 4 !== 0) return `${rows} rows a lane, but \`a\` lies by k: rows must be a multiple of 4`;
  const tooMany = groupsOf(problem, { rows, workgroup }).some((count) => count > maxComputeWorkgroupsPerDimension);
  return tooMany ? `more than ${maxComputeWorkgroupsPerDimension} workgroups in one dimension` : undefined;
}

const groupsOf = (problem: DotProblem, { rows, workgroup: [x, y] }: Pick<TileSchedule, "rows" | "workgroup">): Triple => [
  Math.ceil(problem.n / (4 * x)),
  Math.ceil(problem.m / (rows * y)),
  product(problem.batch),
];

export function emitTile(problem: DotProblem, schedule: TileSchedule, target: Target, serves: readonly string[] = []): Kernel {
  const refusal = refuseTile(problem, schedule, target);
  if (refusal !== undefined) throw new Error(`dot: ${refusal}`);
  const { rows, workgroup } = schedule;
  const [width, height] = workgroup;
  const wgsl = new Wgsl();
  const emitter = new Emitter(wgsl);
  const local = wgsl.builtin("local");
  const batches = product(problem.batch);
  const batch = coordinatesOf("z", problem.batch, batches === 1 ? uint(0) : emitter.variable("z", batches, wgsl.group("z")));

  const across = width === 1 ? wgsl.group("x") : add(mul(wgsl.group("x"), u32(width)), bitAnd(local, u32(width - 1)));
  const columns = wgsl.let("x", across);
  const down =
    height === 1 ? wgsl.group("y") : add(mul(wgsl.group("y"), u32(height)), width === 1 ? local : shiftRight(local, u32(Math.log2(width))));
  const firstRow = wgsl.let("r", rows === 1 ? down : mul(down, u32(rows)));
  const quads = Math.ceil(problem.n / 4);
  const clampedColumns = emitter.variable("xc", quads, wgsl.let("xc", min(columns, size(quads - 1))));

  const byK = problem.a.contracted === "row";
  const rowQuads = Math.ceil(problem.m / 4);
  const place = (i: number, count: number, first: E<"u32">) => wgsl.let("row", min(i === 0 ? first : add(first, u32(i)), size(count - 1)));
  const own: readonly ScalarExpr[] = byK
    ? Array.from({ length: rows / 4 }, (_, i) =>
        emitter.variable("rq", rowQuads, place(i, rowQuads, rows === 4 ? down : mul(down, u32(rows / 4)))),
      )
    : Array.from({ length: rows }, (_, i) => emitter.variable("row", problem.m, place(i, problem.m, firstRow)));

  const inner = innerLoop(emitter, problem, batch, { depth: schedule.depth, sums: rows, own: rows });
  wgsl.loop("k", u32(0), size(inner.steps), u32(1), (stepValue) => {
    const step = emitter.variable("k", inner.steps, stepValue);
    if (!byK) {
      const loaded = own.map((row, i) => inner.row(i, row, step));
      const right = inner.columns(clampedColumns, step);
      for (const row of loaded) row.load();
      right.load();
      const registers = loaded.map((row) => row.settle());
      right.settle();
      for (const [row, values] of registers.entries()) inner.multiply(row, values);
      return;
    }
    if (!(inner instanceof FloatsLoop)) throw new Error("codes lie along k");
    // Of each of four k the lane's rows.
    const a = lanes.map((lane) =>
      own.map((q) =>
        acrossK(emitter, problem, problem.a.element, plus(times(step, uint(4)), uint(lane)), plus(times(q, uint(4)), quad), batch),
      ),
    );
    const right = inner.columns(clampedColumns, step);
    emitter.issueLoads(a.flat());
    right.load();
    const vectors = a.map((quads) => quads.map((e) => inner.vector(e)));
    right.settle();
    for (let row = 0; row < rows; row++) {
      const [q, lane] = [row >> 2, (row % 4) as Lane];
      inner.multiply(row, [four((k) => component(vectors[k]?.[q] ?? missing(), lane))]);
    }
  });
  const sums = inner.finish((values, row) => values[row] ?? missing());
  emitEpilogue(emitter, problem, serves, { sums, firstRow, columns, batch });
  return finishKernel(wgsl, problem, target, {
    title: `dot, tile, ${rows} rows a lane, ${width} x ${height} lanes`,
    workgroup: [width * height, 1, 1],
    groups: groupsOf(problem, schedule),
  });
}

function missing(): never {
  throw new Error("a row of A is missing");
}
