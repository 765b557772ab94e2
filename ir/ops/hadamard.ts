// The Walsh-Hadamard transform: QuEST's rotation.
import { int } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { define, signature } from "../op.ts";
import { allocate, contiguous, denseTensor } from "../tensor.ts";
import { elementCount } from "../type.ts";

export const hadamard = signature({
  name: "hadamard",
  summary: "Orthonormal Walsh-Hadamard transform (natural order) of consecutive blocks along one axis.",
  operands: ["x"],
  attrs: { axis: int, block: int },
});

export const hadamardOp = define(hadamard, {
  infer([x], { axis, block }) {
    const size = x.dims[axis];
    if (size === undefined) return reject(`axis ${axis} of a rank ${x.dims.length} operand`);
    if (x.kind !== "tensor" || x.scalar !== "f32") return reject("`hadamard` takes f32");
    if (!Number.isInteger(Math.log2(block)) || block < 1) return reject(`block ${block} is not a power of two`);
    if (typeof size === "number" && size % block !== 0) return reject(`axis ${axis} has size ${size}, not a multiple of ${block}`);
    return x;
  },
  evaluate([x], { axis, block }, [type]) {
    const count = elementCount(x.shape);
    const out = allocate(type, count, x.data instanceof Float64Array ? "wide" : "f32");
    out.set(contiguous(x));
    const inner = elementCount(x.shape.slice(axis + 1));
    for (let span = 1; span < block; span *= 2) {
      for (let i = 0; i < count; i++) {
        if ((Math.floor(i / inner) & span) !== 0) continue;
        const a = out[i] ?? 0;
        const b = out[i + span * inner] ?? 0;
        out[i] = a + b;
        out[i + span * inner] = a - b;
      }
    }
    const norm = 1 / Math.sqrt(block);
    for (let i = 0; i < count; i++) out[i] = (out[i] ?? 0) * norm;
    return denseTensor(x.shape, out);
  },
  // Symmetric and orthonormal: the transpose is the transform itself.
  vjp: (b, [ct], _operands, _results, attrs) => [ct === undefined ? undefined : b.emit(hadamard, [ct], attrs)],
  lower: { kind: "kernel", family: "rows" },
});
