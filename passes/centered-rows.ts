// Rows less their means, with steps that follow from their deviations: for quantizers whose gradients go through both (AdaBin).
import type { Value } from "../ir/module.ts";
import { mul } from "../ir/ops/arithmetic.ts";
import { quantCenter } from "../ir/ops/quant.ts";
import { mean } from "../ir/ops/reductions.ts";
import { splat } from "../ir/ops/source.ts";
import { opNamed } from "../ir/ops/table.ts";
import { reshape } from "../ir/ops/views.ts";
import { quantizerNamed } from "../ir/quant/table.ts";
import type { RewriteContext } from "../ir/rewrite.ts";
import { input, type ScalarExpr } from "../ir/scalar.ts";
import { tensor } from "../ir/type.ts";
import { quantName } from "./quant-names.ts";

type Builder = RewriteContext["builder"];

/** What is rounded, its rows' steps and their means [.., 1]. `quant.scale` has no gradient; these steps are computed by ops that have one. */
export function centeredRows(
  builder: Builder,
  x: Value,
  scheme: string,
  bits: number,
): { readonly values: Value; readonly scale: Value; readonly offset: Value } {
  const { dims } = x.type;
  const rows = tensor("f32", [...dims.slice(0, -1), 1]);
  const meanOf = (value: Value, hint: string): Value =>
    builder.emit(reshape, [builder.emit(mean, [value], { axes: [dims.length - 1] })], { type: rows }, { hint });
  const offset = meanOf(x, "center");
  const values = builder.emit(quantCenter, [x, offset], {}, { hint: x.hint });
  const variance = meanOf(builder.emit(mul, [values, values]), "variance");
  const scale = emitScalars(builder, quantizerNamed(scheme).step(input(0, "f32"), bits), variance, quantName(x, "s"));
  return { values, scale, offset };
}

/** A scalar expression of one tensor's elements, as the ops that have the names of its nodes. */
function emitScalars(builder: Builder, expression: ScalarExpr, of: Value, hint: string): Value {
  switch (expression.kind) {
    case "input":
      return of;
    case "const":
      return splat(builder, of.type, expression.value);
    case "unary":
    case "binary": {
      const parts = expression.kind === "unary" ? [expression.a] : [expression.a, expression.b];
      const operands = parts.map((part) => emitScalars(builder, part, of, hint));
      const [result] = builder.emitOp(opNamed(expression.op), operands, {}, { hint });
      if (result === undefined) throw new Error(`${expression.op} without a result`);
      return result;
    }
    default:
      throw new Error(`a step by ${expression.kind}`);
  }
}
