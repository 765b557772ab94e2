// Rows chosen by number, and its transpose. A number outside the table chooses nothing: zeros in, dropped out.
import { int } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { shapesEqual } from "../dim.ts";
import { define, signature } from "../op.ts";
import { allocate, contiguous, denseTensor } from "../tensor.ts";
import { elementCount, printType, shapeOf, tensor } from "../type.ts";
import { requireScalar } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";

export const gather = signature({
  name: "gather",
  summary: "Row `id` of a table for each id, zeros for an id outside it. Result axes: those of ids, then those of a row.",
  operands: ["table", "ids"],
  callable: true,
});
export const gatherOp = define(gather, {
  infer([table, ids]) {
    requireScalar("gather", "table", table, ["f32"]);
    requireScalar("gather", "ids", ids, ["i32"]);
    if (table.dims.length === 0) return reject("`gather` takes a table of rows, got f32[]");
    return tensor("f32", [...ids.dims, ...table.dims.slice(1)]);
  },
  evaluate([table, ids], _attrs, [type]) {
    const shape = shapeOf(type);
    const data = contiguous(table);
    const [rows = 0, ...row] = table.shape;
    const width = elementCount(row);
    const out = allocate(type, elementCount(shape), "wide");
    for (const [i, id] of contiguous(ids).entries()) {
      if (id >= 0 && id < rows) out.set(data.subarray(id * width, (id + 1) * width), i * width);
    }
    return denseTensor(shape, out);
  },
  vjp: vjpOfOne((b, ct, [table, ids]) => {
    const size = table.type.dims[0];
    if (typeof size !== "number") return reject(`the gradient of a gather from ${printType(table.type)} needs a number of rows`);
    return [b.emit(scatterAdd, [ct, ids], { size }), undefined];
  }),
  lower: { kind: "kernel", family: "gather" },
});

export const scatterAdd = signature({
  name: "scatter_add",
  summary: "Adds each row of x into row `id` of a table of zeros with `size` rows, in order; an id outside it is dropped.",
  operands: ["x", "ids"],
  attrs: { size: int },
});
export const scatterAddOp = define(scatterAdd, {
  infer([x, ids], { size }) {
    requireScalar("scatter_add", "x", x, ["f32"]);
    requireScalar("scatter_add", "ids", ids, ["i32"]);
    const rank = ids.dims.length;
    if (!shapesEqual(x.dims.slice(0, rank), ids.dims))
      return reject(`\`scatter_add\` takes one id per row, got ${printType(x)} and ${printType(ids)}`);
    if (size < 1) return reject(`\`scatter_add\` into ${size} rows`);
    return tensor("f32", [size, ...x.dims.slice(rank)]);
  },
  evaluate([x, ids], { size }, [type]) {
    const shape = shapeOf(type);
    const data = contiguous(x);
    const width = elementCount(shape.slice(1));
    const out = allocate(type, elementCount(shape), "wide");
    for (const [i, id] of contiguous(ids).entries()) {
      if (id < 0 || id >= size) continue;
      for (let k = 0; k < width; k++) out[id * width + k] = (out[id * width + k] ?? 0) + (data[i * width + k] ?? 0);
    }
    return denseTensor(shape, out);
  },
  vjp: vjpOfOne((b, ct, [_x, ids]) => [b.emit(gather, [ct, ids]), undefined]),
  lower: { kind: "kernel", family: "scatter" },
});
