// A view has two meanings: strides in the interpreter, index arithmetic in kernels. They must agree, as must the two readings of a scale.
import fc from "fast-check";
import { expect, test } from "vitest";
import { axisNames, coordinateLeaves } from "../../ir/coordinates.ts";
import { evaluateScalars } from "../../ir/evaluate-scalar.ts";
import { operandCoordinates } from "../../ir/ops/pointwise.ts";
import { opNamed, ops } from "../../ir/ops/table.ts";
import { type ScalarExpr, variable } from "../../ir/scalar.ts";
import { rowMajorStrides } from "../../ir/tensor.ts";
import { elementCount } from "../../ir/type.ts";
import { cases } from "./cases/index.ts";
import { runOp } from "./support/run-op.ts";
import { elements, f32, random } from "./support/values.ts";

/** The numbers of the operand's elements that expressions over the result's coordinates name. */
function positions(
  shape: readonly number[],
  operand: readonly number[],
  place: (coordinates: readonly ScalarExpr[]) => readonly ScalarExpr[],
): readonly number[] {
  const names = axisNames("c", shape);
  const count = elementCount(shape);
  const at = evaluateScalars(place(names.map((name, axis) => variable(name, shape[axis]!))), count, "f32", {
    variables: coordinateLeaves(names, shape),
  });
  const strides = rowMajorStrides(operand);
  for (const [axis, values] of at.entries()) expect(values.every((v) => v < operand[axis]!)).toBe(true);
  return Array.from({ length: count }, (_, i) => at.reduce((sum, values, axis) => sum + values[i]! * strides[axis]!, 0));
}

for (const { signature, lower } of ops) {
  if (lower.kind !== "view" || signature.name === "pad") continue;
  for (const { what, operands, attrs = {} } of cases[signature.name]!.semantics) {
    test(`${signature.name}, ${what}: strides and index arithmetic agree`, () => {
      const [x] = operands;
      const numbered = f32(
        x!.tensor.shape,
        elements(x!).map((_, i) => i),
      );
      const [result] = runOp(signature.name, [numbered], attrs);
      const shape = result!.tensor.shape;
      expect(positions(shape, x!.tensor.shape, (c) => lower.index(c, attrs, x!.tensor.shape, shape).coordinates)).toEqual(
        elements(result!),
      );
    });
  }
}

test("reshapes of every kind agree too", () => {
  const shapes = fc.constantFrom([24], [2, 12], [4, 1, 6], [1, 24], [3, 2, 2, 2], [24, 1, 1], [6, 4]);
  const { lower } = opNamed("reshape");
  if (lower.kind !== "view") throw new Error("reshape is a view");
  fc.assert(
    fc.property(shapes, shapes, (from, to) => {
      expect(positions(to, from, (c) => lower.index(c, {}, from, to).coordinates)).toEqual(Array.from({ length: 24 }, (_, i) => i));
    }),
  );
});

test("a chain of views of a view reads the right elements", () => {
  const [t] = runOp("transpose", [random(91, [3, 4])], { permutation: [1, 0] });
  const [s] = runOp("slice", [t!], { axis: 0, start: 1, size: 2 });
  const [r] = runOp("reshape", [s!], { type: { kind: "tensor", scalar: "f32", dims: [6] } });
  const x = elements(random(91, [3, 4]));
  expect(elements(r!)).toEqual([x[1], x[5], x[9], x[2], x[6], x[10]]);
});

test("a scale serves its group, in the interpreter as in kernels", () => {
  expect(positions([2, 6], [2, 3], (c) => operandCoordinates(c, [2, 3], [2, 6]))).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  expect(positions([2, 3], [2, 1], (c) => operandCoordinates(c, [2, 1], [2, 3]))).toEqual([0, 0, 0, 1, 1, 1]);
  expect(operandCoordinates([variable("c0", 4)], [], [4])).toEqual([]);
  expect(() => operandCoordinates([variable("c0", 4)], [3], [4])).toThrow("no pointwise operand [3] for a result [4]");
});
