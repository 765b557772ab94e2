// How a team of lanes walks along a row: in spans, of which each lane has some vectors of four that lie together, so that it completes most
// words of packed results by itself. A row of few spans is held in registers from its statistic to its codes; a longer one is loaded twice.
import type { RowsProblem, Store } from "../../ir/plan.ts";
import { storesOf } from "../../ir/problem.ts";
import { childrenOf, type ScalarExpr } from "../../ir/scalar.ts";
import { unitsOfGroup } from "../../ir/sparse.ts";
import { writtenColumns } from "./packed-place.ts";
import { keptIn } from "./rows-sparse.ts";
import { elementsPerWord, isPacked } from "./store.ts";

/** Vectors of four that a lane loads in one span: each is a load instruction, and lavapipe's are 1.5 KB long (16 of them fill its cache). */
export const mostVectors = 8;
/** Vectors that a lane holds at once. Beyond it registers spill so much that loading and transforming twice is faster. */
const mostHeld = 16;

export interface RowWalk {
  /** Lanes of the team. */
  readonly lanes: number;
  /** Vectors of four a lane and span; a lane's lie side by side. */
  readonly vectors: number;
  /** Elements taken at once, `4 * vectors * lanes`: a multiple of the block and of the elements of every word that is stored. */
  readonly span: number;
  /** Spans that hold elements, and spans that hold elements or padding that is written. */
  readonly spans: number;
  readonly storedSpans: number;
  /** Whether every span lies inside the row: then nothing is clamped or guarded. */
  readonly exact: boolean;
  /** How what follows from the statistic gets at the row: `held` in registers, or loaded `twice`. */
  readonly passes: "held" | "twice";
}

/** Elements that a span must be a multiple of, beside four a lane: blocks, words and groups that are pruned lie within one. */
export const spanUnit = (problem: RowsProblem): number =>
  Math.max(
    problem.block,
    ...storesOf(problem)
      .filter(isPacked)
      .map(({ storage }) => elementsPerWord(storage)),
    ...keptIn(problem.stores).map(({ unit }) => unitsOfGroup * unit),
  );

/** Columns that hold elements, or padding that is written. */
export const storedColumns = (problem: RowsProblem): number =>
  Math.max(problem.columns, ...problem.stores.filter(isPacked).map((store) => writtenColumns(store, problem.columns)));

/** Dense, and known before the row is transformed: what is loaded, stored for others too. It is written as soon as a span is loaded. */
export const isEarly = (store: Store): boolean => !isPacked(store) && !takesInput(store.value);

function takesInput(e: ScalarExpr, seen = new Set<ScalarExpr>()): boolean {
  if (e.kind === "input") return true;
  if (seen.has(e)) return false;
  seen.add(e);
  return childrenOf(e).some((child) => takesInput(child, seen));
}

export function walkOf(problem: RowsProblem, lanes: number, vectors: number): RowWalk {
  const span = 4 * lanes * vectors;
  const [spans, storedSpans] = [Math.ceil(problem.columns / span), Math.ceil(storedColumns(problem) / span)];
  // What is held is stored by instructions of its own for each span. Dense results would need many, with a branch each where the row ends.
  const held =
    storedSpans === 1 || (storedSpans * vectors <= mostHeld && problem.stores.every((store) => isPacked(store) || isEarly(store)));
  return {
    lanes,
    vectors,
    span,
    spans,
    storedSpans,
    exact: spans * span === problem.columns && storedSpans === spans,
    passes: held ? "held" : "twice",
  };
}
