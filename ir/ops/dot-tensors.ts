// Reference contraction: batches of A times B transposed over contiguous copies.
// Sums run in f64 and are rounded once. That is nearest to the true value (a kernel's error is then its own, bounded from the
// sum), and on a CPU it is also the fast way: rounding every partial sum costs an instruction each.
import { contiguous, denseTensor, type Tensor } from "../tensor.ts";
import { elementCount } from "../type.ts";
import { withoutAxes } from "./checks.ts";

type AxisPair = readonly [lhs: readonly number[], rhs: readonly number[]];

/** Answers f64; the interpreter rounds to its precision. */
export function dotTensors(lhs: Tensor, rhs: Tensor, contract: AxisPair, batch: AxisPair): Tensor {
  const left = arranged(lhs, batch[0], contract[0]);
  const right = arranged(rhs, batch[1], contract[1]);
  const batches = elementCount(left.batch);
  const [m, n, k] = [elementCount(left.free), elementCount(right.free), elementCount(contract[0].map((axis) => lhs.shape[axis] ?? 0))];
  const out = new Float64Array(batches * m * n);
  for (let z = 0; z < batches; z++) {
    multiplyTransposed(
      left.data.subarray(z * m * k, (z + 1) * m * k),
      right.data.subarray(z * n * k, (z + 1) * n * k),
      out.subarray(z * m * n, (z + 1) * m * n),
      m,
      n,
      k,
    );
  }
  return denseTensor([...left.batch, ...left.free, ...right.free], out);
}

/** c[m, n] = sum over k of a[m, k] b[n, k], everything row-major. Four by four results at a time stay in registers. */
export function multiplyTransposed(a: Float64Array, b: Float64Array, c: Float64Array, m: number, n: number, k: number): void {
  const blockedM = m - (m % 4);
  const blockedN = n - (n % 4);
  // Columns of B in blocks whose rows stay in cache while all rows of A pass by.
  const columnBlock = Math.max(4, 4 * Math.floor(16384 / Math.max(1, 4 * k)));
  for (let j0 = 0; j0 < blockedN; j0 += columnBlock) {
    const j1 = Math.min(blockedN, j0 + columnBlock);
    for (let i = 0; i < blockedM; i += 4) {
      for (let j = j0; j < j1; j += 4) multiplyBlock(a, b, c, i, j, n, k);
    }
  }
  for (let i = 0; i < m; i++) {
    for (let j = i < blockedM ? blockedN : 0; j < n; j++) {
      let total = 0;
      // biome-ignore lint/style/noNonNullAssertion: measured inner loop.
      for (let q = 0; q < k; q++) total += a[i * k + q]! * b[j * k + q]!;
      c[i * n + j] = total;
    }
  }
}

function multiplyBlock(a: Float64Array, b: Float64Array, c: Float64Array, i: number, j: number, n: number, k: number): void {
  const [a0, a1, a2, a3] = [i * k, (i + 1) * k, (i + 2) * k, (i + 3) * k];
  const [b0, b1, b2, b3] = [j * k, (j + 1) * k, (j + 2) * k, (j + 3) * k];
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  for (let q = 0; q < k; q++) {
    // biome-ignore-start lint/style/noNonNullAssertion: measured inner loop.
    const [x0, x1, x2, x3] = [a[a0 + q]!, a[a1 + q]!, a[a2 + q]!, a[a3 + q]!];
    const [y0, y1, y2, y3] = [b[b0 + q]!, b[b1 + q]!, b[b2 + q]!, b[b3 + q]!];
    // biome-ignore-end lint/style/noNonNullAssertion: measured inner loop.
    c00 += x0 * y0;
    c01 += x0 * y1;
    c02 += x0 * y2;
    c03 += x0 * y3;
    c10 += x1 * y0;
    c11 += x1 * y1;
    c12 += x1 * y2;
    c13 += x1 * y3;
    c20 += x2 * y0;
    c21 += x2 * y1;
    c22 += x2 * y2;
    c23 += x2 * y3;
    c30 += x3 * y0;
    c31 += x3 * y1;
    c32 += x3 * y2;
    c33 += x3 * y3;
  }
  c.set([c00, c01, c02, c03], i * n + j);
  c.set([c10, c11, c12, c13], (i + 1) * n + j);
  c.set([c20, c21, c22, c23], (i + 2) * n + j);
  c.set([c30, c31, c32, c33], (i + 3) * n + j);
}

/** A contiguous f64 copy with axes in the order batch, free, contracted. */
function arranged(x: Tensor, batch: readonly number[], contracted: readonly number[]) {
  const free = withoutAxes(
    x.shape.map((_, axis) => axis),
    [...batch, ...contracted],
  );
  const order = [...batch, ...free, ...contracted];
  const sizes = (axes: readonly number[]) => axes.map((axis) => x.shape[axis] ?? 0);
  const data = contiguous({ ...x, shape: sizes(order), strides: order.map((axis) => x.strides[axis] ?? 0) });
  return { batch: sizes(batch), free: sizes(free), data: data instanceof Float64Array ? data : Float64Array.from(data) };
}
