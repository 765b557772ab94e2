// The scaling law over sizes, tokens and precisions, and the rows of results that it is fitted to.

/**
 * One training run: a line of a results file (JSON lines), and a row of the published tables. Sizes enter the law as they stand, so all
 * rows of a file must count alike.
 */
export interface ResultRow {
  /** Parameters without embeddings. */
  readonly n: number;
  /** Tokens trained on, repeated ones included. */
  readonly d: number;
  /** Name of the precision: rows of one name share one efficiency. */
  readonly p: string;
  /** Bits a weight takes; 2.5 for a sparse one. One value for each precision. */
  readonly bits: number;
  /** Held-out loss at the end, nats per token. */
  readonly loss: number;
  /** Precisions of one method, among which the best one is named. Left out: all of the file are one series. */
  readonly series?: string;
  readonly seed?: number;
}

/** L(N, D, P) = A / (N eff(P))^alpha + B / D^beta + E, in nats per token (QuEST, arXiv:2502.05003, after Hoffmann et al. 2022, equation 2). */
export interface ScalingLaw {
  readonly A: number;
  readonly alpha: number;
  readonly B: number;
  readonly beta: number;
  readonly E: number;
  /** Share of its parameters that a model of a precision is worth; 1 for the reference. */
  readonly eff: Readonly<Record<string, number>>;
}

/** The loss that the law gives a run, in nats per token. */
export function predictLoss({ A, alpha, B, beta, E, eff }: ScalingLaw, { n, d, p }: Pick<ResultRow, "n" | "d" | "p">): number {
  const efficiency = eff[p];
  if (efficiency === undefined) throw new Error(`the law has no precision ${p}`);
  return A / (n * efficiency) ** alpha + B / d ** beta + E;
}

/** Precisions with their bits and series, in order of first appearance. */
export interface Precision {
  readonly p: string;
  readonly bits: number;
  readonly series: string;
}

export function precisionsOf(rows: readonly ResultRow[]): readonly Precision[] {
  const found = new Map<string, Precision>();
  for (const { p, bits, series = "" } of rows) if (!found.has(p)) found.set(p, { p, bits, series });
  return [...found.values()];
}
