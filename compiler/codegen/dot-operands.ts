// The operands of a contraction as a kernel's inner loop wants them: four steps of k at a time, whichever way they lie in memory.
import type { DotOperand, DotProblem } from "../../ir/plan.ts";
import { binary, float, plus, type ScalarExpr, select, times, uint } from "../../ir/scalar.ts";
import { type Emitter, quad } from "./emitter.ts";
import { extractParts, withParts } from "./extract.ts";
import { lowerScalar } from "./lower-scalar.ts";
import { component, type E, four, type Lane, lanes } from "./wgsl.ts";

export type Batch = Readonly<Record<string, ScalarExpr>>;
type Vector = E<"vec4f">;

const isBatch = (name: string): boolean => name.startsWith("z");

/** Elements beyond the end of k are zero on both sides, so that what lies there (perhaps NaN) does not count. */
function tailed(problem: DotProblem, element: ScalarExpr, k: ScalarExpr): ScalarExpr {
  return problem.k % 4 === 0 ? element : select(binary("lt", k, uint(problem.k)), element, float(0));
}

/** Row `row` of a side whose columns are contracted, at four consecutive k: columns 4 * step to 4 * step + 3. */
export function alongK(
  emitter: Emitter,
  problem: DotProblem,
  side: DotOperand,
  row: ScalarExpr,
  step: ScalarExpr,
  batch: Batch,
  inputs: readonly ScalarExpr[] = [],
): ScalarExpr {
  const k = plus(times(step, uint(4)), quad);
  return prepareTailed(emitter, problem, side.element, { ...batch, row, column: k }, k, inputs);
}

/** Row `k` of a side whose rows are contracted, at four consecutive free positions. */
export function acrossK(
  emitter: Emitter,
  problem: DotProblem,
  element: ScalarExpr,
  k: ScalarExpr,
  columns: ScalarExpr,
  batch: Batch,
  inputs: readonly ScalarExpr[] = [],
): ScalarExpr {
  const row = problem.k % 4 === 0 ? k : binary("min", k, uint(problem.k - 1));
  return prepareTailed(emitter, problem, element, { ...batch, row, column: columns }, k, inputs);
}

function prepareTailed(
  emitter: Emitter,
  problem: DotProblem,
  element: ScalarExpr,
  variables: Readonly<Record<string, ScalarExpr>>,
  k: ScalarExpr,
  inputs: readonly ScalarExpr[] = [],
): ScalarExpr {
  const prepared = emitter.prepare(element, variables, inputs);
  const whole = tailed(problem, prepared, k);
  return whole === prepared ? prepared : emitter.prepare(whole, {});
}

export interface Loader {
  /** What is loaded, to be issued before the step's arithmetic. Called once. */
  prepare(): readonly ScalarExpr[];
  /** Four vectors over the lane's four columns, one for each of four k. */
  vectors(): readonly [Vector, Vector, Vector, Vector];
}

/**
 * Parts of side b's element that depend on its row alone (a row's scale), for four consecutive rows: loaded by one instruction
 * where they lie together. `at(lane)`: what stands for them in the element of row number `lane`.
 */
function rowParts(
  emitter: Emitter,
  parts: readonly ScalarExpr[],
  firstRow: ScalarExpr,
  batch: Batch,
): { at(lane: Lane): readonly ScalarExpr[] } {
  const { wgsl } = emitter;
  const registers = parts.map((part) => {
    const prepared = emitter.prepare(part, { ...batch, row: plus(firstRow, quad) });
    // A register lives where its vector was computed, which is outside of the loop where rows do not depend on it.
    const vector = emitter.varies(prepared)
      ? emitter.home(prepared, () => wgsl.settle("p", emitter.vector(prepared, part.type)))
      : undefined;
    return lanes.map((lane) => (vector === undefined ? prepared : emitter.home(prepared, () => emitter.register(component(vector, lane)))));
  });
  return {
    at: (lane) =>
      withParts(
        [],
        registers.map((r) => r[lane] ?? missing()),
      ),
  };
}

/** Side b at one step: `columns` is this lane's group of four n, below ceil(n / 4). */
export function loadB(emitter: Emitter, problem: DotProblem, columns: ScalarExpr, step: ScalarExpr, batch: Batch): Loader {
  const { wgsl } = emitter;
  const { contracted } = problem.b;
  const extracted = extractParts(lowerScalar(problem.b.element), "row", isBatch);
  const b: DotOperand = { element: extracted.expression, contracted };
  const byRow = contracted === "column";
  const firstRow = times(byRow ? columns : step, uint(4));
  const rowOf = (lane: Lane) => {
    const row = plus(firstRow, uint(lane));
    return !byRow || problem.n % 4 === 0 ? row : binary("min", row, uint(problem.n - 1));
  };
  let prepared: readonly ScalarExpr[] = [];
  return {
    prepare() {
      const parts = rowParts(emitter, extracted.parts, firstRow, batch);
      prepared = lanes.map((lane) =>
        byRow
          ? alongK(emitter, problem, b, rowOf(lane), step, batch, parts.at(lane))
          : acrossK(emitter, problem, b.element, rowOf(lane), plus(times(columns, uint(4)), quad), batch, parts.at(lane)),
      );
      return prepared;
    },
    vectors() {
      const rows = prepared.map((e) => wgsl.settle(byRow ? "t" : "b", emitter.vector(e, "f32")));
      // Transposed in registers, which costs nothing: a vector's components are registers of their own.
      const at = (k: Lane) =>
        byRow
          ? wgsl.let(
              "b",
              four((lane) => component(rows[lane] ?? missing(), k)),
            )
          : (rows[k] ?? missing());
      return [at(0), at(1), at(2), at(3)];
    },
  };
}

function missing(): never {
  throw new Error("four elements expected");
}
