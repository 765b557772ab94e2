// Views: the same elements at other places. None has a kernel of its own; consumers index through them.
import { axis, int, ints, resultType } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { addDims, type Dim, dimsEqual, productOf, subtractDims } from "../dim.ts";
import { define, signature } from "../op.ts";
import { binary, plus, type ScalarExpr, times, uint } from "../scalar.ts";
import { contiguous, denseTensor } from "../tensor.ts";
import { printType, shapeOf, type Type, withDims } from "../type.ts";
import { requireAxis } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";

export const reshape = signature({
  name: "reshape",
  summary: "The same elements in row-major order under other axes.",
  operands: ["x"],
  attrs: { type: resultType },
});
export const reshapeOp = define(reshape, {
  infer([x], { type }) {
    const sameElements = printType(withDims(type, [])) === printType(withDims(x, []));
    if (!sameElements || !dimsEqual(productOf(type.dims), productOf(x.dims)))
      return reject(`cannot reshape ${printType(x)} to ${printType(type)}`);
    return type;
  },
  evaluate: ([x], _attrs, [type]) => denseTensor(shapeOf(type), contiguous(x)),
  vjp: vjpOfOne((b, ct, [x]) => [b.emit(reshape, [ct], { type: x.type })]),
  lower: {
    kind: "view",
    isIdentity: true,
    index: (coordinates, _attrs, operand, result) => ({ coordinates: delinearize(linearize(coordinates, result), operand) }),
  },
});

export const transpose = signature({
  name: "transpose",
  summary: "Axes in another order: axis i of the result is axis permutation[i] of the operand.",
  operands: ["x"],
  attrs: { permutation: ints },
});
export const transposeOp = define(transpose, {
  infer([x], { permutation }) {
    const ascending = [...permutation].sort((a, b) => a - b);
    const isPermutation = permutation.length === x.dims.length && ascending.every((axis, i) => axis === i);
    if (!isPermutation) return reject(`[${permutation.join(", ")}] is no permutation of the ${x.dims.length} axes of ${printType(x)}`);
    return withDims(
      x,
      permutation.map((axis) => requireAxis("transpose", x, axis)),
    );
  },
  evaluate: ([x], { permutation }) => ({
    ...x,
    shape: permutation.map((axis) => x.shape[axis] ?? 0),
    strides: permutation.map((axis) => x.strides[axis] ?? 0),
  }),
  vjp: vjpOfOne((b, ct, _operands, _result, { permutation }) => [
    b.emit(transpose, [ct], { permutation: inversePermutation(permutation) }),
  ]),
  lower: {
    kind: "view",
    isIdentity: ({ permutation }) => permutation.every((axis, i) => axis === i),
    index: (coordinates, { permutation }) => ({ coordinates: inversePermutation(permutation).map((at) => coordinates[at] ?? uint(0)) }),
  },
});

export const slice = signature({
  name: "slice",
  summary: "A range of one axis, `size` elements from `start`.",
  operands: ["x"],
  attrs: { axis, start: int, size: int },
});
export const sliceOp = define(slice, {
  infer([x], { axis, start, size }) {
    const whole = requireAxis("slice", x, axis);
    const outside = start < 0 || size < 1 || (typeof whole === "number" && start + size > whole);
    if (outside) return reject(`\`slice\` of ${start}..${start + size} from axis ${axis} of ${printType(x)}`);
    return withAxis(x, axis, size);
  },
  evaluate: ([x], { axis, start, size }) => ({
    ...x,
    shape: x.shape.map((n, a) => (a === axis ? size : n)),
    offset: x.offset + start * (x.strides[axis] ?? 0),
  }),
  vjp: vjpOfOne((b, ct, [x], _result, { axis, start, size }) => {
    const after = subtractDims(requireAxis("slice", x.type, axis), start + size);
    if (typeof after !== "number") return reject(`the gradient of a slice of ${printType(x.type)} needs a size for axis ${axis}`);
    return [start === 0 && after === 0 ? ct : b.emit(pad, [ct], { axis, before: start, after })];
  }),
  lower: {
    kind: "view",
    isIdentity: true,
    index: (coordinates, { axis, start }) => ({
      coordinates: coordinates.map((c, a) => (a === axis && start > 0 ? plus(c, uint(start)) : c)),
    }),
  },
});

