// Gradients where there is no derivative: what each op's summary promises at its kinks and ties.
import { expect, test } from "vitest";
import type { Attributes } from "../../ir/attribute.ts";
import type { TypedTensor } from "../../ir/evaluate-op.ts";
import { opNamed } from "../../ir/ops/table.ts";
import { emitGradients, runEntry } from "./support/run-op.ts";
import { elements, f32 } from "./support/values.ts";

/** The gradients of the first result for a cotangent, one list per operand. */
function gradients(
  name: string,
  operands: readonly TypedTensor[],
  cotangent: TypedTensor,
  attrs: Attributes = {},
): readonly (readonly number[])[] {
  const results = runEntry([...operands, cotangent], "wide", (b, all) => {
    const inputs = all.slice(0, operands.length);
    const [y] = b.emitOp(opNamed(name), inputs, attrs);
    return emitGradients(b, 0, inputs, [[y!, all.at(-1)!]]).map((g) => g!);
  });
  return results.map((r) => elements(r).map((g) => g + 0));
}
const ones = (n: number) => f32([n], new Array(n).fill(1));

test("relu and abs have gradient 0 at 0", () => {
  expect(gradients("relu", [f32([3], [-1, 0, 1])], ones(3))).toEqual([[0, 0, 1]]);
  expect(gradients("abs", [f32([3], [-1, 0, 1])], ones(3))).toEqual([[-1, 0, 1]]);
});

test("of two equal operands the first gets the gradient", () => {
  const [x, y] = [f32([3], [1, 2, 3]), f32([3], [2, 2, 2])];
  expect(gradients("minimum", [x, y], ones(3))).toEqual([
    [1, 1, 0],
    [0, 0, 1],
  ]);
  expect(gradients("maximum", [x, y], ones(3))).toEqual([
    [0, 1, 1],
    [1, 0, 0],
  ]);
});

test("clamp passes the gradient on its bounds", () => {
  expect(gradients("clamp", [f32([5], [-2, -1, 0, 1, 2])], ones(5), { low: -1, high: 1 })).toEqual([[0, 1, 1, 1, 0]]);
});

test("equal extremes share the gradient", () => {
  const x = f32([2, 4], [1, 5, 5, 5, 7, 0, 7, 2]);
  expect(gradients("max", [x], f32([2], [3, 8]), { axes: [1] })).toEqual([[0, 1, 1, 1, 4, 0, 4, 0]]);
  expect(gradients("min", [f32([3], [2, 2, 3])], f32([], [1]), { axes: [0] })).toEqual([[0.5, 0.5, 0]]);
});

test("a row without a label has no gradient, nor has a batch without any", () => {
  const logits = f32([2, 2], [1, 2, 3, 4]);
  const labels = (...ids: readonly number[]): TypedTensor => ({
    type: { kind: "tensor", scalar: "i32", dims: [2] },
    tensor: { shape: [2], strides: [1], offset: 0, data: Int32Array.from(ids) },
  });
  const run = (ids: TypedTensor) =>
    elements(
      runEntry([logits, ids, f32([], [1])], "wide", (b, [x, y, ct]) => {
        const [loss] = b.emitOp(opNamed("cross_entropy"), [x!, y!], {});
        return [emitGradients(b, 0, [x!], [[loss!, ct!]])[0]!];
      })[0]!,
    );
  expect(run(labels(-1, 1)).slice(0, 2)).toEqual([0, 0]);
  expect(run(labels(-1, 1))[2]).toBeGreaterThan(0.2);
  expect(run(labels(-1, -1))).toEqual([0, 0, 0, 0]);
});
