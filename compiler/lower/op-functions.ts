// Functions of the language that are one op each. They follow from the table of ops: every op whose signature says `callable`.
import type { AttributeKind } from "../../ir/attribute.ts";
import { reject } from "../../ir/diagnostic.ts";
import type { Dim } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import type { Op } from "../../ir/op.ts";
import { ops } from "../../ir/ops/table.ts";
import { reshape } from "../../ir/ops/views.ts";
import { withDims } from "../../ir/type.ts";
import type { Arguments, BuiltinSignature } from "./arguments.ts";
import { alike } from "./arithmetic.ts";
import type { EntryContext } from "./entry-context.ts";

export interface Builtin extends BuiltinSignature {
  lower(cx: EntryContext, args: Arguments, hint: string | undefined): Value;
}

const axisNotes = {
  axis: "The last axis where none is named.",
  "reduced axes": "All axes where none is named; `keep` leaves them with size 1.",
} as const;

/** By name: the op's own, like those of its operands and attributes, which are the parameters. */
export const opFunctions: ReadonlyMap<string, Builtin> = new Map(
  ops.flatMap((op) => (op.signature.callable ? [[op.signature.name, functionOf(op)] as const] : [])),
);

function functionOf(op: Op): Builtin {
  const { operands, attrs, summary } = op.signature;
  const kinds = Object.entries(attrs);
  const notes = kinds.flatMap(([, { means }]) => (means === undefined ? [] : [axisNotes[means]]));
  return {
    parameters: [...operands, ...kinds.flatMap(([name, kind]) => parametersOf(name, kind))],
    summary: [summary, ...notes].join(" "),
    lower: (cx, args, hint) => lowerOp(cx, op, args, hint),
  };
}

function parametersOf(name: string, { means, fallback }: AttributeKind<unknown>): readonly string[] {
  if (means === "reduced axes") return ["axis?", "keep?"];
  return [means === "axis" || fallback !== undefined ? `${name}?` : name];
}

/** Emit an op with the arguments that are named like its operands and attributes. */
export function lowerOp(cx: EntryContext, op: Op, args: Arguments, hint: string | undefined): Value {
  const operands = operandsOf(cx, op, args);
  const [x] = operands;
  if (x === undefined) throw new Error(`${op.signature.name} has no operands`);
  const given = Object.entries(op.signature.attrs).map(([name, kind]) => [name, attributeOf(name, kind, args, x)] as const);
  const attrs = Object.fromEntries(given.filter(([, value]) => value !== undefined));
  const keep = args.flag("keep");
  const result = cx.emitOp(op, operands, attrs, keep ? undefined : hint);
  if (!keep) return result;
  const axes = reducedAxesOf(args, x);
  const dims = x.type.dims.map((d, axis): Dim => (axes.includes(axis) ? 1 : d));
  return cx.emit(reshape, [result], { type: withDims(result.type, dims) }, hint);
}

/** Several elements beside each other take numbers and broadcast, as operators do; all else takes tensors as they are. */
function operandsOf(cx: EntryContext, { signature: { name, operands }, lower }: Op, args: Arguments): readonly Value[] {
  if (lower.kind !== "pointwise" || operands.length < 2) return operands.map((operand) => args.tensor(operand));
  return alike(
    cx,
    name,
    operands.map((operand) => args.any(operand)),
  );
}

/** Undefined for an attribute that was left out and has a fallback. */
function attributeOf(name: string, kind: AttributeKind<unknown>, args: Arguments, x: Value): unknown {
  switch (kind.means) {
    case "axis":
      return args.has(name) ? args.axis(name, x) : lastAxis(x);
    case "reduced axes":
      return reducedAxesOf(args, x);
    case undefined:
      return kind.fallback !== undefined && !args.has(name) ? undefined : args.attribute(name, kind);
    default:
      return kind.means satisfies never;
  }
}

const reducedAxesOf = (args: Arguments, x: Value): readonly number[] =>
  args.has("axis") ? args.axes("axis", x) : x.type.dims.map((_, axis) => axis);

export function lastAxis(x: Value): number {
  return x.type.dims.length === 0 ? reject("a scalar has no axis") : x.type.dims.length - 1;
}
