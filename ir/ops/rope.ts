// Rotary position embedding (Su et al. 2021, arXiv:2104.09864) in the half-split form of Llama: channels i and i + n/2 are a pair.
import { bool, float, int, oneOf, resultType, withDefault } from "../attribute.ts";
import type { Builder } from "../builder.ts";
import { reject } from "../diagnostic.ts";
import { type Dim, dimsEqual, printDim } from "../dim.ts";
import type { Value } from "../module.ts";
import { define, signature } from "../op.ts";
import { allocate, denseTensor } from "../tensor.ts";
import { elementCount, f32, printType, shapeOf, withDims } from "../type.ts";
import { add, mul, sub } from "./arithmetic.ts";
import { broadcast } from "./broadcast.ts";
import { requireScalar } from "./checks.ts";
import { gather } from "./indexing.ts";
import { vjpOfOne } from "./pointwise.ts";
import { reshape, reverse } from "./views.ts";

export const ropeTable = signature({
  name: "rope_table",
  summary:
    "Cosine or signed sine of position * theta^(-2 i / n) for each position and channel [positions, 2, n/2]; the first half's sine is negative. Computed in f64.",
  operands: [],
  attrs: { part: oneOf("cos", "sin"), theta: float, type: resultType },
});
export const ropeTableOp = define(ropeTable, {
  infer(_operands, { type }) {
    const fits = type.kind === "tensor" && type.scalar === "f32" && type.dims.length === 3 && type.dims[1] === 2;
    return fits ? type : reject(`\`rope_table\` makes f32[positions, 2, n/2], got ${printType(type)}`);
  },
  evaluate(_operands, { part, theta }, [type]) {
    const shape = shapeOf(type);
    const [positions = 1, , half = 1] = shape;
    const data = allocate(type, elementCount(shape), "wide");
    for (let p = 0; p < positions; p++) {
      for (let i = 0; i < half; i++) {
        const angle = p * theta ** (-i / half);
        const value = part === "cos" ? Math.cos(angle) : Math.sin(angle);
        data[2 * p * half + i] = part === "cos" ? value : 0 - value;
        data[(2 * p + 1) * half + i] = value;
      }
    }
    return denseTensor(shape, data);
  },
  vjp: () => [],
  lower: { kind: "source" },
});

export const rope = signature({
  name: "rope",
  summary:
    "Rotates the channel pairs (i, i + n/2) of x[.., T, heads, n] by positions[T] * theta^(-2 i / n); `context`: how many positions there may be (0: T).",
  operands: ["x", "positions"],
  attrs: { theta: float, context: withDefault(int, 0), inverse: withDefault(bool, false) },
});
export const ropeOp = define(rope, {
  infer([x, positions], { context }) {
    requireScalar("rope", "x", x, ["f32"]);
    requireScalar("rope", "positions", positions, ["i32"]);
    const [length, channels] = [x.dims.at(-3), x.dims.at(-1)];
    if (length === undefined || positions.dims.length !== 1 || !dimsEqual(positions.dims[0] ?? -1, length))
      return reject(`\`rope\` takes x[.., T, heads, n] and positions i32[T], got ${printType(x)} and ${printType(positions)}`);
    if (typeof channels !== "number" || channels % 2 !== 0)
      return reject(`\`rope\` turns pairs of channels, got ${printDim(channels ?? 0)} of them in ${printType(x)}`);
    return context < 0 ? reject(`\`rope\` with a context of ${context}`) : x;
  },
  evaluate: "from lower",
  // A rotation's transpose turns the other way.
  vjp: vjpOfOne((b, ct, [_x, positions], _result, attrs) => [
    b.emit(rope, [ct, positions], { ...attrs, inverse: !attrs.inverse }),
    undefined,
  ]),
  lower: {
    kind: "expand",
    expand(b, [x, positions], { theta, context, inverse }) {
      const half = Number(x.type.dims.at(-1)) / 2;
      const length = positions.type.dims[0] ?? 1;
      const paired = withDims(x.type, [...x.type.dims.slice(0, -1), 2, half]);
      const pairs = b.emit(reshape, [x], { type: paired });
      const swapped = b.emit(reverse, [pairs], { axis: paired.dims.length - 2 });
      const table = (part: "cos" | "sin") => {
        const rows = b.emit(ropeTable, [], { part, theta, type: f32(context === 0 ? length : context, 2, half) }, { hint: part });
        return acrossHeads(b, b.emit(gather, [rows, positions]), paired.dims);
      };
      const [straight, turned] = [b.emit(mul, [pairs, table("cos")]), b.emit(mul, [swapped, table("sin")])];
      return b.emit(reshape, [b.emit(inverse ? sub : add, [straight, turned])], { type: x.type });
    },
  },
});

/** [T, 2, n/2] to [.., T, heads, 2, n/2]. */
function acrossHeads(b: Builder, rows: Value, dims: readonly Dim[]): Value {
  const [length = 1, two = 2, half = 1] = rows.type.dims;
  const aligned = b.emit(reshape, [rows], { type: withDims(rows.type, [length, 1, two, half]) });
  return b.emit(broadcast, [aligned], { type: withDims(rows.type, dims) });
}
