// Executes a plan's problem on plain buffers, in f32: the reference of every kernel template, and of plans.
// Loads and stores out of range are refused: index arithmetic that relies on a driver's clamping is a bug.
import { axisNames, coordinateLeaves } from "./coordinates.ts";
import { evaluateScalars, type Leaves, type LoadExpr, scalarStorage } from "./evaluate-scalar.ts";
import { halfBits, halfValue } from "./half.ts";
import { attentionForward, attentionKeyGradient, attentionQueryGradient } from "./ops/attention-tensors.ts";
import { multiplyTransposed } from "./ops/dot-tensors.ts";
import { butterflies } from "./ops/hadamard.ts";
import { combineRuns } from "./ops/reduce-tensor.ts";
import { rowStatistics } from "./ops/scale-tensor.ts";
import { denseView, readPacked, writePacked } from "./packing.ts";
import type { AttentionProblem, DotOperand, DotProblem, PointwiseProblem, Problem, ReduceProblem, RowsProblem, Store } from "./plan.ts";
import { type DenseScalar, denseBytes, type ScalarExpr } from "./scalar.ts";
import type { TensorData } from "./tensor.ts";
import { elementCount } from "./type.ts";

/** What a binding covers, by its number. Views must start at multiples of 4 bytes. */
export type BufferLike = ArrayBufferLike | ArrayBufferView;

/**
 * Run a problem. All loads see the buffers as they were before; then all stores are made, so that a problem whose result
 * replaces an operand in place means the same. A packed store clears its rows' padding.
 */
export function evaluateProblem(problem: Problem, buffers: readonly BufferLike[]): void {
  const memory = buffers.map(viewsOf);
  const stores = pendingStores(problem, (e, rows, columns, into) => load(memory, e, rows, columns, into));
  for (const store of stores) commit(memory, store);
}

interface PendingStore {
  readonly store: Store;
  readonly rows: TensorData;
  readonly columns: TensorData;
  readonly values: TensorData;
}
type Load = NonNullable<Leaves["load"]>;

function pendingStores(problem: Problem, read: Load): readonly PendingStore[] {
  switch (problem.kind) {
    case "pointwise":
      return pointwiseStores(problem, read);
    case "reduce":
      return reduceStores(problem, read);
    case "dot":
      return dotStores(problem, read);
    case "rows":
      return rowsStores(problem, read);
    case "attention":
      return attentionStores(problem, read);
    default:
      return problem satisfies never;
  }
}

function evaluateStores(stores: readonly Store[], count: number, leaves: Leaves): readonly PendingStore[] {
  const roots = stores.flatMap((store) => [store.row, store.column, store.value]);
  const values = evaluateScalars(roots, count, "f32", leaves);
  const at = (i: number): TensorData => values[i] ?? new Float32Array(0);
  return stores.map((store, i) => ({ store, rows: at(3 * i), columns: at(3 * i + 1), values: at(3 * i + 2) }));
}

function pointwiseStores({ shape, where, stores }: PointwiseProblem, read: Load): readonly PendingStore[] {
  const leaves: Leaves = { variables: coordinateLeaves(axisNames("c", shape), shape), load: read };
  const all = evaluateStores(stores, elementCount(shape), leaves);
  if (where === undefined) return all;
  const [holds] = evaluateScalars([where], elementCount(shape), "f32", leaves);
  const kept = (data: TensorData): TensorData => data.filter((_, i) => holds?.[i] !== 0);
  return all.map(({ store, rows, columns, values }) => ({ store, rows: kept(rows), columns: kept(columns), values: kept(values) }));
}

function reduceStores({ shape, reduced, accumulators, stores }: ReduceProblem, read: Load): readonly PendingStore[] {
  const outer = elementCount(shape);
  const variables = coordinateLeaves([...axisNames("c", shape), ...axisNames("r", reduced)], [...shape, ...reduced]);
  const inner = elementCount(reduced);
  const elements = evaluateScalars(
    accumulators.map((a) => a.element),
    outer * inner,
    "f32",
    { variables, load: read },
  );
  const inputs = accumulators.map(({ combine, element }, i) => {
    const out = scalarStorage(combine === "argmax" ? "i32" : element.type, outer, "f32");
    combineRuns(combine, elements[i] ?? out, inner, out);
    return out;
  });
  return evaluateStores(stores, outer, { inputs, variables: coordinateLeaves(axisNames("c", shape), shape), load: read });
}

