// Attention as streaming softmax: scores of a query are never stored, so memory is linear in the number of positions.
// One op for the result and two for its gradients, one kernel each: over queries (dq) and over keys (dk, dv), both in fixed order.
import { bool, either, float, oneOf, withDefault } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { dimsEqual, shapesEqual } from "../dim.ts";
import { define, signature } from "../op.ts";
import { contiguous, denseTensor, type Tensor } from "../tensor.ts";
import { elementCount, printType, shapeOf, type TensorType, type Type, tensor } from "../type.ts";
import { mul, sub } from "./arithmetic.ts";
import {
  type AttentionRule,
  type AttentionShape,
  attentionForward,
  attentionKeyGradient,
  attentionQueryGradient,
} from "./attention-tensors.ts";
import { sum } from "./broadcast.ts";
import { requireRankZero, requireScalar } from "./checks.ts";
import { zerosLike } from "./source.ts";

const causal = withDefault(bool, false);
/** `auto` is 1 / sqrt(channels). */
const scale = withDefault(
  either(oneOf("auto"), float, (v) => v === "auto"),
  "auto" as "auto" | number,
);

export const attention = signature({
  name: "attention",
  summary:
    "softmax(scale q kᵀ) v for each head of q[.., T, heads, n], k and v[.., S, groups, n], where runs of query heads share a group; lse is log(sum(exp(scale q kᵀ))). Causal: query i sees keys 0 to i.",
  operands: ["q", "k", "v"],
  results: ["out", "lse"],
  attrs: { causal, scale },
});
export const attentionOp = define(attention, {
  infer([q, k, v], attrs) {
    const { query, lse } = checked("attention", q, k, v);
    const [queries, keys] = [query.dims.at(-3), k.dims.at(-3)];
    if (attrs.causal && queries !== undefined && keys !== undefined && !dimsEqual(queries, keys))
      return reject(`causal \`attention\` takes as many keys as queries, got ${printType(q)} and ${printType(k)}`);
    return [query, lse] as const;
  },
  evaluate([q, k, v], attrs, [type]) {
    const shape = shapeFrom(q, k);
    const { out, lse } = attentionForward(shape, ruleOf(attrs, shape), 0, contiguous(q), contiguous(k), contiguous(v));
    const dims = shapeOf(type);
    return [denseTensor(dims, out), denseTensor(dims.slice(0, -1), lse)] as const;
  },
  vjp(b, [ctOut, ctLse], [q, k, v], [out, lse], attrs) {
    const ct = ctOut ?? zerosLike(b, out);
    // d(out)/d(score) and d(lse)/d(score) share the weights, so a cotangent of lse only shifts delta.
    const inner = b.emit(sum, [b.emit(mul, [ct, out])], { axes: [out.type.dims.length - 1] }, { hint: "delta" });
    const delta = ctLse === undefined ? inner : b.emit(sub, [inner, ctLse]);
    const dq = b.emit(attentionGradQuery, [q, k, v, ct, lse, delta], attrs);
    const [dk, dv] = b.emit(attentionGradKey, [q, k, v, ct, lse, delta], attrs);
    return [dq, dk, dv];
  },
  lower: { kind: "kernel", family: "attention" },
});

const gradientOperands = ["q", "k", "v", "ct", "lse", "delta"] as const;

export const attentionGradQuery = signature({
  name: "attention_grad_query",
  summary: "The cotangent of `attention`'s q. delta is sum(ct out) over channels, less the cotangent of lse.",
  operands: gradientOperands,
  attrs: { causal, scale },
});
export const attentionGradQueryOp = define(attentionGradQuery, {
  infer: (operands) => checkedGradient("attention_grad_query", operands),
  evaluate([q, k, ...rest], attrs, [type]) {
    const shape = shapeFrom(q, k);
    return denseTensor(shapeOf(type), attentionQueryGradient(shape, ruleOf(attrs, shape), gradientInputs([q, k, ...rest])));
  },
  vjp: "none",
  lower: { kind: "kernel", family: "attention" },
});

