// QuEST (arXiv:2502.05003) written out once more in plain f64 loops, rows or groups: what tests compare with. Uses nothing of ours.

/** MSE-optimal clip scales of N(0, 1) for 1 to 8 bits, in units of the rms (the published code's values). */
const optimal = [
  0.7978845587140913, 1.4935346200015913, 2.051068354131873, 2.513930578568423, 2.9160938834961225, 3.276597282593217, 3.6010497188221655,
  3.884938678807525,
];

/** Sylvester's orthonormal matrix times each block of `block` consecutive elements: written out, not butterflies. */
export function rotated(data: ArrayLike<number>, block: number): number[] {
  if (block === 1) return Array.from(data);
  const parity = (bits: number): number => (bits === 0 ? 0 : (bits & 1) ^ parity(bits >> 1));
  return Array.from({ length: data.length }, (_, i) => {
    const start = i - (i % block);
    let sum = 0;
    for (let j = 0; j < block; j++) sum += (parity((i % block) & j) === 1 ? -1 : 1) * (data[start + j] ?? 0);
    return sum / Math.sqrt(block);
  });
}

export interface QuantizedElement {
  readonly code: number;
  /** Whether the gradient passes: 1 or 0. */
  readonly trusted: number;
  readonly step: number;
  /** Distance in steps to the nearest place where code or mask change. */
  readonly margin: number;
}

export interface QuestSettings {
  readonly bits: number;
  /** Consecutive elements that share a scale. */
  readonly group: number;
  readonly block: number;
  /** The mask's factor of the scale; absent: the trust rule. */
  readonly outer?: number;
}

/** Code, mask and step of each element. The threshold of trust is without the scale's epsilon, as in the reference. */
export function quantized(data: ArrayLike<number>, { bits, group, block, outer }: QuestSettings): readonly QuantizedElement[] {
  const values = rotated(data, block);
  const [n, alpha = Number.NaN] = [2 ** bits, optimal[bits - 1]];
  return values.map((v, i): QuantizedElement => {
    const members = values.slice(i - (i % group), i - (i % group) + group);
    const rms = Math.sqrt(members.reduce((total, m) => total + m * m, 0) / group);
    const scale = alpha * rms + 1e-8;
    const step = (2 * scale) / (n - 1);
    const code = Math.max(-n / 2, Math.min(n / 2 - 1, Math.floor(v / step)));
    const fromCode = Math.abs(v / step - Math.round(v / step));
    if (outer === undefined) {
      const trusted = Math.abs((code + 0.5) * step - v) <= (alpha / (n - 1)) * rms;
      return { code, trusted: trusted ? 1 : 0, step, margin: fromCode };
    }
    const fromLimit = Math.abs(Math.abs(v) - outer * scale) / step;
    return { code, trusted: Math.abs(v) <= outer * scale ? 1 : 0, step, margin: Math.min(fromCode, fromLimit) };
  });
}
