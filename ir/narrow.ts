// Values as narrow scalar types hold them.
import type { Scalar } from "./type.ts";

/** The narrower of a scalar type's two descriptions: bits of the significand, smallest normal exponent, largest number. */
const floatFormats = {
  f16: { significand: 10, smallestExponent: -14, largest: 65504 },
  bf16: { significand: 7, smallestExponent: -126, largest: 3.3895313892515355e38 },
} as const;

/** Whether values of a type are narrower than the arrays that hold them. */
export const isNarrow = (scalar: Scalar): boolean => scalar in floatFormats || scalar === "i8" || scalar === "u8";

/** x as the type holds it: floats to the nearest (half to even, too large ones infinite), integers wrapped. */
export function narrowed(x: number, scalar: Scalar): number {
  switch (scalar) {
    case "f16":
    case "bf16": {
      if (!Number.isFinite(x) || x === 0) return x;
      const { significand, smallestExponent, largest } = floatFormats[scalar];
      const quantum = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), smallestExponent) - significand);
      const nearest = roundHalfEven(x / quantum) * quantum;
      return Math.abs(nearest) > largest ? Math.sign(x) * Infinity : nearest;
    }
    case "i8":
      return (x << 24) >> 24;
    case "u8":
      return x & 255;
    case "f32":
    case "i32":
    case "u32":
    case "bool":
    case "b1":
      return x;
    default:
      return scalar satisfies never;
  }
}

/** Half to even, as in WGSL and PyTorch; `Math.round` is not. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest < 0.5) return low;
  if (rest > 0.5) return low + 1;
  return low % 2 === 0 ? low : low + 1;
}