function dotStores({ batch, m, n, k, a, b, stores }: DotProblem, read: Load): readonly PendingStore[] {
  const batches = elementCount(batch);
  const left = contractedLast(a, batch, m, k, read);
  const right = contractedLast(b, batch, n, k, read);
  const sums = new Float64Array(batches * m * n);
  for (let z = 0; z < batches; z++) {
    const part = (data: Float64Array, size: number) => data.subarray(z * size, (z + 1) * size);
    multiplyTransposed(part(left, m * k), part(right, n * k), part(sums, m * n), m, n, k);
  }
  const variables = coordinateLeaves([...axisNames("z", batch), "m", "n"], [...batch, m, n]);
  const rounded = scalarStorage(a.element.type, sums.length, "f32");
  rounded.set(sums);
  return evaluateStores(stores, sums.length, { inputs: [rounded], variables, load: read });
}

/** One side's elements [batch, free, k], each rounded to f32 (or an integer). */
function contractedLast({ element, contracted }: DotOperand, batch: readonly number[], free: number, k: number, read: Load): Float64Array {
  const sizes = contracted === "row" ? [k, free] : [free, k];
  const shape = [...batch, ...sizes];
  const variables = coordinateLeaves([...axisNames("z", batch), "row", "column"], shape);
  const [elements = new Float32Array(0)] = evaluateScalars([element], elementCount(shape), "f32", { variables, load: read });
  const out = Float64Array.from(elements);
  if (contracted === "column") return out;
  for (let z = 0; z < elementCount(batch); z++) {
    const start = z * free * k;
    for (let i = 0; i < free; i++) for (let q = 0; q < k; q++) out[start + i * k + q] = elements[start + q * free + i] ?? 0;
  }
  return out;
}

function rowsStores(problem: RowsProblem, read: Load): readonly PendingStore[] {
  const { rows, columns, block, element, statistic, perRow, stores, rowStores } = problem;
  const variables = coordinateLeaves(["row", "column"], [rows, columns]);
  const [transformed = new Float32Array(0)] = evaluateScalars([element], rows * columns, "f32", { variables, load: read });
  butterflies(transformed as Float32Array, 1, block);
  const inputs: (TensorData | ((start: number, into: TensorData) => void))[] = [transformed];
  const rowVariables = coordinateLeaves(["row"], [rows]);
  let rowValues: TensorData = new Float32Array(rows);
  if (statistic !== undefined) {
    const statistics = new Float32Array(rows);
    rowStatistics(statistic, transformed, columns, statistics);
    rowValues =
      perRow === undefined
        ? statistics
        : (evaluateScalars([perRow], rows, "f32", { inputs: [statistics], variables: rowVariables, load: read })[0] ?? statistics);
    const everywhere = rowValues;
    inputs.push((start, into) => {
      for (let i = 0; i < into.length; i++) into[i] = everywhere[Math.floor((start + i) / columns)] ?? 0;
    });
  }
  return [
    ...evaluateStores(stores, rows * columns, { inputs, variables, load: read }),
    ...evaluateStores(rowStores, rows, { inputs: [rowValues], variables: rowVariables, load: read }),
  ];
}

