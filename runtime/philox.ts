// Philox 4x32-10, a counter-based random number generator (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).

export type Counter = readonly [number, number, number, number];
export type Key = readonly [number, number];

const multiplierA = 0xd2511f53;
const multiplierB = 0xcd9e8d57;
const weylA = 0x9e3779b9;
const weylB = 0xbb67ae85;

/** Four random 32-bit words of a counter and a key (each word unsigned). */
export function philox(counter: Counter, key: Key): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const highA = multiplyHigh(multiplierA, c0);
    const lowA = Math.imul(multiplierA, c0) >>> 0;
    const highB = multiplyHigh(multiplierB, c2);
    const lowB = Math.imul(multiplierB, c2) >>> 0;
    c0 = (highB ^ c1 ^ k0) >>> 0;
    c1 = lowB;
    c2 = (highA ^ c3 ^ k1) >>> 0;
    c3 = lowA;
    k0 = (k0 + weylA) >>> 0;
    k1 = (k1 + weylB) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/**
 * A stream of 32-bit words that depends on nothing but a seed and a name: the key is the seed, half of the counter is a hash of the name.
 * Streams of different names never overlap unless their 64-bit hashes meet.
 */
export function wordStream(seed: number, name: string): () => number {
  const key = seedKey(seed);
  const [hashLow, hashHigh] = hash64(name);
  let block = 0;
  let words: readonly number[] = [];
  let next = 4;
  return () => {
    if (next === 4) {
      words = philox([block >>> 0, Math.floor(block / 2 ** 32), hashLow, hashHigh], key);
      block++;
      next = 0;
    }
    return words[next++] ?? 0;
  };
}

/** A whole number below `bound` (at most 2^32), without bias: words in the last, incomplete span are drawn again. */
export function below(next: () => number, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const word = next();
    if (word < limit) return word % bound;
  }
}

/** The numbers 0 to n - 1 in random order (Fisher-Yates), the same for the same seed and name. */
export function permutation(n: number, seed: number, name: string): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const next = wordStream(seed, name);
  for (let i = n - 1; i > 0; i--) {
    const j = below(next, i + 1);
    const here = order[i] ?? 0;
    order[i] = order[j] ?? 0;
    order[j] = here;
  }
  return order;
}

/** A seed is a whole number from 0 to 2^53 - 1. */
function seedKey(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`a seed is a whole number from 0 to 2^53 - 1, got ${seed}`);
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/** FNV-1a with 64 bits over the UTF-8 bytes: low and high word. */
function hash64(text: string): readonly [number, number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return [Number(hash & 0xffffffffn), Number(hash >> 32n)];
}

/** The upper 32 bits of the product of two unsigned 32-bit numbers, by halves: the whole does not fit a double. */
function multiplyHigh(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(cross / 65536)) >>> 0;
}
