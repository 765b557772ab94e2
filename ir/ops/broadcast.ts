// Broadcast and sum: each the other's transpose.
import { reducedAxes, resultType } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { type Dim, dimsEqual } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { uint } from "../scalar.ts";
import { printType, type Scalar, shapeOf, type Type, typesEqual, withDims } from "../type.ts";
import { numbers, requireAxes, requireScalar, withoutAxes } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";
import { reduceTensor } from "./reduce-tensor.ts";
import { reshape } from "./views.ts";

export const broadcast = signature({
  name: "broadcast",
  summary: "Repeats elements along new leading axes, and along axes of size 1 where the result is larger. Axes align at the end.",
  operands: ["x"],
  attrs: { type: resultType },
});
export const broadcastOp = define(broadcast, {
  infer([x], { type }) {
    const lead = type.dims.length - x.dims.length;
    const sameElements = printType(withDims(type, [])) === printType(withDims(x, []));
    const fits = lead >= 0 && x.dims.every((d, axis) => d === 1 || dimsEqual(d, type.dims[axis + lead] ?? -1));
    return sameElements && fits ? type : reject(`cannot broadcast ${printType(x)} to ${printType(type)}`);
  },
  evaluate([x], _attrs, [type]) {
    const shape = shapeOf(type);
    const lead = shape.length - x.shape.length;
    return {
      ...x,
      shape,
      strides: shape.map((size, axis) => (axis < lead || (x.shape[axis - lead] === 1 && size !== 1) ? 0 : (x.strides[axis - lead] ?? 0))),
    };
  },
  vjp: vjpOfOne((b, ct, [x]) => {
    const lead = ct.type.dims.length - x.type.dims.length;
    const axes = ct.type.dims.flatMap((size, axis) => (axis < lead || (x.type.dims[axis - lead] === 1 && size !== 1) ? [axis] : []));
    if (axes.length === 0) return [ct];
    const total = b.emit(sum, [ct], { axes });
    return [typesEqual(total.type, x.type) ? total : b.emit(reshape, [total], { type: x.type })];
  }),
  lower: {
    kind: "view",
    isIdentity: true,
    index: (coordinates, _attrs, operand, result) => ({
      coordinates: operand.map((size, axis) => (size === 1 ? uint(0) : (coordinates[axis + result.length - operand.length] ?? uint(0)))),
    }),
  },
});

export const sum = signature({
  name: "sum",
  summary: "The sum along some axes, which the result no longer has. Integers wrap.",
  operands: ["x"],
  attrs: { axes: reducedAxes },
  callable: true,
});
export const sumOp = define(sum, {
  infer: ([x], { axes }) => inferReduction("sum", x, axes, numbers),
  evaluate: ([x], { axes }, [type]) => reduceTensor("sum", x, axes, type),
  vjp: vjpOfOne((b, ct, [x], _result, { axes }) => [spread(b, ct, x.type, axes)]),
  lower: { kind: "kernel", family: "reduce" },
});

/** The result type of an op that takes axes away. */
export function inferReduction(op: string, x: Type, axes: readonly number[], takes: readonly Scalar[]): Type {
  const operand = requireScalar(op, "x", x, takes);
  requireAxes(op, x, axes);
  return withDims(operand, withoutAxes(x.dims, axes));
}

/** Repeat a reduction's result along the axes that it took away: the transpose of `sum`. */
export function spread(b: Builder, reduced: Value, type: Type, axes: readonly number[]): Value {
  const kept = type.dims.map((d, axis): Dim => (axes.includes(axis) ? 1 : d));
  const leading = axes.every((axis, i) => axis === i);
  // Missing leading axes are what broadcast adds by itself.
  const aligned = leading ? reduced : b.emit(reshape, [reduced], { type: withDims(reduced.type, kept) });
  const full = withDims(reduced.type, type.dims);
  return typesEqual(aligned.type, full) ? aligned : b.emit(broadcast, [aligned], { type: full });
}
