// A factor in the backward pass alone.
import { float } from "../attribute.ts";
import { define, signature } from "../op.ts";
import { mul } from "./arithmetic.ts";
import { floats, requireScalar } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";
import { splat } from "./source.ts";

export const scaleGradient = signature({
  name: "scale_gradient",
  summary: "x itself. The gradient that flows back through it is multiplied by `factor`.",
  operands: ["x"],
  attrs: { factor: float },
});
export const scaleGradientOp = define(scaleGradient, {
  infer: ([x]) => requireScalar("scale_gradient", "x", x, floats),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, _operands, _result, { factor }) => [b.emit(mul, [ct, splat(b, ct.type, factor)])]),
  lower: { kind: "expand", expand: (_b, [x]) => x },
});
