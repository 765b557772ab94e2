// IEEE 754 binary16 (f16): numbers to bits and back. Not every Node that we support has a Float16Array.
import { roundHalfEven } from "./narrow.ts";

const infinity = 0x7c00;
/** The smallest normal number; below it numbers stand 2^-24 apart. */
const smallestNormal = 2 ** -14;

/** The number that 16 bits stand for. */
export function halfValue(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The bits of the nearest f16, half to even; from 65520 on that is infinity. */
export function halfBits(x: number): number {
  if (Number.isNaN(x)) return 0x7e00;
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size >= 65520) return sign | infinity;
  // A carry out of the significand makes the next exponent, which is right in both cases.
  if (size < smallestNormal) return sign | roundHalfEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign | (((exponent + 14) << 10) + roundHalfEven(size / 2 ** (exponent - 10)));
}
