// Pruning without rounding: which elements of a row stay, and the row with zeros for all others.
import { oneOf } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { divideDims } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { staysOf } from "../quant/sparsity.ts";
import type { SparseUnit } from "../scalar.ts";
import { unitsOfGroup } from "../sparse.ts";
import { printType, type TensorType, type Type, tensor } from "../type.ts";
import { mul } from "./arithmetic.ts";
import { cast } from "./cast.ts";
import { requireScalar } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";

/** What is pruned together: 2 of 4 elements stay, or 2 of 4 pairs. */
const units = ["element", "pair"] as const;
type UnitName = (typeof units)[number];
const sizes: Readonly<Record<UnitName, SparseUnit>> = { element: 1, pair: 2 };

export const unitName = (unit: SparseUnit): UnitName => (unit === 1 ? "element" : "pair");

export const pruneMask = signature({
  name: "prune.mask",
  summary:
    "Which elements stay: of each four neighbouring units along the last axis the two with the largest norms, of equal ones the later.",
  operands: ["x"],
  attrs: { unit: oneOf(...units) },
});
export const pruneMaskOp = define(pruneMask, {
  infer: ([x], { unit }) => tensor("b1", checkGroups("prune.mask", x, unit).dims),
  evaluate: "from lower",
  vjp: "none",
  lower: { kind: "pointwise", body: ([x], { unit }) => staysOf(x, sizes[unit]) },
});

export const prune = signature({
  name: "prune",
  summary: "x where it stays (`prune.mask`), zero elsewhere. Its gradient passes where x stays.",
  operands: ["x"],
  attrs: { unit: oneOf(...units) },
});
export const pruneOp = define(prune, {
  infer: ([x], { unit }) => checkGroups("prune", x, unit),
  evaluate: "from lower",
  vjp: vjpOfOne((b, ct, [x], _result, attrs) => [b.emit(mul, [ct, keeps(b, x, attrs)])]),
  lower: { kind: "expand", expand: (b, [x], attrs) => b.emit(mul, [x, keeps(b, x, attrs)]) },
});

/** 1 where x stays, else 0. */
const keeps = (b: Builder, x: Value, attrs: { readonly unit: UnitName }): Value =>
  b.emit(cast, [b.emit(pruneMask, [x], attrs, { hint: `${x.hint}_m` })], { to: "f32" });

function checkGroups(op: string, x: Type, unit: UnitName): TensorType {
  const type = requireScalar(op, "x", x, ["f32"]);
  const group = unitsOfGroup * sizes[unit];
  const columns = type.dims.at(-1);
  if (columns === undefined || divideDims(columns, group) === undefined)
    return reject(`\`${op}\` takes rows of groups of ${group}, got ${printType(x)}`);
  return type;
}
