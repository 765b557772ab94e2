// Contractions of codes on integers, exact: bit planes by xor and popcount, or bytes four at a time.
import type { CodeDepth, DotOperand, DotProblem } from "../../ir/plan.ts";
import { binary, plus, type ScalarExpr, type Storage, times, uint, variable } from "../../ir/scalar.ts";
import type { StepOf } from "./dot-inner.ts";
import type { Emitter } from "./emitter.ts";
import { type E, four, lanes } from "./wgsl.ts";

/** One side of a contraction whose elements are `factor * code + offset`, codes packed along k. */
export interface CodesSide {
  readonly binding: number;
  readonly storage: Extract<Storage, { kind: "packed" }>;
  /** Over `row` and the batch's variables. */
  readonly row: ScalarExpr;
  readonly factor: number;
  readonly offset: number;
}

export interface CodesProblem {
  readonly kind: "planes" | "bytes";
  readonly a: CodesSide;
  readonly b: CodesSide;
}

/** What a contraction of i32 elements reads, or why no template takes it. */
export function codesOf(problem: DotProblem): CodesProblem | string {
  const [a, b] = [readSide(problem.a), readSide(problem.b)];
  if (a === undefined || b === undefined) return "a contraction of integers takes codes that run along k, times a factor, plus an offset";
  const isPlanes = (side: CodesSide) => side.storage.layout === "planes";
  if (isPlanes(a) && isPlanes(b)) {
    // Bit i of q + 2^(b-1) as +1 or -1, times 2^i, adds up to 2q + 1.
    const isHalfGrid = [a, b].every((side) => side.factor === 2 && side.offset === 1);
    return isHalfGrid ? { kind: "planes", a, b } : "bit planes hold levels of the half grid";
  }
  const areFields = [a, b].every(({ storage: { layout, bits, signed } }) => layout === "linear" && signed && (bits === 4 || bits === 8));
  return areFields ? { kind: "bytes", a, b } : "codes to multiply lie as planes on both sides, or in signed fields of 4 or 8 bits on both";
}

/** Matches `code`, `factor * code` and `factor * code + offset`, as passes/plan-dot.ts writes them. */
function readSide({ element, contracted }: DotOperand): CodesSide | undefined {
  if (contracted !== "column") return undefined;
  const constantOf = (e: ScalarExpr) => (e.kind === "const" ? e.value : undefined);
  const [scaled, offset] = element.kind === "binary" && element.op === "add" ? [element.a, constantOf(element.b)] : ([element, 0] as const);
  const [code, factor] = scaled.kind === "binary" && scaled.op === "mul" ? [scaled.a, constantOf(scaled.b)] : ([scaled, 1] as const);
  if (code.kind !== "load" || code.storage.kind !== "packed" || factor === undefined || offset === undefined) return undefined;
  if (code.column.kind !== "variable" || code.column.name !== "column") return undefined;
  return { binding: code.binding, storage: code.storage, row: code.row, factor, offset };
}

interface WordsOfStep {
  /** Where the first word lies in the row at step 0. */
  readonly first: number;
  /** 1, 2, or a multiple of 4. Steps follow each other. */
  readonly words: number;
}

/** Words of a row at a step, loaded when the function that is answered is called first. */
export function readWords(
  emitter: Emitter,
  { binding, storage, row }: CodesSide,
  variables: Readonly<Record<string, ScalarExpr>>,
  { first, words }: WordsOfStep,
): () => readonly E<"u32">[] {
  const width: CodeDepth = words === 1 || words === 2 ? words : 4;
  // Rows and planes start at multiples of four words, so positions count in vectors.
  const start = plus(times(row, uint(storage.pitch / width)), uint(first / width));
  const step = variable("step", 2 ** 20);
  const places = Array.from({ length: words / width }, (_, i) =>
    emitter.prepare(plus(start, plus(times(step, uint(words / width)), uint(i))), variables),
  );
  let known: readonly E<"u32">[] | undefined;
  return () => {
    known ??= places.flatMap((place) => emitter.wgsl.readWords(binding, emitter.scalar(place, "u32"), width));
    return known;
  };
}

/** The same of a lane's four columns: for each word, one vector over the columns. */
export function readColumns(
  emitter: Emitter,
  side: CodesSide,
  { columns, n }: { readonly columns: ScalarExpr; readonly n: number },
  variables: Readonly<Record<string, ScalarExpr>>,
  step: WordsOfStep,
): StepOf<readonly E<"vec4u">[]> {
  const ofColumns = lanes.map((lane) => {
    const column = plus(times(columns, uint(4)), uint(lane));
    return readWords(emitter, side, { ...variables, row: n % 4 === 0 ? column : binary("min", column, uint(n - 1)) }, step);
  });
  return {
    load: () => {
      for (const column of ofColumns) column();
    },
    // Transposed in registers, which costs nothing.
    settle: () => {
      const words = ofColumns.map((column) => column());
      return (words[0] ?? []).map((_, word) =>
        emitter.wgsl.let(
          "b",
          four((lane) => words[lane]?.[word] ?? missing()),
        ),
      );
    },
  };
}

function missing(): never {
  throw new Error("a column's word is missing");
}
