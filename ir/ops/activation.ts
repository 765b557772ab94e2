// Activation functions.
import { type Op, signature } from "../op.ts";
import { binary, float, minus, over, plus, type ScalarExpr, select as selectExpr, times, unary } from "../scalar.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { greater, select } from "./compare.ts";
import { pointwise } from "./pointwise.ts";
import { splat, zerosLike } from "./source.ts";

export const relu = signature({ name: "relu", summary: "max(x, 0). Its gradient at 0 is 0.", operands: ["x"], callable: true });
export const reluOp: Op = pointwise(relu, {
  // Not the maximum: drivers may take that of NaN and 0 as 0, and a step that went wrong would look fine.
  body: ([x]) => selectExpr(binary("le", x, float(0)), float(0), x),
  vjp(b, ct, _operands, y) {
    const zero = zerosLike(b, y);
    return [b.emit(select, [b.emit(greater, [y, zero]), ct, zero])];
  },
});

/** 1 / (1 + e^-x) without a large exponential: e^-|x| never exceeds 1. */
function logistic(x: ScalarExpr): ScalarExpr {
  const e = unary("exp", unary("neg", unary("abs", x)));
  return over(selectExpr(binary("ge", x, float(0)), float(1), e), plus(float(1), e));
}

export const sigmoid = signature({ name: "sigmoid", summary: "1 / (1 + exp(-x)).", operands: ["x"], callable: true });
export const sigmoidOp: Op = pointwise(sigmoid, {
  body: ([x]) => logistic(x),
  vjp(b, ct, _operands, y) {
    const slope = b.emit(mul, [y, b.emit(sub, [splat(b, y.type, 1), y])]);
    return [b.emit(mul, [ct, slope])];
  },
});

export const silu = signature({ name: "silu", summary: "x sigmoid(x).", operands: ["x"], callable: true });
export const siluOp: Op = pointwise(silu, {
  body: ([x]) => times(x, logistic(x)),
  // s (1 + x (1 - s))
  vjp(b, ct, [x]) {
    const s = b.emit(sigmoid, [x]);
    const one = splat(b, x.type, 1);
    const rest = b.emit(add, [one, b.emit(mul, [x, b.emit(sub, [one, s])])]);
    return [b.emit(mul, [ct, b.emit(mul, [s, rest])])];
  },
});

export const tanh = signature({ name: "tanh", summary: "Hyperbolic tangent.", operands: ["x"], callable: true });
export const tanhOp: Op = pointwise(tanh, {
  body: ([x]) => unary("tanh", x),
  vjp: (b, ct, _operands, y) => [b.emit(mul, [ct, b.emit(sub, [splat(b, y.type, 1), b.emit(mul, [y, y])])])],
});

/** sqrt(2 / pi) */
const gaussian = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

/** tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
const bend = (x: ScalarExpr): ScalarExpr => unary("tanh", times(float(gaussian), plus(x, times(float(cubic), times(x, times(x, x))))));

export const gelu = signature({
  name: "gelu",
  summary: "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2: the Gaussian error linear unit in the form of GPT-2.",
  operands: ["x"],
  callable: true,
});
export const geluOp: Op = pointwise(gelu, {
  body: ([x]) => times(times(float(0.5), x), plus(float(1), bend(x))),
  vjp: (b, ct, [x]) => [b.emit(mul, [ct, b.emit(geluSlope, [x])])],
});

export const geluSlope = signature({ name: "gelu_slope", summary: "The derivative of `gelu`.", operands: ["x"] });
export const geluSlopeOp: Op = pointwise(geluSlope, {
  body([x]) {
    const t = bend(x);
    const inner = times(float(gaussian), plus(float(1), times(float(3 * cubic), times(x, x))));
    const curve = times(times(float(0.5), x), times(minus(float(1), times(t, t)), inner));
    return plus(times(float(0.5), plus(float(1), t)), curve);
  },
  vjp: "none",
});
