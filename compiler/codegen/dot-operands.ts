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
export function alongK(emitter: Emitter, problem: DotProblem, side: DotOperand, row: ScalarExpr, step: ScalarExpr, batch: Batch): ScalarExpr {
  const k = plus(times(step, uint(4)), quad);
  return prepareTailed(emitter, problem, side.element, { ...batch, row, column: k }, k);
}

/** Row `k` of a side whose rows are contracted, at four consecutive free positions. */
export function acrossK(emitter: Emitter, problem: DotProblem, element: ScalarExpr, k: ScalarExpr, columns: ScalarExpr, batch: Batch, inputs: readonly ScalarExpr[] = []): ScalarExpr {
  const row = problem.k % 4 === 0 ? k : binary("min", k, uint(problem.k - 1));
  return prepareTailed(emitter, problem, element, { ...batch, row, column: columns }, k, inputs);
}

function prepareTailed(emitter: Emitter, problem: DotProblem, element: ScalarExpr, variables: Readonly<Record<string, ScalarExpr>>, k: ScalarExpr, inputs: readonly ScalarExpr[] = []): ScalarExpr {
  const prepared = emitter.prepare(element, variables, inputs);
  const whole = tailed(problem, prepared, k);
  return whole === prepared ? prepared : emitter.prepare(whole, {});
}

export interface Loader {
  /** Issue the load instructions: all of a step's come before its arithmetic, so that sums stay in registers. */
  load(): void;
  /** Four vectors over the lane's four columns, one for each of four k. */
  vectors(): readonly [Vector, Vector, Vector, Vector];
}

/** Side b at one step: `columns` is this lane's group of four n, below ceil(n / 4). */
export function loadB(emitter: Emitter, problem: DotProblem, columns: ScalarExpr, step: ScalarExpr, batch: Batch): Loader {
  const { b } = problem;
  const { wgsl } = emitter;
  if (b.contracted === "column") {
    const rowOf = (lane: Lane) => {
      const n = plus(times(columns, uint(4)), uint(lane));
      return problem.n % 4 === 0 ? n : binary("min", n, uint(problem.n - 1));
    };
    const prepared = lanes.map((lane) => alongK(emitter, problem, b, rowOf(lane), step, batch));
    return {
      load: () => emitter.issueLoads(prepared),
      vectors() {
        const rows = prepared.map((e) => wgsl.settle("t", emitter.vector(e, "f32")));
        // Transposed in registers, which costs nothing: a vector's components are registers of their own.
        const at = (k: Lane) => wgsl.let("b", four((lane) => component(rows[lane] ?? missing(), k)));
        return [at(0), at(1), at(2), at(3)];
      },
    };
  }
  const free = plus(times(columns, uint(4)), quad);
  // What depends on k alone (a row's scale) is loaded for four k at once.
  const extracted = extractParts(lowerScalar(b.element), "row", isBatch);
  const parts = extracted.parts.map((part) => ({ type: part.type, of: emitter.prepare(part, { ...batch, row: plus(times(step, uint(4)), quad) }) }));
  const elements = (issue: boolean) => {
    const registers = parts.map(({ type, of }) => {
      const vector = emitter.varies(of) ? wgsl.settle("p", emitter.vector(of, type)) : undefined;
      return lanes.map((lane) => (vector === undefined ? of : emitter.register(component(vector, lane))));
    });
    const prepared = lanes.map((lane) =>
      acrossK(emitter, problem, extracted.expression, plus(times(step, uint(4)), uint(lane)), free, batch, withParts([], registers.map((r) => r[lane] ?? missing()))),
    );
    if (issue) emitter.issueLoads(prepared);
    return prepared;
  };
  let prepared: readonly ScalarExpr[] = [];
  return {
    load: () => {
      prepared = elements(true);
    },
    vectors() {
      const [x, y, z, w] = prepared.map((e) => wgsl.settle("b", emitter.vector(e, "f32")));
      return [x ?? missing(), y ?? missing(), z ?? missing(), w ?? missing()];
    },
  };
}

function missing(): never {
  throw new Error("four elements expected");
}
