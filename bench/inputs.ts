// The data of the works: the same numbers for every subject, from one small generator.

/** Whole numbers below `below`, from a linear congruential generator (Numerical Recipes' constants). */
export function wholeNumbers(count: number, below: number): Int32Array<ArrayBuffer> {
  const next = generator();
  return Int32Array.from({ length: count }, () => Math.floor(next() * below));
}

/** Numbers that look normal: mean 0, deviation 1 (the sum of twelve uniform ones less six). */
export function normalNumbers(count: number): Float32Array<ArrayBuffer> {
  const next = generator();
  return Float32Array.from({ length: count }, () => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += next();
    return sum;
  });
}

/** Numbers in [0, 1). */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The sizes that the works speak of. */
export const matmulSize = { m: 1024, k: 256, n: 768 } as const;
export const mlpSize = { batch: 256, widths: [784, 512, 512, 10] } as const;
export const gptSize = { batch: 8, context: 128, dim: 128, depth: 4, heads: 4, vocab: 256 } as const;

/** Images and their labels, 0 to 9. */
export const mlpBatch = () => ({
  images: normalNumbers(mlpSize.batch * mlpSize.widths[0]),
  labels: wholeNumbers(mlpSize.batch, 10),
});

/** One row for each text, a token longer than the context: token i + 1 is the target of token i. */
export const gptTokens = (): Int32Array<ArrayBuffer> => wholeNumbers(gptSize.batch * (gptSize.context + 1), gptSize.vocab);

/** Those tokens as ids and targets, both [batch * context]. */
export function gptBatch(): { readonly ids: Int32Array<ArrayBuffer>; readonly targets: Int32Array<ArrayBuffer> } {
  const tokens = gptTokens();
  const { batch, context } = gptSize;
  const from = (first: number) =>
    Int32Array.from({ length: batch * context }, (_, i) => tokens[Math.floor(i / context) * (context + 1) + (i % context) + first] ?? 0);
  return { ids: from(0), targets: from(1) };
}
