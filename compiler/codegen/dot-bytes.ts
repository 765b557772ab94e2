// The inner loop over signed bytes, four products an instruction. Codes of 4 bits are spread to bytes by masks, as q + 8: what that adds is
// taken off again with the sums of rows and columns, which lanes add up on the way.
import type { CodeDepth, DotProblem } from "../../ir/plan.ts";
import type { ScalarExpr } from "../../ir/scalar.ts";
import { type CodesSide, readColumns, readWords } from "./dot-codes.ts";
import type { InnerLoop, RowOfSums, RowRegister, StepOf, TakeRow } from "./dot-inner.ts";
import type { Batch } from "./dot-operands.ts";
import type { Emitter } from "./emitter.ts";
import {
  add,
  bitAnd,
  bitcast,
  bitOr,
  bitXor,
  component,
  dot4I8Packed,
  type E,
  four,
  i32,
  scale,
  shiftLeft,
  shiftRight,
  size,
  splat,
  u32,
  type Var,
  type Wgsl,
} from "./wgsl.ts";

export class BytesLoop implements InnerLoop {
  readonly steps: number;
  readonly #emitter: Emitter;
  readonly #problem: DotProblem;
  readonly #sides: { readonly a: CodesSide; readonly b: CodesSide };
  readonly #batch: Batch;
  /** Elements a step. */
  readonly #width: number;
  readonly #sums: readonly Var<"vec4i">[];
  /** Of the lane's own rows, where side b has a bias; of its columns, where side a has one. */
  readonly #rowSums: readonly Var<"i32">[];
  readonly #columnSums: Var<"vec4i"> | undefined;
  #columns: readonly E<"vec4u">[] = [];

