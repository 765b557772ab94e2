// Joining along an axis: fixed pieces, and a piece whose place is data (a cache).
import { axis, int } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { type Dim, dimsEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature, variadic } from "../op.ts";
import { printType, type Type, tensor, withDims } from "../type.ts";
import { sub } from "./arithmetic.ts";
import { broadcast, spread } from "./broadcast.ts";
import { numbers, requireAxis, requireRankZero, requireScalar } from "./checks.ts";
import { greaterEqual, less, logicalAnd, select } from "./compare.ts";
import { gather } from "./indexing.ts";
import { iota, splat, zerosLike } from "./source.ts";
import { inversePermutation, pad, slice, transpose } from "./views.ts";

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
    const type = requireScalar("cache_write", "cache", cache, numbers);
    requireScalar("cache_write", "first", first, ["i32"]);
    requireRankZero("cache_write", "first", first);
    requireAxis("cache_write", cache, along);
    if (typeof fresh.dims[along] !== "number") return reject(`\`cache_write\` of ${printType(fresh)} needs a size for axis ${along}`);
    const others = (t: Type): readonly Dim[] => t.dims.toSpliced(along, 1);
    const fits = cache.dims.length === fresh.dims.length && others(cache).every((d, i) => dimsEqual(d, others(fresh)[i] ?? -1));
    return fits ? type : reject(`\`cache_write\` of ${printType(fresh)} along axis ${along} of ${printType(cache)}`);
  },
  evaluate: "from lower",
  vjp: "none",
  lower: {
    kind: "expand",
    expand(b, [cache, fresh, first], { axis: along }) {
      const [capacity, length] = [requireAxis("cache_write", cache.type, along), Number(fresh.type.dims[along])];
      const places = tensor("i32", [capacity]);
      const start = b.emit(broadcast, [first], { type: places });
      const from = b.emit(sub, [b.emit(iota, [], { axis: 0, type: places }), start]);
      const within = b.emit(logicalAnd, [b.emit(greaterEqual, [from, zerosLike(b, from)]), b.emit(less, [from, splat(b, places, length)])]);
      const rows = rowsAlong(b, fresh, along, from);
      const others = cache.type.dims.map((_, i) => i).filter((i) => i !== along);
      return b.emit(select, [spread(b, within, tensor("bool", cache.type.dims), others), rows, cache]);
    },
  },
});

/** Rows of x along an axis by number: the axis goes to the front and back, since `gather` takes rows of the first axis. */
function rowsAlong(b: Builder, x: Value, along: number, ids: Value): Value {
  const order = x.type.dims.map((_, i) => i);
  const toFront = [along, ...order.filter((i) => i !== along)];
  const gathered = b.emit(gather, [b.emit(transpose, [x], { permutation: toFront }), ids]);
  return b.emit(transpose, [gathered], { permutation: inversePermutation(toFront) });
}
