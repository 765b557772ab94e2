// Problems for kernel tests: small, and large enough to be awkward.
import { rowPitch } from "../../../ir/packing.ts";
import type { DotProblem, ReduceProblem, RowsProblem, Store, SubgroupPath, Target } from "../../../ir/plan.ts";
import { binary, cast, float, input, load, plus, type ScalarExpr, type Storage, times, uint, unary, variable } from "../../../ir/scalar.ts";

export const dense = { kind: "dense", scalar: "f32" } as const satisfies Storage;
export const packed = (
  bits: number,
  columns: number,
  layout: "linear" | "planes" = "linear",
  signed = true,
): Storage & { kind: "packed" } => ({
  kind: "packed",
  bits,
  layout,
  pitch: rowPitch(bits, columns, layout),
  signed,
});
export const mask = (columns: number) => packed(1, columns, "linear", false);

/** A row-major element. */
export const at = (row: ScalarExpr, column: ScalarExpr, columns: number): ScalarExpr => plus(times(row, uint(columns)), column);
export const loadF32 = (binding: number, column: ScalarExpr): ScalarExpr => load("f32", binding, dense, column);
export const storeF32 = (binding: number, column: ScalarExpr, value: ScalarExpr): Store => ({
  binding,
  storage: dense,
  row: uint(0),
  column,
  value,
});

export function targetOf(
  subgroups: SubgroupPath,
  subgroupSize: number,
  adapterClass = "lavapipe",
  limits: Partial<Target["limits"]> = {},
): Target {
  return {
    name: `${adapterClass}-${subgroups}-${subgroupSize}`,
    subgroups,
    subgroupSize,
    adapterClass,
    features: [],
    limits: {
      maxComputeInvocationsPerWorkgroup: 256,
      maxComputeWorkgroupStorageSize: 16384,
      maxStorageBufferBindingSize: 2 ** 27,
      maxBufferSize: 2 ** 28,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupsPerDimension: 65535,
      ...limits,
    },
  };
}

export interface DotOptions {
  /** Operands by k: `a` as [k, m], `b` as [k, n] (which is the plain layout of `b`). */
  readonly aByK?: boolean;
  readonly bByK?: boolean;
  readonly batch?: readonly number[];
  /** Value stored, from the sum; default the sum itself. */
  readonly epilogue?: (sum: ScalarExpr, m: ScalarExpr, n: ScalarExpr) => ScalarExpr;
  readonly element?: (side: "a" | "b", row: ScalarExpr, column: ScalarExpr, columns: number, z: ScalarExpr) => ScalarExpr;
}

/** out (binding 2) = a (binding 0) times b (binding 1), dense unless `element` says otherwise. */
export function dotProblem(m: number, n: number, k: number, options: DotOptions = {}): DotProblem {
  const { aByK = false, bByK = true, batch = [], epilogue = (sum) => sum } = options;
  const z = batch.reduce((index, extent, i) => plus(times(index, uint(extent)), variable(`z${i}`, extent)), uint(0));
  const operand = (side: "a" | "b", free: number, byK: boolean) => {
    const [rows, columns] = byK ? [k, free] : [free, k];
    const [row, column] = [variable("row", rows), variable("column", columns)];
    const element =
      options.element?.(side, row, column, columns, z) ??
      loadF32(side === "a" ? 0 : 1, at(plus(times(z, uint(rows)), row), column, columns));
    return { element, contracted: byK ? ("row" as const) : ("column" as const) };
  };
  const [rowOut, columnOut] = [variable("m", m), variable("n", n)];
  const place = at(plus(times(z, uint(m)), rowOut), columnOut, n);
  return {
    kind: "dot",
    batch,
    m,
    n,
    k,
    a: operand("a", m, aByK),
    b: operand("b", n, bByK),
    stores: [storeF32(2, place, epilogue(input(0, "f32"), rowOut, columnOut))],
  };
}

/** A reduction of binding 0 [outer, inner] along one of its axes into binding 1. */
export function reduceProblem(
  outer: number,
  inner: number,
  axis: "inner" | "outer",
  combine: ReduceProblem["accumulators"][number]["combine"],
): ReduceProblem {
  const [count, reduced] = axis === "inner" ? [outer, inner] : [inner, outer];
  const [c, r] = [variable("c0", count), variable("r0", reduced)];
  const element = loadF32(0, axis === "inner" ? at(c, r, inner) : at(r, c, inner));
  const result = input(0, combine === "argmax" ? "i32" : "f32");
  const store: Store =
    combine === "argmax"
      ? { binding: 1, storage: { kind: "dense", scalar: "i32" }, row: uint(0), column: c, value: result }
      : storeF32(1, c, result);
  return { kind: "reduce", shape: [count], reduced: [reduced], accumulators: [{ combine, element }], stores: [store] };
}

/** QuEST's quantizer: codes (binding 1), mask (2), step (3) and, where asked, the rotated row (4) of binding 0. */
export function questRows(
  rows: number,
  columns: number,
  block: number,
  bits: number,
  options: { readonly layout?: "linear" | "planes"; readonly dense?: boolean } = {},
): RowsProblem {
  const [row, column] = [variable("row", rows), variable("column", columns)];
  const levels = 2 ** bits;
  const [low, high] = [float(-levels / 2), float(levels / 2 - 1)];
  const position = unary("floor", binary("div", input(0, "f32"), input(1, "f32")));
  const inside = binary("and", binary("ge", position, low), binary("le", position, high));
  return {
    kind: "rows",
    rows,
    columns,
    block,
    element: loadF32(0, at(row, column, columns)),
    statistic: "mean_square",
    perRow: plus(times(unary("sqrt", input(0, "f32")), float(Math.fround((2 * 2.5139) / (levels - 1)))), float(Math.fround(1e-8))),
    stores: [
      {
        binding: 1,
        storage: packed(bits, columns, options.layout),
        row,
        column,
        value: cast("i32", binary("min", binary("max", position, low), high)),
      },
      { binding: 2, storage: mask(columns), row, column, value: inside },
      ...(options.dense === true ? [storeF32(4, at(row, column, columns), input(0, "f32"))] : []),
    ],
    rowStores: [storeF32(3, row, input(0, "f32"))],
  };
}

/** Numbers in [-1, 1] without pattern, equal for equal seeds. */
export function noise(count: number, seed = 1): Float32Array<ArrayBuffer> {
  let state = (seed * 0x9e3779b9) >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 31 - 1;
  });
}

export const words = (count: number, seed = 1): Uint32Array<ArrayBuffer> =>
  Uint32Array.from(noise(count, seed), (x) => Math.floor((x + 1) * 2 ** 31));