function attentionStores({ pass, shape, rule, elements, stores, rowStores }: AttentionProblem, read: Load): readonly PendingStore[] {
  const { batch, queries, keys, heads, groups, channels } = shape;
  const rowSizes = { z: batch, t: queries, h: heads };
  const querySizes = { ...rowSizes, c: channels };
  const keySizes = { z: batch, s: keys, g: groups, c: channels };
  const leaves = (sizes: Readonly<Record<string, number>>) => coordinateLeaves(Object.keys(sizes), Object.values(sizes));
  const values = (element: ScalarExpr | undefined, sizes: Readonly<Record<string, number>>): TensorData => {
    if (element === undefined) throw new Error(`${pass} of attention lacks an element`);
    const [found = new Float32Array(0)] = evaluateScalars([element], elementCount(Object.values(sizes)), "f32", {
      variables: leaves(sizes),
      load: read,
    });
    return found;
  };
  const storesOver = (list: readonly Store[], sizes: Readonly<Record<string, number>>, ...inputs: readonly Float64Array[]) =>
    evaluateStores(list, elementCount(Object.values(sizes)), {
      inputs: inputs.map((x) => Float32Array.from(x)),
      variables: leaves(sizes),
      load: read,
    });
  const [q, k, v] = [values(elements.q, querySizes), values(elements.k, keySizes), values(elements.v, keySizes)];
  if (pass === "forward") {
    const first = elements.first === undefined ? 0 : (values(elements.first, {})[0] ?? 0);
    const { out, lse } = attentionForward(shape, rule, first, q, k, v);
    return [...storesOver(stores, querySizes, out), ...storesOver(rowStores, rowSizes, lse)];
  }
  const inputs = {
    q,
    k,
    v,
    ct: values(elements.ct, querySizes),
    lse: values(elements.lse, rowSizes),
    delta: values(elements.delta, rowSizes),
  };
  if (pass === "grad_query") return storesOver(stores, querySizes, attentionQueryGradient(shape, rule, inputs));
  const { dk, dv } = attentionKeyGradient(shape, rule, inputs);
  return storesOver(stores, keySizes, dk, dv);
}

interface Memory {
  readonly f32: Float32Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly f16: Uint16Array;
}

function viewsOf(buffer: BufferLike): Memory {
  const [bytes, offset] = ArrayBuffer.isView(buffer) ? [buffer.buffer, buffer.byteOffset] : [buffer, 0];
  const view = (scalar: DenseScalar) => denseView(scalar, bytes, offset, buffer.byteLength / denseBytes[scalar]);
  return {
    f32: view("f32") as Float32Array,
    i32: view("i32") as Int32Array,
    u32: view("u32") as Uint32Array,
    f16: view("f16") as Uint16Array,
  };
}

function boundTo(memory: readonly Memory[], binding: number): Memory {
  return memory[binding] ?? outOfRange(`binding ${binding} of ${memory.length}`);
}

const outOfRange = (what: string): never => {
  throw new Error(`out of range: ${what}`);
};

function load(memory: readonly Memory[], { binding, storage }: LoadExpr, rows: TensorData, columns: TensorData, into: TensorData): void {
  const views = boundTo(memory, binding);
  if (storage.kind === "dense") {
    const data = views[storage.scalar];
    for (let i = 0; i < into.length; i++)
      into[i] = data[columns[i] ?? 0] ?? outOfRange(`load of element ${columns[i]} of ${data.length} at binding ${binding}`);
    if (storage.scalar === "f16") for (let i = 0; i < into.length; i++) into[i] = halfValue(into[i] ?? 0);
    return;
  }
  for (let i = 0; i < into.length; i++) {
    const [row, column] = [rows[i] ?? 0, columns[i] ?? 0];
    checkPacked(views, binding, storage, row, column);
    into[i] = readPacked(views.u32, storage, row, column);
  }
}

function commit(memory: readonly Memory[], { store: { binding, storage }, rows, columns, values }: PendingStore): void {
  const views = boundTo(memory, binding);
  if (storage.kind === "dense") {
    const data = views[storage.scalar];
    for (let i = 0; i < values.length; i++) {
      const column = columns[i] ?? 0;
      if (column >= data.length) outOfRange(`store of element ${column} of ${data.length} at binding ${binding}`);
      data[column] = storage.scalar === "f16" ? halfBits(values[i] ?? 0) : (values[i] ?? 0);
    }
    return;
  }
  const cleared = new Set<number>();
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [rows[i] ?? 0, columns[i] ?? 0];
    checkPacked(views, binding, storage, row, column);
    if (!cleared.has(row)) views.u32.fill(0, row * storage.pitch, (row + 1) * storage.pitch);
    cleared.add(row);
    writePacked(views.u32, storage, row, column, values[i] ?? 0);
  }
}

function checkPacked(
  { u32 }: Memory,
  binding: number,
  { bits, layout, pitch }: Extract<Store["storage"], { kind: "packed" }>,
  row: number,
  column: number,
): void {
  const columns = layout === "linear" ? (pitch * 32) / bits : (pitch / bits) * 32;
  if (column >= columns || (row + 1) * pitch > u32.length)
    outOfRange(`row ${row}, column ${column} of ${u32.length / pitch} rows at binding ${binding}`);
}
