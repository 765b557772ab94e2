// Reductions beside `sum`: mean, extremes, the position of the largest.
import { axis, reducedAxes } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import type { Dim } from "../dim.ts";
import { productOf } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, type Op, signature } from "../op.ts";
import { f32, type Type, tensor } from "../type.ts";
import { div, mul } from "./arithmetic.ts";
import { broadcast, inferReduction, spread, sum } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { floats, numbers } from "./checks.ts";
import { equal } from "./compare.ts";
import { vjpOfOne } from "./pointwise.ts";
import { reduceTensor } from "./reduce-tensor.ts";
import { splat } from "./source.ts";

export const mean = signature({
  name: "mean",
  summary: "The mean along some axes, which the result no longer has.",
  operands: ["x"],
  attrs: { axes: reducedAxes },
  callable: true,
});
export const meanOp = define(mean, {
  infer: ([x], { axes }) => inferReduction("mean", x, axes, floats),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x], _result, { axes }) => {
    const count = countAs(
      b,
      axes.map((axis) => x.type.dims[axis] ?? 1),
      ct.type,
    );
    return [spread(b, b.emit(div, [ct, count]), x.type, axes)];
  }),
  lower: {
    kind: "expand",
    expand(b, [x], { axes }) {
      const total = b.emit(sum, [x], { axes });
      return b.emit(div, [
        total,
        countAs(
          b,
          axes.map((axis) => x.type.dims[axis] ?? 1),
          total.type,
        ),
      ]);
    },
  },
});

const extreme = <const N extends "max" | "min">(name: N, which: string) =>
  signature({
    name,
    summary: `The ${which} element along some axes, which the result no longer has. Equal ones share the gradient.`,
    operands: ["x"],
    attrs: { axes: reducedAxes },
  });
const extremeOp = (sig: ReturnType<typeof extreme>, combine: "max" | "min"): Op =>
  define(sig, {
    infer: ([x], { axes }) => inferReduction(combine, x, axes, numbers),
    evaluate: ([x], { axes }, [type]) => reduceTensor(combine, x, axes, type),
    vjp: vjpOfOne((b, ct, [x], result, { axes }) => {
      const hit = b.emit(cast, [b.emit(equal, [x, spread(b, result, x.type, axes)])], { to: "f32" });
      const share = b.emit(div, [ct, b.emit(sum, [hit], { axes })]);
      return [b.emit(mul, [hit, spread(b, share, x.type, axes)])];
    }),
    lower: { kind: "kernel", family: "reduce" },
  });

export const max = extreme("max", "largest");
export const maxOp = extremeOp(max, "max");
export const min = extreme("min", "smallest");
export const minOp = extremeOp(min, "min");

export const argmax = signature({
  name: "argmax",
  summary: "The position of the largest element along one axis, of equal ones the first.",
  operands: ["x"],
  attrs: { axis },
  callable: true,
});
export const argmaxOp = define(argmax, {
  infer: ([x], { axis }) => tensor("i32", inferReduction("argmax", x, [axis], numbers).dims),
  evaluate: ([x], { axis }, [type]) => reduceTensor("argmax", x, [axis], type),
  vjp: "none",
  lower: { kind: "kernel", family: "reduce" },
});

/** The number of elements of some dims, as a value of an f32 type. While a dim has no size yet, it is a sum of ones. */
export function countAs(b: Builder, dims: readonly Dim[], type: Type): Value {
  const count = productOf(dims);
  if (typeof count === "number") return splat(b, type, count);
  const total = b.emit(sum, [splat(b, f32(...dims), 1)], { axes: dims.map((_, axis) => axis) });
  return type.dims.length === 0 ? total : b.emit(broadcast, [total], { type });
}
