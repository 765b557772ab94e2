// Dimensions: integers, or sums of products of names with integer coefficients (`B*T`, `2*dim + 1`).

/** A monomial: coefficient (not 0) times names in alphabetical order, repeated for powers. */
interface Term {
  readonly factor: number;
  readonly names: readonly string[];
}

/** A number, or a polynomial that has at least one name. Build with the functions here: they keep it canonical. */
export type Dim = number | { readonly terms: readonly Term[] };

const key = (names: readonly string[]) => names.join("*");
const termsOf = (d: Dim): readonly Term[] => (typeof d === "number" ? (d === 0 ? [] : [{ factor: d, names: [] }]) : d.terms);

function canonical(terms: readonly Term[]): Dim {
  const byName = new Map<string, Term>();
  for (const term of terms) {
    const names = [...term.names].sort();
    const known = byName.get(key(names));
    byName.set(key(names), { factor: (known?.factor ?? 0) + term.factor, names });
  }
  const kept = [...byName.values()].filter((t) => t.factor !== 0);
  // Higher degree first, then alphabetical; the constant comes last.
  kept.sort((a, b) => b.names.length - a.names.length || (key(a.names) < key(b.names) ? -1 : 1));
  const [only] = kept;
  if (only === undefined) return 0;
  if (kept.length === 1 && only.names.length === 0) return only.factor;
  return { terms: kept };
}

export const symbol = (name: string): Dim => ({ terms: [{ factor: 1, names: [name] }] });
export const addDims = (a: Dim, b: Dim): Dim => canonical([...termsOf(a), ...termsOf(b)]);
export const subtractDims = (a: Dim, b: Dim): Dim => addDims(a, multiplyDims(b, -1));

export function multiplyDims(a: Dim, b: Dim): Dim {
  return canonical(termsOf(a).flatMap((x) => termsOf(b).map((y) => ({ factor: x.factor * y.factor, names: [...x.names, ...y.names] }))));
}

/** a / b where it is exact for every binding of the names (b a monomial), otherwise undefined. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  const [divisor, ...more] = termsOf(b);
  if (divisor === undefined || more.length > 0) return undefined;
  const quotient: Term[] = [];
  for (const term of termsOf(a)) {
    if (term.factor % divisor.factor !== 0) return undefined;
    const names = [...term.names];
    for (const name of divisor.names) {
      const at = names.indexOf(name);
      if (at < 0) return undefined;
      names.splice(at, 1);
    }
    quotient.push({ factor: term.factor / divisor.factor, names });
  }
  return canonical(quotient);
}

export const dimsEqual = (a: Dim, b: Dim): boolean => printDim(a) === printDim(b);
export const productOf = (dims: readonly Dim[]): Dim => dims.reduce(multiplyDims, 1);
export const shapesEqual = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => dimsEqual(d, b[i] ?? -1));

/** Replace names by numbers or other dims; names without a binding stay. */
export function bindDim(d: Dim, bindings: ReadonlyMap<string, Dim>): Dim {
  if (typeof d === "number") return d;
  return d.terms
    .map((t) => t.names.map((n) => bindings.get(n) ?? symbol(n)).reduce(multiplyDims, t.factor as Dim))
    .reduce(addDims, 0 as Dim);
}

export function namesOfDim(d: Dim): readonly string[] {
  return [...new Set(termsOf(d).flatMap((t) => t.names))];
}

/** `8`, `B`, `2*B*T`, `B*T + 1`, `T - 1`. */
export function printDim(d: Dim): string {
  if (typeof d === "number") return String(d);
  const parts = d.terms.map(({ factor, names }) => {
    const size = Math.abs(factor);
    return { sign: factor < 0 ? "-" : "+", text: [...(size !== 1 || names.length === 0 ? [String(size)] : []), ...names].join("*") };
  });
  return parts.map((p, i) => (i === 0 ? (p.sign === "-" ? `-${p.text}` : p.text) : ` ${p.sign} ${p.text}`)).join("");
}
