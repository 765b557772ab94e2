// The Walsh-Hadamard butterflies of a span that a team of lanes holds: lane s has vector s * vectors + j.
// Stages go from neighbours outwards (inside a vector, between a lane's vectors, between lanes), as in the reference.
import type { Exchange } from "./exchange.ts";
import { add, bitAnd, component, type E, eq, f32, scale, select, sub, u32, type Var, vec4, type Wgsl } from "./wgsl.ts";

/** Transform blocks of `block` elements (a power of two) in place, orthonormally. */
export function transformSpan(wgsl: Wgsl, exchange: Exchange, vectors: readonly Var<"vec4f">[], block: number): void {
  if (block === 1) return;
  for (const v of vectors) insideVector(wgsl, v, block);
  for (let mask = 1; mask < Math.min(vectors.length, block / 4); mask *= 2) {
    for (const [j, v] of vectors.entries()) {
      const other = vectors[j + mask];
      if ((j & mask) !== 0 || other === undefined) continue;
      const [a, b] = [wgsl.let("a", v), wgsl.let("b", other)];
      wgsl.assign(v, add(a, b));
      wgsl.assign(other, sub(a, b));
    }
  }
  for (let mask = 1; mask < block / (4 * vectors.length); mask *= 2) {
    const sign = wgsl.let("sign", select(eq(bitAnd(exchange.lane, u32(mask)), u32(0)), f32(1), f32(-1)));
    for (const v of vectors) wgsl.assign(v, add(scale<"f32">(v, sign), exchange.xor(v, mask)));
  }
  const norm = f32(1 / Math.sqrt(block));
  for (const v of vectors) wgsl.assign(v, scale<"f32">(v, norm));
}

function insideVector(wgsl: Wgsl, v: Var<"vec4f">, block: number): void {
  const pairs = (a: E<"vec4f">): E<"vec4f"> => {
    const [x, y, z, w] = [component(a, 0), component(a, 1), component(a, 2), component(a, 3)];
    return vec4(add(x, y), sub(x, y), add(z, w), sub(z, w));
  };
  const p = wgsl.let("p", pairs(v));
  if (block === 2) {
    wgsl.assign(v, p);
    return;
  }
  const [x, y, z, w] = [component(p, 0), component(p, 1), component(p, 2), component(p, 3)];
  wgsl.assign(v, vec4(add(x, z), add(y, w), sub(x, z), sub(y, w)));
}
