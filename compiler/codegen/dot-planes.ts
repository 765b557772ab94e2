// The inner loop over bit planes. A level of the half grid is the sum of 2^i s_i with s_i = +1 or -1, so a product of two rows is the sum over
// pairs of planes of 2^(i+j) (k - 2 popcount(x_i xor w_j)): no correction, and padding (zero bits on both sides) counts for nothing.
import type { CodeDepth, DotProblem } from "../../ir/plan.ts";
import type { ScalarExpr } from "../../ir/scalar.ts";
import { type CodesSide, readColumns, readWords } from "./dot-codes.ts";
import type { InnerLoop, RowOfSums, RowRegister, StepOf } from "./dot-inner.ts";
import type { Batch } from "./dot-operands.ts";
import type { Emitter } from "./emitter.ts";
import { add, bitcast, bitXor, countOneBits, type E, scale, size, splat, sub, u32, type Var } from "./wgsl.ts";

export class PlanesLoop implements InnerLoop {
  readonly steps: number;
  readonly #emitter: Emitter;
  readonly #problem: DotProblem;
  readonly #sides: { readonly a: CodesSide; readonly b: CodesSide };
  readonly #batch: Batch;
  readonly #depth: CodeDepth;
  readonly #counts: readonly Var<"vec4u">[];
  /** Of each plane of side b and each word of the step, the lane's columns. */
  #columns: readonly (readonly E<"vec4u">[])[] = [];

  constructor(
    emitter: Emitter,
    problem: DotProblem,
    sides: { readonly a: CodesSide; readonly b: CodesSide },
    batch: Batch,
    { depth, sums }: { readonly depth: CodeDepth; readonly sums: number },
  ) {
    this.#emitter = emitter;
    this.#problem = problem;
    this.#sides = sides;
    this.#batch = batch;
    this.#depth = depth;
    this.steps = Math.ceil(problem.k / (32 * depth));
    this.#counts = Array.from({ length: sums }, () => emitter.wgsl.zero("c", "vec4u"));
  }

  row(_own: number, row: ScalarExpr, step: ScalarExpr): StepOf<readonly RowRegister[]> {
    const planes = planesOf(this.#sides.a).map((first) =>
      readWords(this.#emitter, this.#sides.a, { ...this.#batch, row, step }, { first, words: this.#depth }),
    );
    return {
      load: () => {
        for (const plane of planes) plane();
      },
      settle: () => planes.flatMap((plane) => plane()),
    };
  }

  columns(columns: ScalarExpr, step: ScalarExpr): StepOf<void> {
    const planes = planesOf(this.#sides.b).map((first) =>
      readColumns(this.#emitter, this.#sides.b, { columns, n: this.#problem.n }, { ...this.#batch, step }, { first, words: this.#depth }),
    );
    return {
      load: () => {
        for (const plane of planes) plane.load();
      },
      settle: () => {
        this.#columns = planes.map((plane) => plane.settle());
      },
    };
  }

  multiply(sum: number, row: readonly RowRegister[]): void {
    const counts = this.#counts[sum] ?? missing();
    const [rows, columns] = [this.#sides.a.storage.bits, this.#sides.b.storage.bits];
    // Pairs of planes with one weight are counted together.
    for (let shift = 0; shift < rows + columns - 1; shift++) {
      const terms: E<"vec4u">[] = [];
      for (let i = Math.max(0, shift - columns + 1); i <= Math.min(shift, rows - 1); i++) {
        for (let word = 0; word < this.#depth; word++) {
          const own = (row[i * this.#depth + word] ?? missing()) as E<"u32">;
          terms.push(countOneBits(bitXor(splat(own), this.#columns[shift - i]?.[word] ?? missing())));
        }
      }
      const count = terms.reduce((a, b) => add(a, b));
      this.#emitter.wgsl.accumulate(counts, shift === 0 ? count : scale<"u32">(count, u32(2 ** shift)));
    }
  }

  finish(): readonly RowOfSums[] {
    const { wgsl } = this.#emitter;
    const most = (side: CodesSide) => 2 ** side.storage.bits - 1;
    const all = splat(bitcast("i32", size(this.#problem.k * most(this.#sides.a) * most(this.#sides.b))));
    return this.#counts.map((counts) => wgsl.let("sum", sub(all, bitcast("vec4i", scale<"u32">(counts, u32(2))))));
  }
}

/** The word at which each plane of a row starts. */
const planesOf = ({ storage: { bits, pitch } }: CodesSide): readonly number[] =>
  Array.from({ length: bits }, (_, plane) => (plane * pitch) / bits);

function missing(): never {
  throw new Error("a plane is missing");
}
