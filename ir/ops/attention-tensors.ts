// Reference attention over plain arrays: softmax of scaled products, and its gradients. Scores of one query at a time, so memory
// stays linear in the number of keys.
import type { TensorData } from "../tensor.ts";

/** Sizes of one attention. Queries are [batch, queries, heads, channels], keys and values [batch, keys, groups, channels], row-major. */
export interface AttentionShape {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Query heads; each run of `heads / groups` of them shares a head of keys and values. */
  readonly heads: number;
  readonly groups: number;
  readonly channels: number;
}

export interface AttentionRule {
  /** Query i sees keys up to `first + i` only. */
  readonly causal: boolean;
  /** What products are multiplied by. */
  readonly scale: number;
}

type Numbers = TensorData;

/** Calls `visit` for every query with where its row starts, where its keys' rows start, and how many keys it sees. */
function forEachQuery(
  shape: AttentionShape,
  { causal }: AttentionRule,
  first: number,
  visit: (row: number, keyRow: number, keyStride: number, seen: number) => void,
): void {
  const { batch, queries, keys, heads, groups, channels } = shape;
  for (let z = 0; z < batch; z++) {
    for (let t = 0; t < queries; t++) {
      const seen = causal ? Math.max(0, Math.min(keys, first + t + 1)) : keys;
      for (let h = 0; h < heads; h++) {
        const group = Math.floor(h / (heads / groups));
        visit((z * queries + t) * heads + h, (z * keys * groups + group) * channels, groups * channels, seen);
      }
    }
  }
}

function product(a: Numbers, aStart: number, b: Numbers, bStart: number, count: number): number {
  let total = 0;
  for (let c = 0; c < count; c++) total += (a[aStart + c] ?? 0) * (b[bStart + c] ?? 0);
  return total;
}

function addScaled(into: Float64Array, start: number, factor: number, x: Numbers, xStart: number, count: number): void {
  for (let c = 0; c < count; c++) into[start + c] = (into[start + c] ?? 0) + factor * (x[xStart + c] ?? 0);
}

/** The weighted values of each query, and log(sum(exp(scores))) of its row: [batch, queries, heads]. A `first` below 0 counts as 0. */
export function attentionForward(
  shape: AttentionShape,
  rule: AttentionRule,
  first: number,
  q: Numbers,
  k: Numbers,
  v: Numbers,
): { readonly out: Float64Array; readonly lse: Float64Array } {
  const { batch, queries, heads, channels } = shape;
  const out = new Float64Array(batch * queries * heads * channels);
  const lse = new Float64Array(batch * queries * heads);
  const scores = new Float64Array(shape.keys);
  forEachQuery(shape, rule, Math.max(0, first), (row, keyRow, stride, seen) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let s = 0; s < seen; s++) {
      const score = rule.scale * product(q, row * channels, k, keyRow + s * stride, channels);
      scores[s] = score;
      // Not Math.max alone: a NaN must come through.
      if (score > largest || Number.isNaN(score)) largest = score;
    }
    let total = 0;
    for (let s = 0; s < seen; s++) total += Math.exp((scores[s] ?? 0) - largest);
    for (let s = 0; s < seen; s++)
      addScaled(out, row * channels, Math.exp((scores[s] ?? 0) - largest) / total, v, keyRow + s * stride, channels);
    lse[row] = largest + Math.log(total);
  });
  return { out, lse };
}

/** What both gradients start from: the forward operands, the cotangent of the result, and two numbers a query row. */
export interface AttentionGradientInputs {
  readonly q: Numbers;
  readonly k: Numbers;
  readonly v: Numbers;
  /** Like the queries. */
  readonly ct: Numbers;
  readonly lse: Numbers;
  /** sum(ct * out) over channels, less the cotangent of `lse`: [batch, queries, heads]. */
  readonly delta: Numbers;
}

/** Calls `visit` for every pair that takes part, with its weight and the cotangent of its scaled score. */
function forEachPair(
  shape: AttentionShape,
  rule: AttentionRule,
  { q, k, v, ct, lse, delta }: AttentionGradientInputs,
  visit: (queryAt: number, keyAt: number, weight: number, score: number) => void,
): void {
  const { channels } = shape;
  forEachQuery(shape, rule, 0, (row, keyRow, stride, seen) => {
    const queryAt = row * channels;
    for (let s = 0; s < seen; s++) {
      const keyAt = keyRow + s * stride;
      const weight = Math.exp(rule.scale * product(q, queryAt, k, keyAt, channels) - (lse[row] ?? 0));
      const score = rule.scale * weight * (product(ct, queryAt, v, keyAt, channels) - (delta[row] ?? 0));
      visit(queryAt, keyAt, weight, score);
    }
  });
}

export function attentionQueryGradient(shape: AttentionShape, rule: AttentionRule, inputs: AttentionGradientInputs): Float64Array {
  const { batch, queries, heads, channels } = shape;
  const dq = new Float64Array(batch * queries * heads * channels);
  forEachPair(shape, rule, inputs, (queryAt, keyAt, _weight, score) => addScaled(dq, queryAt, score, inputs.k, keyAt, channels));
  return dq;
}

export function attentionKeyGradient(
  shape: AttentionShape,
  rule: AttentionRule,
  inputs: AttentionGradientInputs,
): { readonly dk: Float64Array; readonly dv: Float64Array } {
  const { batch, keys, groups, channels } = shape;
  const dk = new Float64Array(batch * keys * groups * channels);
  const dv = new Float64Array(dk.length);
  forEachPair(shape, rule, inputs, (queryAt, keyAt, weight, score) => {
    addScaled(dk, keyAt, score, inputs.q, queryAt, channels);
    addScaled(dv, keyAt, weight, inputs.ct, queryAt, channels);
  });
  return { dk, dv };
}
