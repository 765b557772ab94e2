// Comparing what two graphs computed: where they first differ, in words.
import { epsilon } from "../ir/sum-error.ts";
import { magnitude, type Rows } from "./levels.ts";

/** `[3, 17]`; without `columns`, of a vector, `[17]`. */
export const placeOf = (index: number, columns?: number): string =>
  columns === undefined ? `[${index}]` : `[${Math.floor(index / columns)}, ${index % columns}]`;

/** The first element that differs, or undefined. NaN equals NaN. */
export function firstDifference(
  what: string,
  served: ArrayLike<number>,
  trained: ArrayLike<number>,
  columns: number | undefined,
  by: { readonly served: string; readonly trained: string },
): string | undefined {
  if (served.length !== trained.length) return `${served.length} ${what}s in ${by.served}, ${trained.length} in ${by.trained}`;
  let first: number | undefined;
  let count = 0;
  for (let i = 0; i < trained.length; i++) {
    if (Object.is(served[i], trained[i])) continue;
    first ??= i;
    count++;
  }
  if (first === undefined) return undefined;
  const others = count === 1 ? "" : `, and ${count - 1} more differ`;
  return `${what} ${placeOf(first, columns)} is ${served[first]} in ${by.served}, ${trained[first]} in ${by.trained}${others}`;
}

/** The results of one layer: by the packed model, by the training graph, and what was multiplied. */
export interface LayerResults {
  readonly served: Float32Array;
  readonly trained: Float32Array;
  readonly activation: Rows;
  readonly weight: Rows;
  readonly isWeightFirst: boolean;
}

export interface Within {
  /** Largest distance, as a share of what is allowed there. */
  readonly worst: number;
  /** Rows of activations that were compared. */
  readonly rows: number;
  readonly difference?: string;
}

/** Products that a layer's bounds may take to compute: with more, evenly spaced rows of activations stand for all. */
const mostProducts = 2 ** 27;

/**
 * Whether each result lies within K eps sum|a b| of the other graph's: both add up the same K products, in whatever order. (K eps is what a sum in any
 * order may lose, Higham, Accuracy and Stability of Numerical Algorithms, section 4.2.)
 */
export function withinSums({ served, trained, activation, weight, isWeightFirst }: LayerResults): Within {
  const { columns } = activation;
  const [rows, outputs] = [activation.values.length / columns, weight.values.length / columns];
  const compared = Math.max(1, Math.min(rows, Math.floor(mostProducts / (outputs * columns))));
  let worst = 0;
  for (let step = 0; step < compared; step++) {
    const row = Math.floor((step * rows) / compared);
    for (let output = 0; output < outputs; output++) {
      const at = isWeightFirst ? output * rows + row : row * outputs + output;
      const [a, b] = [served[at] ?? Number.NaN, trained[at] ?? Number.NaN];
      if (a === b) continue;
      const allowed = columns * epsilon * magnitude(activation, row, weight, output);
      const share = Math.abs(a - b) / allowed;
      // NaN is no distance that is allowed.
      if (!(share <= 1)) {
        const place = placeOf(at, isWeightFirst ? rows : outputs);
        return {
          worst: share,
          rows: compared,
          difference: `output ${place} is ${a} packed and ${b} in training, ${allowed} apart are allowed`,
        };
      }
      worst = Math.max(worst, share);
    }
  }
  return { worst, rows: compared };
}
