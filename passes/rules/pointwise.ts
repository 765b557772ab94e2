// Pointwise ops that come out as one of their operands or as a constant: x * 1, x - 0, -(-x), select of a constant, 2 + 3.
// Which scalar rewrites are exact is said in one place, ir/simplify.ts; here they meet values.
import { shapesEqual } from "../../ir/dim.ts";
import type { Instruction, Value } from "../../ir/module.ts";
import { cast } from "../../ir/ops/cast.ts";
import { constant as constantSignature, splat } from "../../ir/ops/source.ts";
import { type RewriteContext, type Rule, rule, ruleFor } from "../../ir/rewrite.ts";
import { constant, input, type ScalarExpr, scalarTypeOf } from "../../ir/scalar.ts";
import { simplify } from "../../ir/simplify.ts";
import { type Scalar, type Type, typesEqual } from "../../ir/type.ts";

/** The number that a constant has everywhere; undefined for all else. */
export function splatOf(value: Value, { producer }: Pick<RewriteContext, "producer">): number | undefined {
  const from = producer(value);
  if (from?.op.signature.name !== constantSignature.name) return undefined;
  const values = from.attrs["values"] as readonly number[];
  return values.length === 1 ? values[0] : undefined;
}

/** The body with constants in place and one level of pointwise operands opened, simplified: exact, or it would be no simplification. */
const simplifyPointwise: Rule = rule("simplify-pointwise", (instruction, cx) => {
  const [result] = instruction.results;
  if (result === undefined || instruction.results.length !== 1 || instruction.op.lower.kind !== "pointwise") return undefined;
  const leaves: Value[] = [];
  const body = bodyOf(instruction, (operand) => openOperand(operand, result.type, leaves, cx));
  if (body === undefined) return undefined;
  const simple = simplify(body);
  if (simple.kind === "input") {
    const leaf = leaves[simple.index];
    return leaf !== undefined && typesEqual(leaf.type, result.type) ? [leaf] : undefined;
  }
  if (simple.kind === "const" && isWhole(result.type)) return [splat(cx.builder, result.type, simple.value)];
  return undefined;
});

/** A scalar type whose values a scalar expression holds without rounding or wrapping, so that two bodies may follow each other. */
const wholeScalars: ReadonlySet<Scalar> = new Set(["f32", "i32", "u32", "bool"]);
const isWhole = (type: Type): boolean => type.kind === "tensor" && wholeScalars.has(type.scalar);

function openOperand(operand: Value, result: Type, leaves: Value[], cx: RewriteContext): ScalarExpr {
  const leaf = (value: Value): ScalarExpr => {
    const known = splatOf(value, cx);
    if (known !== undefined && isWhole(value.type)) return constantExpr(value.type, known);
    const index = leaves.indexOf(value);
    return input(index < 0 ? leaves.push(value) - 1 : index, scalarTypeOf(value.type));
  };
  const from = cx.producer(operand);
  const opens = from !== undefined && from.results.length === 1 && isWhole(operand.type) && shapesEqual(operand.type.dims, result.dims);
  return (opens ? bodyOf(from, leaf) : undefined) ?? leaf(operand);
}

/** The body of a pointwise instruction all of whose operands lie as its result does. */
function bodyOf({ op, operands, results, attrs }: Instruction, leaf: (operand: Value) => ScalarExpr): ScalarExpr | undefined {
  const dims = results[0]?.type.dims ?? [];
  if (op.lower.kind !== "pointwise" || operands.length === 0 || !operands.every((v) => shapesEqual(v.type.dims, dims))) return undefined;
  const types = { operands: operands.map((v) => v.type), results: results.map((v) => v.type) as unknown as readonly [Type, Type] };
  const [body] = op.lower.body(operands.map(leaf), attrs, types);
  return body;
}

function constantExpr(type: Type, value: number): ScalarExpr {
  const scalar = scalarTypeOf(type);
  return constant(scalar, scalar === "f32" ? Math.fround(value) : value);
}

/** Every value of the first type is one of the others. */
const widenings: Readonly<Partial<Record<Scalar, readonly Scalar[]>>> = {
  bool: ["b1", "i8", "u8", "i32", "u32", "f16", "bf16", "f32"],
  b1: ["bool", "i8", "u8", "i32", "u32", "f16", "bf16", "f32"],
  i8: ["i32", "f16", "bf16", "f32"],
  u8: ["i32", "u32", "f16", "bf16", "f32"],
  f16: ["f32"],
  bf16: ["f32"],
};

/** x -> wider -> any is x -> any: the value in between is x itself. */
const castOfCast: Rule = ruleFor(cast, "cast-of-cast", ([middle], { to }, { producer, builder }) => {
  const from = producer(middle);
  const [x] = from?.operands ?? [];
  if (from?.op.signature.name !== cast.name || x?.type.kind !== "tensor" || middle.type.kind !== "tensor") return undefined;
  if (widenings[x.type.scalar]?.includes(middle.type.scalar) !== true) return undefined;
  return [x.type.scalar === to ? x : builder.emit(cast, [x], { to })];
});

export const pointwiseRules: readonly Rule[] = [simplifyPointwise, castOfCast];
