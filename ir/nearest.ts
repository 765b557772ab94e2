// Help for a name that is not known: the nearest one, or what there is.

const longestList = 12;

/**
 * The candidate with the fewest edits from `name`, in any case of letters, or undefined where none is near: a third of its letters may
 * differ, and nothing is near to names of one or two letters.
 */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.floor(name.length / 3) + 1;
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) >= least) continue;
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < least) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

/** Help lines with the nearest name in backquotes, or none. */
export function didYouMean(name: string, candidates: Iterable<string>, quote: (name: string) => string = (n) => n): readonly string[] {
  const near = nearest(name, candidates);
  return near === undefined ? [] : [`did you mean \`${quote(near)}\`?`];
}

/** `did you mean \`weight\`?`, or a list of the names where none is near and they are few. */
export function suggest(name: string, known: Iterable<string>): readonly string[] {
  const names = [...new Set(known)].filter((n) => n !== "");
  const near = didYouMean(name, names);
  if (near.length > 0 || names.length === 0 || names.length > longestList) return near;
  return [`there ${names.length === 1 ? "is" : "are"} ${names.map((n) => `\`${n}\``).join(", ")}`];
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] && i > 1 && j > 1) edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      row.push(edits);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
