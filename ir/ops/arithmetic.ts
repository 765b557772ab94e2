// Arithmetic on elements: sums, products, bounds, rounding.
import { float as floatAttribute } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { signature } from "../op.ts";
import { binary, constant, float, minus, over, plus, select, times, unary } from "../scalar.ts";
import { numbers } from "./checks.ts";
import { select as choose, greater, greaterEqual, less, lessEqual, logicalAnd } from "./compare.ts";
import { pointwise } from "./pointwise.ts";
import { splat, zerosLike } from "./source.ts";

export const add = signature({ name: "add", summary: "x + y. Integers wrap.", operands: ["x", "y"] });
export const addOp = pointwise(add, { takes: numbers, body: ([x, y]) => plus(x, y), vjp: (_b, ct) => [ct, ct] });

export const sub = signature({ name: "sub", summary: "x - y. Integers wrap.", operands: ["x", "y"] });
export const subOp = pointwise(sub, { takes: numbers, body: ([x, y]) => minus(x, y), vjp: (b, ct) => [ct, b.emit(neg, [ct])] });

export const mul = signature({ name: "mul", summary: "x y. Integers wrap.", operands: ["x", "y"] });
export const mulOp = pointwise(mul, {
  takes: numbers,
  body: ([x, y]) => times(x, y),
  vjp: (b, ct, [x, y]) => [b.emit(mul, [ct, y]), b.emit(mul, [ct, x])],
});

export const div = signature({ name: "div", summary: "x / y. Of integers the quotient, cut towards zero.", operands: ["x", "y"] });
export const divOp = pointwise(div, {
  takes: numbers,
  body: ([x, y]) => over(x, y),
  vjp(b, ct, [_x, y], quotient) {
    const dx = b.emit(div, [ct, y]);
    return [dx, b.emit(neg, [b.emit(mul, [dx, quotient])])];
  },
});

export const rem = signature({
  name: "rem",
  summary: "What is left of integers x behind whole multiples of y: x - y floor(x / y), between 0 and y; 0 where y is 0.",
  operands: ["x", "y"],
});
export const remOp = pointwise(rem, {
  takes: ["i32", "u32"],
  body([x, y]) {
    // The target's remainder has the sign of x.
    const left = binary("rem", x, y);
    if (left.type !== "i32") return left;
    const zero = constant("i32", 0);
    const isAbove = binary("and", binary("gt", left, zero), binary("lt", y, zero));
    const isBelow = binary("and", binary("lt", left, zero), binary("gt", y, zero));
    return select(binary("or", isAbove, isBelow), plus(left, y), left);
  },
  vjp: "none",
});

export const neg = signature({ name: "neg", summary: "-x.", operands: ["x"] });
export const negOp = pointwise(neg, {
  takes: ["f32", "f16", "bf16", "i32", "i8"],
  body: ([x]) => unary("neg", x),
  vjp: (b, ct) => [b.emit(neg, [ct])],
});

export const abs = signature({ name: "abs", summary: "|x|. Its gradient at 0 is 0.", operands: ["x"], callable: true });
export const absOp = pointwise(abs, {
  takes: ["f32", "f16", "bf16", "i32", "i8"],
  body: ([x]) => unary("abs", x),
  vjp(b, ct, [x]) {
    const zero = zerosLike(b, x);
    const otherwise = b.emit(choose, [b.emit(less, [x, zero]), b.emit(neg, [ct]), zero]);
    return [b.emit(choose, [b.emit(greater, [x, zero]), ct, otherwise])];
  },
});

export const minimum = signature({
  name: "minimum",
  summary: "The smaller of x and y. Of two equal ones x gets the gradient.",
  operands: ["x", "y"],
});
export const minimumOp = pointwise(minimum, {
  takes: numbers,
  body: ([x, y]) => binary("min", x, y),
  vjp(b, ct, [x, y]) {
    const first = b.emit(lessEqual, [x, y]);
    const zero = zerosLike(b, ct);
    return [b.emit(choose, [first, ct, zero]), b.emit(choose, [first, zero, ct])];
  },
});

export const maximum = signature({
  name: "maximum",
  summary: "The larger of x and y. Of two equal ones x gets the gradient.",
  operands: ["x", "y"],
});
export const maximumOp = pointwise(maximum, {
  takes: numbers,
  body: ([x, y]) => binary("max", x, y),
  vjp(b, ct, [x, y]) {
    const first = b.emit(greaterEqual, [x, y]);
    const zero = zerosLike(b, ct);
    return [b.emit(choose, [first, ct, zero]), b.emit(choose, [first, zero, ct])];
  },
});

export const clamp = signature({
  name: "clamp",
  summary: "x held between two bounds. The gradient passes on the bounds and between them.",
  operands: ["x"],
  attrs: { low: floatAttribute, high: floatAttribute },
  callable: true,
});
export const clampOp = pointwise(clamp, {
  infer([x], { low, high }) {
    if (!(low <= high)) reject(`\`clamp\` between ${low} and ${high}: the lower bound is the larger one`);
    return x.kind === "tensor" && x.scalar === "f32" ? x : reject("`clamp` takes f32");
  },
  body: ([x], { low, high }) => binary("min", binary("max", x, float(low)), float(high)),
  vjp(b, ct, [x], _result, { low, high }) {
    const above = b.emit(greaterEqual, [x, splat(b, x.type, low)]);
    const below = b.emit(lessEqual, [x, splat(b, x.type, high)]);
    return [b.emit(choose, [b.emit(logicalAnd, [above, below]), ct, zerosLike(b, ct)])];
  },
});

export const round = signature({
  name: "round",
  summary: "The nearest whole number, of two equally near ones the even one. Flat: no gradient.",
  operands: ["x"],
  callable: true,
});
export const roundOp = pointwise(round, { body: ([x]) => unary("round", x), vjp: () => [undefined] });

export const floor = signature({
  name: "floor",
  summary: "The largest whole number not above x. Flat: no gradient.",
  operands: ["x"],
  callable: true,
});
export const floorOp = pointwise(floor, { body: ([x]) => unary("floor", x), vjp: () => [undefined] });
