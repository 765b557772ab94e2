// Exponentials, logarithms and roots.
import { signature } from "../op.ts";
import { unary } from "../scalar.ts";
import { div, mul } from "./arithmetic.ts";
import { pointwise } from "./pointwise.ts";
import { splat } from "./source.ts";

export const exp = signature({ name: "exp", summary: "e to the power x.", operands: ["x"], callable: true });
export const expOp = pointwise(exp, { body: ([x]) => unary("exp", x), vjp: (b, ct, _operands, y) => [b.emit(mul, [ct, y])] });

export const log = signature({ name: "log", summary: "Natural logarithm.", operands: ["x"], callable: true });
export const logOp = pointwise(log, { body: ([x]) => unary("log", x), vjp: (b, ct, [x]) => [b.emit(div, [ct, x])] });

export const sqrt = signature({ name: "sqrt", summary: "Square root.", operands: ["x"], callable: true });
export const sqrtOp = pointwise(sqrt, {
  body: ([x]) => unary("sqrt", x),
  vjp: (b, ct, _operands, y) => [b.emit(div, [b.emit(mul, [ct, splat(b, ct.type, 0.5)]), y])],
});

export const rsqrt = signature({ name: "rsqrt", summary: "1 / sqrt(x).", operands: ["x"], callable: true });
export const rsqrtOp = pointwise(rsqrt, {
  body: ([x]) => unary("rsqrt", x),
  // d x^(-1/2) = -1/2 y^3
  vjp(b, ct, _operands, y) {
    const cube = b.emit(mul, [b.emit(mul, [y, y]), y]);
    return [b.emit(mul, [b.emit(mul, [ct, splat(b, ct.type, -0.5)]), cube])];
  },
});