export const attentionGradKey = signature({
  name: "attention_grad_key",
  summary: "The cotangents of `attention`'s k and v; query heads of a group add up in order.",
  operands: gradientOperands,
  results: ["dk", "dv"],
  attrs: { causal, scale },
});
export const attentionGradKeyOp = define(attentionGradKey, {
  infer(operands) {
    checkedGradient("attention_grad_key", operands);
    const k = requireScalar("attention_grad_key", "k", operands[1], ["f32"]);
    return [k, k] as const;
  },
  evaluate([q, k, ...rest], attrs, [type]) {
    const shape = shapeFrom(q, k);
    const { dk, dv } = attentionKeyGradient(shape, ruleOf(attrs, shape), gradientInputs([q, k, ...rest]));
    return [denseTensor(shapeOf(type), dk), denseTensor(shapeOf(type), dv)] as const;
  },
  vjp: "none",
  lower: { kind: "kernel", family: "attention" },
});

export const cachedAttention = signature({
  name: "cached_attention",
  summary:
    "Causal `attention` over a cache of keys and values, of which those up to the query's own position count: query i stands at first + i.",
  operands: ["q", "k", "v", "first"],
  attrs: { scale },
});
export const cachedAttentionOp = define(cachedAttention, {
  infer([q, k, v, first]) {
    requireScalar("cached_attention", "first", first, ["i32"]);
    requireRankZero("cached_attention", "first", first);
    return checked("cached_attention", q, k, v).query;
  },
  evaluate([q, k, v, first], attrs, [type]) {
    const shape = shapeFrom(q, k);
    const rule = ruleOf({ ...attrs, causal: true }, shape);
    const start = contiguous(first)[0] ?? 0;
    return denseTensor(shapeOf(type), attentionForward(shape, rule, start, contiguous(q), contiguous(k), contiguous(v)).out);
  },
  vjp: "none",
  lower: { kind: "kernel", family: "attention" },
});

/** Types that fit together; answers the queries' type and that of one number a query row. */
function checked(op: string, q: Type, k: Type, v: Type): { readonly query: TensorType; readonly lse: TensorType } {
  const [query, key] = [requireScalar(op, "q", q, ["f32"]), requireScalar(op, "k", k, ["f32"])];
  requireScalar(op, "v", v, ["f32"]);
  const rank = q.dims.length;
  const [heads, groups] = [q.dims.at(-2), k.dims.at(-2)];
  const sameEnds = dimsEqual(q.dims.at(-1) ?? -1, k.dims.at(-1) ?? -2) && shapesEqual(q.dims.slice(0, -3), k.dims.slice(0, -3));
  if (rank < 3 || k.dims.length !== rank || !sameEnds || !shapesEqual(key.dims, v.dims))
    return reject(`\`${op}\` takes q[.., T, heads, n], k and v[.., S, groups, n], got ${[q, k, v].map(printType).join(", ")}`);
  if (typeof heads !== "number" || typeof groups !== "number" || heads % groups !== 0)
    return reject(`\`${op}\` takes heads in runs that share a group, got ${printType(q)} and ${printType(k)}`);
  return { query, lse: tensor("f32", query.dims.slice(0, -1)) };
}

function checkedGradient(op: string, [q, k, v, ct, lse, delta]: readonly [Type, Type, Type, Type, Type, Type]): TensorType {
  const types = checked(op, q, k, v);
  const fits = [[ct, types.query] as const, [lse, types.lse] as const, [delta, types.lse] as const].every(
    ([given, wanted]) => printType(given) === printType(wanted),
  );
  if (!fits)
    return reject(
      `\`${op}\` takes ct like q, lse and delta ${printType(types.lse)}, got ${printType(ct)}, ${printType(lse)}, ${printType(delta)}`,
    );
  return types.query;
}

function shapeFrom(q: Tensor, k: Tensor): AttentionShape {
  return attentionShape(q.shape, k.shape);
}

/** From the shapes of queries and of keys, with leading axes taken as one. */
export function attentionShape(q: readonly number[], k: readonly number[]): AttentionShape {
  const [queries = 1, heads = 1, channels = 1] = q.slice(-3);
  const [keys = 1, groups = 1] = k.slice(-3);
  return { batch: elementCount(q.slice(0, -3)), queries, keys, heads, groups, channels };
}

/** The rule that attributes of any of these ops state. */
export function ruleOf(attrs: { readonly causal: boolean; readonly scale: "auto" | number }, { channels }: AttentionShape): AttentionRule {
  return { causal: attrs.causal, scale: attrs.scale === "auto" ? 1 / Math.sqrt(channels) : attrs.scale };
}

function gradientInputs([q, k, v, ct, lse, delta]: readonly [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]) {
  return {
    q: contiguous(q),
    k: contiguous(k),
    v: contiguous(v),
    ct: contiguous(ct),
    lse: contiguous(lse),
    delta: contiguous(delta),
  };
}
