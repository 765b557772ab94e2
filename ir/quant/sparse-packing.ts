// Codes of a row that is pruned to half, as files have them: the levels that stay, and which two of each four units they are of (spec 1.5, 5.5).
import type { SparseUnit } from "../scalar.ts";
import { unitsOfGroup } from "../sparse.ts";

export interface SparseRowForm {
  readonly unit: SparseUnit;
  /** Of a level: one less than a code of the grid `sparse_half` has. */
  readonly levelBits: number;
}

/** A row of `columns` elements without what is pruned. Fields follow each other from the low bits up, and may go on in the next word. */
export interface PackedSparseRow {
  /** `levelBits` bits for each element that stays, two's complement: q of the level (q + 1/2) s. `columns / 2` fields. */
  readonly levels: Uint32Array;
  /** 2 bits for each unit that stays, its number in its group of four, ascending: `columns / (2 unit)` fields, 16 a word. */
  readonly units: Uint32Array;
}

const keptOfGroup = 2;
const unitBits = 2;

/** Bits of the levels, beside which codes have one more: for zero, which is no level of the half grid. Files need it not. */
export const levelBitsOf = (codeBits: number): number => codeBits - 1;

/** Bits that an element of a row takes, pruned ones among them. */
export const sparseBits = ({ unit, levelBits }: SparseRowForm): number => levelBits / 2 + unitBits / (2 * unit);

/** From the codes of the grid `sparse_half`, whole groups of them. Throws where a group has not two units that stay. */
export function packSparseRow(codes: ArrayLike<number>, { unit, levelBits }: SparseRowForm): PackedSparseRow {
  const group = unitsOfGroup * unit;
  if (codes.length % group !== 0) throw new Error(`${codes.length} codes are not groups of ${group}`);
  const levels = new Uint32Array(words((codes.length / 2) * levelBits));
  const units = new Uint32Array(words((codes.length / (2 * unit)) * unitBits));
  let kept = 0;
  for (let first = 0; first < codes.length; first += unit) {
    // Levels of what stays are odd, so zero is a pruned element's alone.
    if ((codes[first] ?? 0) === 0) continue;
    if (Math.floor(kept / keptOfGroup) !== Math.floor(first / group))
      throw new Error(`the group of element ${first} has not two units that stay`);
    writeField(units, kept, unitBits, (first % group) / unit);
    for (let i = 0; i < unit; i++) writeField(levels, kept * unit + i, levelBits, ((codes[first + i] ?? 0) - 1) / 2);
    kept++;
  }
  if (kept * 2 * unit !== codes.length) throw new Error("a group has not two units that stay");
  return { levels, units };
}

/** The codes again, zero where an element was pruned. */
export function unpackSparseRow({ levels, units }: PackedSparseRow, columns: number, { unit, levelBits }: SparseRowForm): Int32Array {
  const group = unitsOfGroup * unit;
  const codes = new Int32Array(columns);
  for (let kept = 0; kept < columns / (2 * unit); kept++) {
    const first = Math.floor(kept / keptOfGroup) * group + readField(units, kept, unitBits) * unit;
    for (let i = 0; i < unit; i++) {
      const level = readField(levels, kept * unit + i, levelBits);
      codes[first + i] = 2 * (level >= 2 ** (levelBits - 1) ? level - 2 ** levelBits : level) + 1;
    }
  }
  return codes;
}

const words = (bits: number): number => Math.ceil(bits / 32);

function writeField(into: Uint32Array, index: number, bits: number, value: number): void {
  for (let i = 0; i < bits; i++) {
    const at = index * bits + i;
    into[at >>> 5] = (into[at >>> 5] ?? 0) | (((value >> i) & 1) << (at & 31));
  }
}

function readField(from: Uint32Array, index: number, bits: number): number {
  let value = 0;
  for (let i = 0; i < bits; i++) {
    const at = index * bits + i;
    value |= (((from[at >>> 5] ?? 0) >>> (at & 31)) & 1) << i;
  }
  return value;
}
