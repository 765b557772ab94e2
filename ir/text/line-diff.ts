// Difference of two texts by lines, in time n log n: lines that stand once in both texts are the anchors (patience diff). Lines of IR
// name what they compute, so nearly all of them stand once, and the result is then a shortest one.

export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** Lines of both texts in order; of lines that changed the old ones come first. */
export function diffLines(before: readonly string[], after: readonly string[]): readonly DiffLine[] {
  const out: DiffLine[] = [];
  let [a, b] = [0, 0];
  const upTo = (endA: number, endB: number): void => {
    // Around an anchor, equal lines that stand several times are still equal.
    while (a < endA && b < endB && before[a] === after[b]) keep();
    let tail = 0;
    while (endA - tail > a && endB - tail > b && before[endA - tail - 1] === after[endB - tail - 1]) tail++;
    while (a < endA - tail) out.push({ kind: "removed", text: before[a++] ?? "" });
    while (b < endB - tail) out.push({ kind: "added", text: after[b++] ?? "" });
    while (a < endA) keep();
  };
  const keep = (): void => {
    out.push({ kind: "same", text: before[a++] ?? "" });
    b++;
  };
  for (const [atA, atB] of anchors(before, after)) upTo(atA, atB);
  upTo(before.length, after.length);
  return out;
}

/** The longest list of lines that stand once in both texts, in the same order in both: their numbers. */
function anchors(before: readonly string[], after: readonly string[]): readonly (readonly [number, number])[] {
  const inAfter = placesOf(after);
  const pairs = [...placesOf(before)].flatMap(([text, at]): readonly (readonly [number, number])[] => {
    const other = inAfter.get(text);
    return at === undefined || other === undefined ? [] : [[at, other]];
  });
  pairs.sort((x, y) => x[0] - y[0]);
  // Longest increasing subsequence: `piles` holds the pair that ends the best list of each length.
  const piles: number[] = [];
  const previous: number[] = [];
  for (const [i, [, place]] of pairs.entries()) {
    let [low, high] = [0, piles.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((pairs[piles[middle] ?? 0]?.[1] ?? 0) < place) low = middle + 1;
      else high = middle;
    }
    previous[i] = low === 0 ? -1 : (piles[low - 1] ?? -1);
    piles[low] = i;
  }
  const found: (readonly [number, number])[] = [];
  for (let at = piles.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) {
    const pair = pairs[at];
    if (pair !== undefined) found.push(pair);
  }
  return found.reverse();
}

/** The place of each line; undefined where it stands several times. */
function placesOf(lines: readonly string[]): ReadonlyMap<string, number | undefined> {
  const places = new Map<string, number | undefined>();
  for (const [i, line] of lines.entries()) places.set(line, places.has(line) ? undefined : i);
  return places;
}