  constructor(
    emitter: Emitter,
    problem: DotProblem,
    sides: { readonly a: CodesSide; readonly b: CodesSide },
    batch: Batch,
    { depth, sums, own }: { readonly depth: CodeDepth; readonly sums: number; readonly own: number },
  ) {
    const { wgsl } = emitter;
    this.#emitter = emitter;
    this.#problem = problem;
    this.#sides = sides;
    this.#batch = batch;
    this.#width = (32 * depth) / Math.min(sides.a.storage.bits, sides.b.storage.bits);
    this.steps = Math.ceil(problem.k / this.#width);
    this.#sums = Array.from({ length: sums }, () => wgsl.zero("c", "vec4i"));
    this.#rowSums = biasOf(sides.b) === 0 ? [] : Array.from({ length: own }, () => wgsl.zero("rs", "i32"));
    this.#columnSums = biasOf(sides.a) === 0 ? undefined : wgsl.zero("cs", "vec4i");
  }

  row(own: number, row: ScalarExpr, step: ScalarExpr): StepOf<readonly RowRegister[]> {
    const side = this.#sides.a;
    const words = readWords(this.#emitter, side, { ...this.#batch, row, step }, { first: 0, words: this.#words(side) });
    return {
      load: () => void words(),
      settle: () => {
        const bytes = this.#spread(side, words(), (word) => u32(word));
        const sum = this.#rowSums[own];
        if (sum !== undefined)
          this.#emitter.wgsl.accumulate(
            sum,
            bytes.map(total).reduce((a, b) => add(a, b)),
          );
        return bytes;
      },
    };
  }

  columns(columns: ScalarExpr, step: ScalarExpr): StepOf<void> {
    const side = this.#sides.b;
    const words = readColumns(
      this.#emitter,
      side,
      { columns, n: this.#problem.n },
      { ...this.#batch, step },
      { first: 0, words: this.#words(side) },
    );
    return {
      load: () => words.load(),
      settle: () => {
        this.#columns = this.#spread(side, words.settle(), (word) => splat(u32(word)));
        const totals = this.#columns.map((bytes) => four((lane) => total(component(bytes, lane))));
        if (this.#columnSums !== undefined)
          this.#emitter.wgsl.accumulate(
            this.#columnSums,
            totals.reduce((a, b) => add(a, b)),
          );
      },
    };
  }

  multiply(sum: number, row: readonly RowRegister[]): void {
    const products = row.map((own, i) => four((lane) => dot4I8Packed(own as E<"u32">, component(this.#columns[i] ?? missing(), lane))));
    this.#emitter.wgsl.accumulate(
      this.#sums[sum] ?? missing(),
      products.reduce((a, b) => add(a, b)),
    );
  }

  /**
   * With levels fx t + bx and fw t + bw of what is multiplied: fx fw sum(tx tw) + fx bw sum(tx) + fw bx sum(tw) + k' bx bw, where k' counts the
   * padding too, whose products are taken off again.
   */
  finish(take: TakeRow): readonly RowOfSums[] {
    const { wgsl } = this.#emitter;
    const { a, b } = this.#sides;
    const padded = this.steps * this.#width;
    const constant = padded * biasOf(a) * biasOf(b) - (padded - this.#problem.k) * a.offset * b.offset;
    const offset = splat(bitcast("i32", size(constant)));
    const ofColumns =
      this.#columnSums === undefined ? offset : wgsl.let("cs", add(offset, scale<"i32">(this.#columnSums, i32(b.factor * biasOf(a)))));
    const product = a.factor * b.factor;
    return this.#sums.map((sum, row) => {
      const scaled = add<"vec4i">(product === 1 ? sum : scale<"i32">(sum, i32(product)), ofColumns);
      const ofRow = this.#rowSums.length === 0 ? undefined : scale<"i32">(splat(take(this.#rowSums, row)), i32(a.factor * biasOf(b)));
      return wgsl.let("sum", ofRow === undefined ? scaled : add(scaled, ofRow));
    });
  }

  /** Words of a side at a step. */
  #words({ storage }: CodesSide): number {
    return (this.#width * storage.bits) / 32;
  }

  /** Words of four bytes, alike for both sides: as they lie, or where a side has fields of 4 bits, the even and the odd ones of each eight. */
  #spread<T extends "u32" | "vec4u">(side: CodesSide, words: readonly E<T>[], all: (word: number) => E<T>): readonly E<T>[] {
    const { wgsl } = this.#emitter;
    if (side.storage.bits === 4) return words.flatMap((word) => spreadFields(wgsl, word, all));
    const other = side === this.#sides.a ? this.#sides.b : this.#sides.a;
    if (other.storage.bits !== 4) return words;
    return words.flatMap((low, i) => (i % 2 === 0 ? sortBytes(wgsl, low, words[i + 1] ?? missing(), all) : []));
  }
}

/** Eight fields of 4 bits as bytes q + 8: the even ones, and the odd ones. */
function spreadFields<T extends "u32" | "vec4u">(wgsl: Wgsl, word: E<T>, all: (word: number) => E<T>): readonly E<T>[] {
  const raised = wgsl.let<T>("n", bitXor(word, all(0x88888888)));
  const mask = all(0x0f0f0f0f);
  return [wgsl.let<T>("e", bitAnd(raised, mask)), wgsl.let<T>("o", bitAnd(shiftRight(raised, all(4)), mask))];
}

/** Of eight bytes in two words, the even ones, and the odd ones. */
function sortBytes<T extends "u32" | "vec4u">(wgsl: Wgsl, low: E<T>, high: E<T>, all: (word: number) => E<T>): readonly E<T>[] {
  const evens = (word: E<T>): E<T> => {
    const spread = wgsl.let<T>("s", bitAnd(word, all(0x00ff00ff)));
    return bitAnd(bitOr(spread, shiftRight(spread, all(8))), all(0xffff));
  };
  const join = (a: E<T>, b: E<T>): E<T> => bitOr(a, shiftLeft(b, all(16)));
  const odd = (word: E<T>): E<T> => shiftRight(word, all(8));
  return [wgsl.let<T>("e", join(evens(low), evens(high))), wgsl.let<T>("o", join(evens(odd(low)), evens(odd(high))))];
}

const total = (bytes: E<"u32">): E<"i32"> => dot4I8Packed(bytes, u32(0x01010101));

/** What a level has beside `factor` times the byte that is multiplied: bytes hold q, spread fields q + 8. */
const biasOf = ({ storage, factor, offset }: CodesSide): number => (storage.bits === 4 ? offset - 8 * factor : offset);

function missing(): never {
  throw new Error("words of codes are missing");
}
