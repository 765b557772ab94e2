// The inner loop over floats: four steps of k at a time.
import type { DotProblem } from "../../ir/plan.ts";
import type { ScalarExpr } from "../../ir/scalar.ts";
import type { InnerLoop, RowOfSums, RowRegister, StepOf } from "./dot-inner.ts";
import { alongK, type Batch, loadB } from "./dot-operands.ts";
import type { Emitter } from "./emitter.ts";
import { add, component, type E, type Lane, lanes, scale, type Var } from "./wgsl.ts";

export class FloatsLoop implements InnerLoop {
  readonly steps: number;
  readonly #emitter: Emitter;
  readonly #problem: DotProblem;
  readonly #batch: Batch;
  readonly #sums: readonly Var<"vec4f">[];
  /** Over the lane's four columns, one for each of four k. */
  #columns: readonly E<"vec4f">[] = [];

  constructor(emitter: Emitter, problem: DotProblem, batch: Batch, sums: number) {
    this.#emitter = emitter;
    this.#problem = problem;
    this.#batch = batch;
    this.steps = Math.ceil(problem.k / 4);
    this.#sums = Array.from({ length: sums }, () => emitter.wgsl.zero("c", "vec4f"));
  }

  row(_own: number, row: ScalarExpr, step: ScalarExpr): StepOf<readonly RowRegister[]> {
    const element = alongK(this.#emitter, this.#problem, this.#problem.a, row, step, this.#batch);
    return { load: () => this.#emitter.issueLoads([element]), settle: () => [this.vector(element)] };
  }

  columns(columns: ScalarExpr, step: ScalarExpr): StepOf<void> {
    const b = loadB(this.#emitter, this.#problem, columns, step, this.#batch);
    return {
      load: () => this.#emitter.issueLoads(b.prepare()),
      settle: () => {
        this.#columns = b.vectors();
      },
    };
  }

  /** One statement, in the order of k: the text stays short. */
  multiply(sum: number, [row]: readonly RowRegister[]): void {
    const total = this.#sums[sum] ?? missing();
    const next = lanes.reduce<E<"vec4f">>(
      (result, k) => add(result, scale<"f32">(this.#columns[k] ?? missing(), component(row as E<"vec4f">, k))),
      total,
    );
    this.#emitter.wgsl.assign(total, next);
  }

  /** Where rows come one k at a time: add a row's element at the step's k number `k`, times the columns there. */
  addProduct(sum: number, element: E<"f32">, k: Lane): void {
    this.#emitter.wgsl.accumulate(this.#sums[sum] ?? missing(), scale<"f32">(this.#columns[k] ?? missing(), element));
  }

  vector(element: ScalarExpr): E<"vec4f"> {
    return this.#emitter.wgsl.settle("a", this.#emitter.vector(element, "f32"));
  }

  finish(): readonly RowOfSums[] {
    return this.#sums;
  }
}

function missing(): never {
  throw new Error("a row or a column is missing");
}
