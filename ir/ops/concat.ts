// Joining along an axis: fixed pieces, and a piece whose place is data (a cache).
import { axis, int } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import type { Value } from "../module.ts";
import { define, signature, variadic } from "../op.ts";
import { allocate, contiguous, denseTensor } from "../tensor.ts";
import { elementCount, printType, shapeOf, type Type, tensor, withDims } from "../type.ts";
import { numbers, requireAxis, requireRankZero, requireScalar } from "./checks.ts";
import { greaterEqual, select } from "./compare.ts";
import { iota, splat } from "./source.ts";
import { pad, slice } from "./views.ts";

export const concat = signature({
  name: "concat",
  summary: "The operands one behind the other along one axis; all other axes agree.",
  operands: variadic("parts"),
  attrs: { axis },
});
export const concatOp = define(concat, {
  infer(parts, { axis: along }) {
    const [first, ...others] = parts.map((part) => requireScalar("concat", "parts", part, numbers));
    if (first === undefined) return reject("`concat` takes one or more parts");
    const total = [first, ...others].reduce((size, part) => size + sizeAlong(part, along), 0);
    const rest = (type: Type) => printType(withDims(type, type.dims.toSpliced(along, 1)));
    const misfit = others.find((part) => rest(part) !== rest(first));
    if (misfit !== undefined) return reject(`\`concat\` along axis ${along} of ${printType(first)} and ${printType(misfit)}`);
    return withDims(first, first.dims.toSpliced(along, 1, total));
  },
  evaluate: "from lower",
  vjp(b, [ct], parts, _results, { axis: along }) {
    if (ct === undefined) return parts.map(() => undefined);
    return startsOf(parts, along).map(({ start, size }) => b.emit(slice, [ct], { axis: along, start, size }));
  },
  lower: {
    kind: "expand",
    expand(b, parts, { axis: along }) {
      const places = startsOf(parts, along);
      const total = places.reduce((n, { size }) => n + size, 0);
      const [first, ...others] = parts.map((part, i) => {
        const { start = 0, size = 0 } = places[i] ?? {};
        return b.emit(pad, [part], { axis: along, before: start, after: total - start - size });
      });
      if (first === undefined) throw new Error("concat of nothing");
      const positions = b.emit(iota, [], { axis: along, type: tensor("i32", first.type.dims) });
      // The last part whose start has been reached.
      return others.reduce((before, part, i) => {
        const start = splat(b, positions.type, places[i + 1]?.start ?? 0);
        return b.emit(select, [b.emit(greaterEqual, [positions, start]), part, before]);
      }, first);
    },
  },
});

function sizeAlong(type: Type, along: number): number {
  const size = requireAxis("concat", type, along);
  return typeof size === "number" ? size : reject(`\`concat\` along axis ${along} of ${printType(type)} needs its size`);
}

function startsOf(parts: readonly Value[], along: number): readonly { readonly start: number; readonly size: number }[] {
  let start = 0;
  return parts.map(({ type }) => {
    const size = sizeAlong(type, along);
    start += size;
    return { start: start - size, size };
  });
}

export const cacheWrite = signature({
  name: "cache_write",
  summary: "The cache with `fresh` in it from position `first` on along one axis; what would lie outside is dropped.",
  operands: ["cache", "fresh", "first"],
  attrs: { axis: int },
});
export const cacheWriteOp = define(cacheWrite, {
  infer([cache, fresh, first], { axis: along }) {
    const type = requireScalar("cache_write", "cache", cache, ["f32", "i32", "u32"]);
    requireScalar("cache_write", "first", first, ["i32"]);
    requireRankZero("cache_write", "first", first);
    requireAxis("cache_write", cache, along);
    const others = (t: Type): string => printType(withDims(t, t.dims.toSpliced(along, 1)));
    const fits = cache.dims.length === fresh.dims.length && others(cache) === others(fresh);
    return fits ? type : reject(`\`cache_write\` of ${printType(fresh)} along axis ${along} of ${printType(cache)}`);
  },
  evaluate([cache, fresh, first], { axis: along }, [type]) {
    const shape = shapeOf(type);
    const out = allocate(type, elementCount(shape), "wide");
    out.set(contiguous(cache));
    const rows = contiguous(fresh);
    const [capacity, length] = [shape[along] ?? 1, fresh.shape[along] ?? 1];
    const width = elementCount(shape.slice(along + 1));
    const start = contiguous(first)[0] ?? 0;
    for (let outer = 0; outer < elementCount(shape.slice(0, along)); outer++) {
      for (let i = 0; i < length; i++) {
        const place = start + i;
        if (place < 0 || place >= capacity) continue;
        const from = (outer * length + i) * width;
        out.set(rows.subarray(from, from + width), (outer * capacity + place) * width);
      }
    }
    return denseTensor(shape, out);
  },
  vjp: "none",
  lower: { kind: "kernel", family: "write" },
});
