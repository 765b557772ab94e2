// Evaluates scalar expressions over many elements: one loop over typed arrays per node of the DAG, in pieces that stay in cache.

import { childrenOf, type ScalarExpr, type ScalarType } from "./scalar.ts";
import { applyBinary, applyCast, applyKept, applySelect, applyUnary } from "./scalar-loops.ts";
import type { Precision, TensorData } from "./tensor.ts";

/** Elements at a time. A power of two, so that neighbours are in one piece; a DAG's arrays of this length fit the cache. */
const piece = 4096;

export type LoadExpr = Extract<ScalarExpr, { kind: "load" }>;
type Leaf = (start: number, into: TensorData) => void;

/** Where leaves get their values. `inputs[i]` has `count` elements, or one for all of them; a function fills elements from `start` on. */
export interface Leaves {
  readonly inputs?: readonly (TensorData | Leaf)[];
  readonly variables?: Readonly<Record<string, TensorData | Leaf>>;
  /** Fill `into` with the elements of a load's buffer at rows and columns (all of one length). */
  load?(e: LoadExpr, rows: TensorData, columns: TensorData, into: TensorData): void;
}

/** Storage for n values of a scalar type. In `f32` every node's result is rounded as it is stored. */
export function scalarStorage(type: ScalarType, n: number, precision: Precision): TensorData {
  switch (type) {
    case "f32":
      return precision === "wide" ? new Float64Array(n) : new Float32Array(n);
    case "i32":
      return new Int32Array(n);
    case "u32":
      return new Uint32Array(n);
    case "bool":
      return new Uint8Array(n);
    default:
      return type satisfies never;
  }
}

/** The values of several roots (sharing nodes) at each of `count` elements. */
export function evaluateScalars(roots: readonly ScalarExpr[], count: number, precision: Precision, leaves: Leaves): readonly TensorData[] {
  const results = roots.map((root) => scalarStorage(root.type, count, precision));
  forEachPiece(roots, count, precision, leaves, (start, values) => {
    for (const [i, value] of values.entries()) results[i]?.set(value, start);
  });
  return results;
}

/** Like {@link evaluateScalars}, handing over piece by piece: `use` gets the roots' values at elements from `start` on, valid during the call. */
export function forEachPiece(
  roots: readonly ScalarExpr[],
  count: number,
  precision: Precision,
  leaves: Leaves,
  use: (start: number, values: readonly TensorData[]) => void,
): void {
  const length = Math.min(piece, count);
  const arrays = new Map<ScalarExpr, TensorData>();
  const steps: ((start: number, n: number) => void)[] = [];
  const visit = (e: ScalarExpr): TensorData => {
    const known = arrays.get(e);
    if (known !== undefined) return known;
    const children = childrenOf(e).map(visit);
    const out = scalarStorage(e.type, length, precision);
    arrays.set(e, out);
    const step = stepOf(e, children, out, leaves);
    if (step !== undefined) steps.push(step);
    return out;
  };
  const outputs = roots.map(visit);
  for (let start = 0; start < count; start += length) {
    const n = Math.min(length, count - start);
    for (const step of steps) step(start, n);
    use(start, n === length ? outputs : outputs.map((out) => out.subarray(0, n)));
  }
}

/** What fills a node's array; nothing where it is filled once and for all. */
function stepOf(
  e: ScalarExpr,
  children: readonly TensorData[],
  out: TensorData,
  leaves: Leaves,
): ((start: number, n: number) => void) | undefined {
  const [a = out, b = out, c = out] = children;
  switch (e.kind) {
    case "const":
      out.fill(e.value);
      return undefined;
    case "input":
      return leafStep(leaves.inputs?.[e.index], `input ${e.index}`, out);
    case "variable":
      return leafStep(leaves.variables?.[e.name], `variable ${e.name}`, out);
    case "unary":
      return (_start, n) => applyUnary(e.op, a, out, n);
    case "binary":
      return (_start, n) => applyBinary(e.op, e.a.type, a, b, out, n);
    case "select":
      return (_start, n) => applySelect(a, b, c, out, n);
    case "cast":
      return (_start, n) => applyCast(e.a.type, e.type, a, out, n);
    case "kept":
      return (_start, n) => applyKept(e.unit, a, out, n);
    case "load": {
      const { load } = leaves;
      if (load === undefined) throw new Error("an expression loads, but there are no buffers");
      return (_start, n) => load(e, a.subarray(0, n), b.subarray(0, n), out.subarray(0, n));
    }
    default:
      return e satisfies never;
  }
}

function leafStep(leaf: TensorData | Leaf | undefined, name: string, out: TensorData): ((start: number, n: number) => void) | undefined {
  if (leaf === undefined) throw new Error(`no values for ${name}`);
  if (typeof leaf === "function") return (start, n) => leaf(start, out.subarray(0, n));
  if (leaf.length === 1) {
    out.fill(leaf[0] ?? 0);
    return undefined;
  }
  return (start, n) => out.set(leaf.subarray(start, start + n));
}
