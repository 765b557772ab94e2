// Comparing speeds on a machine that does other things too: the sides take turns, and what counts is the ratio within each turn.

export interface Comparison {
  /** Median over the rounds of a side's time to that of the first side: below 1 is faster. */
  readonly ratio: number;
  /** Share of the rounds in which it was faster. */
  readonly won: number;
}

/** Time every side once a round, in turn. Answers for each side, the first one too, how it stands to the first. */
export async function alternate(
  sides: readonly (() => Promise<number>)[],
  rounds: number,
): Promise<readonly (Comparison & { readonly ms: number })[]> {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    // Whoever runs behind another's caches is not always the same one.
    const order = [...sides.keys()];
    if (round % 2 === 1) order.reverse();
    for (const side of order) times[side]?.push((await sides[side]?.()) ?? Number.NaN);
  }
  const [first = []] = times;
  return times.map((own) => {
    const ratios = own.map((ms, round) => ms / (first[round] ?? Number.NaN));
    return { ms: median(own), ratio: median(ratios), won: ratios.filter((r) => r < 1).length / rounds };
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}
