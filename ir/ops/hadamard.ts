// The Walsh-Hadamard transform: QuEST's rotation.
import { axis, int } from "../attribute.ts";
import { reject } from "../diagnostic.ts";
import { define, signature } from "../op.ts";
import { contiguous, denseTensor } from "../tensor.ts";
import { elementCount, printType } from "../type.ts";
import { requireAxis, requireScalar } from "./checks.ts";
import { vjpOfOne } from "./pointwise.ts";

export const hadamard = signature({
  name: "hadamard",
  summary: "Orthonormal Walsh-Hadamard transform (natural order) of consecutive blocks along one axis.",
  operands: ["x"],
  attrs: { axis, block: int },
  callable: true,
});

export const hadamardOp = define(hadamard, {
  infer([x], { axis, block }) {
    requireScalar("hadamard", "x", x, ["f32"]);
    const size = requireAxis("hadamard", x, axis);
    if (!Number.isInteger(Math.log2(block)) || block < 1) return reject(`block ${block} is not a power of two`);
    if (typeof size === "number" && size % block !== 0)
      return reject(`axis ${axis} of ${printType(x)} has size ${size}, not a multiple of ${block}`);
    return x;
  },
  evaluate([x], { axis, block }) {
    const out = contiguous(x).slice();
    butterflies(out as Float64Array | Float32Array, elementCount(x.shape.slice(axis + 1)), block);
    return denseTensor(x.shape, out);
  },
  // Symmetric and orthonormal: the transpose is the transform itself.
  vjp: vjpOfOne((b, ct, _operands, _result, attrs) => [b.emit(hadamard, [ct], attrs)]),
  lower: { kind: "kernel", family: "rows" },
});

/** Transform in place each block of `block` elements that lie `inner` apart. Every butterfly rounds to the array's type, the norm comes last. */
export function butterflies(data: Float64Array | Float32Array, inner: number, block: number): void {
  const norm = 1 / Math.sqrt(block);
  for (let start = 0; start < data.length; start += block * inner) {
    for (let span = inner; span < block * inner; span *= 2) {
      for (let group = start; group < start + block * inner; group += 2 * span) {
        for (let i = group; i < group + span; i++) {
          const a = data[i] ?? 0;
          const b = data[i + span] ?? 0;
          data[i] = a + b;
          data[i + span] = a - b;
        }
      }
    }
  }
  if (block > 1) for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) * norm;
}
