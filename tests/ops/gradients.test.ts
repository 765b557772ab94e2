// Every vector-Jacobian product against a central difference along one random direction, in f64, at a relative 1e-6.
import { describe, expect, test } from "vitest";
import type { TypedTensor } from "../../ir/evaluate-op.ts";
import type { Value } from "../../ir/module.ts";
import { opNamed } from "../../ir/ops/table.ts";
import { isFloat, printType } from "../../ir/type.ts";
import { cases } from "./cases/index.ts";
import type { GradientCase } from "./support/case.ts";
import { runEntry } from "./support/run-op.ts";
import { elements, uniform, value } from "./support/values.ts";

const step = 1e-5;
const tolerance = 1e-6;

const differentiable = ({ type }: TypedTensor): boolean => type.kind === "tensor" && isFloat(type.scalar);
const dotted = (a: readonly number[], b: readonly number[]): number => a.reduce((total, x, i) => total + x * b[i]!, 0);

/** The derivative along `directions` by the op's rule and by difference, for random cotangents of the float results. */
function bothDerivatives(name: string, { operands, attrs = {} }: GradientCase) {
  const op = opNamed(name);
  const { vjp } = op;
  if (vjp === "none") throw new Error(`${name} has no rule`);
  const next = uniform(7);
  const randomLike = (t: TypedTensor): TypedTensor =>
    value(
      t.type,
      elements(t).map(() => 0.25 + next()),
    );
  const forward = (at: readonly TypedTensor[]) => runEntry(at, "wide", (b, inputs) => b.emitOp(op, inputs, attrs));
  const cotangents = forward(operands).map(randomLike);
  const directions = operands.map((o) => (differentiable(o) ? randomLike(o) : undefined));
  const gradientTypes: (string | undefined)[] = [];

  const grads: (TypedTensor | undefined)[] = operands.map(() => undefined);
  const present: number[] = [];
  const values = runEntry([...operands, ...cotangents], "wide", (b, all) => {
    const inputs = all.slice(0, operands.length);
    const results = b.emitOp(op, inputs, attrs);
    const out = vjp(b, all.slice(operands.length), inputs, results, b.instructions.at(-1)!.attrs);
    expect(out.length).toBe(operands.length);
    gradientTypes.push(...out.map((v) => v && printType(v.type)));
    present.push(...out.flatMap((v, i) => (v === undefined ? [] : [i])));
    return out.filter((v): v is Value => v !== undefined);
  });
  for (const [k, i] of present.entries()) grads[i] = values[k];

  const moved = (h: number) =>
    operands.map((o, i) => {
      const direction = directions[i];
      return direction === undefined
        ? o
        : value(
            o.type,
            elements(o).map((x, k) => x + h * elements(direction)[k]!),
          );
    });
  const objective = (at: readonly TypedTensor[]) =>
    forward(at).reduce((total, y, j) => total + dotted(elements(y), elements(cotangents[j]!)), 0);
  const byDifference = (objective(moved(step)) - objective(moved(-step))) / (2 * step);
  const byRule = operands.reduce(
    (total, _, i) => total + (grads[i] && directions[i] ? dotted(elements(grads[i]), elements(directions[i])) : 0),
    0,
  );
  return { byDifference, byRule, gradientTypes };
}

for (const [name, { gradients = [], flatAt = [] }] of Object.entries(cases)) {
  for (const gradientCase of flatAt) {
    test(`${name} is flat`, () => {
      const { byDifference, gradientTypes } = bothDerivatives(name, gradientCase);
      expect(byDifference).toBe(0);
      expect(gradientTypes.every((t) => t === undefined)).toBe(true);
    });
  }
  for (const gradientCase of gradients) {
    describe(name, () => {
      test(`gradient${gradientCase.what === undefined ? "" : `: ${gradientCase.what}`}`, () => {
        const { byDifference, byRule, gradientTypes } = bothDerivatives(name, gradientCase);
        // Of the operand's own type where the operand is a float, nothing for the others.
        expect(gradientTypes).toEqual(gradientCase.operands.map((o) => (differentiable(o) ? printType(o.type) : undefined)));
        expect(Math.abs(byDifference)).toBeGreaterThan(1e-3);
        expect(Math.abs(byRule - byDifference) / Math.abs(byDifference), `${byRule} against ${byDifference}`).toBeLessThanOrEqual(
          tolerance,
        );
      });
    });
  }
}
