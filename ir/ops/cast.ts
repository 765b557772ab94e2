// Conversion between scalar types.
import { scalarType } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { signature } from "../op.ts";
import { cast as castExpr, scalarTypeOf } from "../scalar.ts";
import { isFloat, printType, tensor } from "../type.ts";
import { pointwise } from "./pointwise.ts";

export const cast = signature({
  name: "cast",
  summary: "Conversion by value: to integers towards zero and saturating, from bool as 0 or 1, to bool whether it is not 0.",
  operands: ["x"],
  attrs: { to: scalarType },
  callable: true,
});
export const castOp = pointwise(cast, {
  infer: ([x], { to }) => (x.kind === "tensor" ? tensor(to, x.dims) : reject(`\`cast\` takes no codes, got ${printType(x)}`)),
  body: ([x], { to }, { operands: [type] }) => castExpr(scalarTypeOf(tensor(to, type.dims)), x),
  vjp(b, ct, [x], _result, { to }) {
    if (x.type.kind !== "tensor" || !isFloat(x.type.scalar) || !isFloat(to)) return [undefined];
    return [x.type.scalar === to ? ct : b.emit(cast, [ct], { to: x.type.scalar })];
  },
});