export const pad = signature({
  name: "pad",
  summary: "Zeros before and after the elements of one axis.",
  operands: ["x"],
  attrs: { axis, before: int, after: int },
  callable: true,
});
export const padOp = define(pad, {
  infer([x], { axis, before, after }) {
    const whole = requireAxis("pad", x, axis);
    if (before < 0 || after < 0) return reject(`\`pad\` by ${before} and ${after}: neither may be negative`);
    if (x.kind === "codes") return reject(`\`pad\` takes no codes, got ${printType(x)}: a code of 0 is not the number 0 on every grid`);
    return withAxis(x, axis, addDims(whole, before + after));
  },
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x], _result, { axis, before }) => {
    const size = requireAxis("pad", x.type, axis);
    if (typeof size !== "number") return reject(`the gradient of padding ${printType(x.type)} needs a size for axis ${axis}`);
    return [b.emit(slice, [ct], { axis, start: before, size })];
  }),
  lower: {
    kind: "view",
    isIdentity: true,
    index(coordinates, { axis, before }, operand) {
      const at = coordinates[axis] ?? uint(0);
      const size = operand[axis] ?? 1;
      const inside = binary("and", binary("ge", at, uint(before)), binary("lt", at, uint(before + size)));
      // Clamped, so that an element outside reads something that exists.
      const clamped = binary("min", binary("sub", binary("max", at, uint(before)), uint(before)), uint(size - 1));
      return { coordinates: coordinates.map((c, a) => (a === axis ? clamped : c)), inside };
    },
  },
});

export const reverse = signature({
  name: "reverse",
  summary: "The elements of one axis in the opposite order.",
  operands: ["x"],
  attrs: { axis },
  callable: true,
});
export const reverseOp = define(reverse, {
  infer([x], { axis }) {
    requireAxis("reverse", x, axis);
    return x;
  },
  evaluate([x], { axis }) {
    const [size, stride] = [x.shape[axis] ?? 0, x.strides[axis] ?? 0];
    return { ...x, strides: x.strides.map((s, a) => (a === axis ? -s : s)), offset: x.offset + (size - 1) * stride };
  },
  vjp: vjpOfOne((b, ct, _operands, _result, attrs) => [b.emit(reverse, [ct], attrs)]),
  lower: {
    kind: "view",
    isIdentity: ({ axis }, { dims }) => dims[axis] === 1,
    index: (coordinates, { axis }, operand) => ({
      coordinates: coordinates.map((c, a) => (a === axis ? binary("sub", uint((operand[axis] ?? 1) - 1), c) : c)),
    }),
  },
});

export function inversePermutation(permutation: readonly number[]): readonly number[] {
  const inverse = new Array<number>(permutation.length);
  for (const [i, axis] of permutation.entries()) inverse[axis] = i;
  return inverse;
}

const withAxis = (type: Type, axis: number, size: Dim): Type =>
  withDims(
    type,
    type.dims.map((d, a) => (a === axis ? size : d)),
  );

/** The row-major number of an element. */
export function linearize(coordinates: readonly ScalarExpr[], shape: readonly number[]): ScalarExpr {
  let position: ScalarExpr | undefined;
  for (const [axis, size] of shape.entries()) {
    const at = coordinates[axis];
    if (at === undefined || size === 1) continue;
    position = position === undefined ? at : plus(times(position, uint(size)), at);
  }
  return position ?? uint(0);
}

/** The coordinates of the element with a row-major number. */
export function delinearize(position: ScalarExpr, shape: readonly number[]): readonly ScalarExpr[] {
  const coordinates = new Array<ScalarExpr>(shape.length);
  let rest = position;
  let outer = shape.findIndex((size) => size !== 1);
  if (outer < 0) outer = shape.length;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size === 1) {
      coordinates[axis] = uint(0);
    } else if (axis === outer) {
      coordinates[axis] = rest;
    } else {
      coordinates[axis] = binary("rem", rest, uint(size));
      rest = binary("div", rest, uint(size));
    }
  }
  return coordinates;
}
