// Facts about the whole table: every op is documented, tested and complete.
import { describe, expect, test } from "vitest";
import { isFromResult } from "../../ir/attribute.ts";
import { forms, variadicName } from "../../ir/op.ts";
import { findOp, opNamed, ops } from "../../ir/ops/table.ts";
import { cases } from "./cases/index.ts";

test("names are unique and found", () => {
  const names = ops.map((op) => op.signature.name);
  expect(new Set(names).size).toBe(names.length);
  for (const op of ops) expect(findOp(op.signature.name)).toBe(op);
  expect(findOp("no_such_op")).toBeUndefined();
});

test("no case is for an op that does not exist", () => {
  expect(Object.keys(cases).filter((name) => findOp(name) === undefined)).toEqual([]);
});

for (const { signature, vjp, lower, evaluate } of ops) {
  describe(signature.name, () => {
    test("has a summary that is a sentence", () => {
      expect(signature.summary).toMatch(/^\S.*\.$/s);
    });

    test("has a snake_case name", () => {
      expect(signature.name).toMatch(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/);
    });

    test("has a name, operands and one result that a call can have, if models call it", () => {
      if (!signature.callable) return;
      expect(signature.name).not.toContain(".");
      expect(signature.results).toHaveLength(1);
      expect(signature.operands.length).toBeGreaterThan(0);
      expect(variadicName(signature.operands)).toBeUndefined();
      expect(Object.values(signature.attrs).filter(isFromResult)).toEqual([]);
    });

    test("has hand-computed semantics", () => {
      expect(cases[signature.name]?.semantics.length ?? 0).toBeGreaterThan(0);
    });

    test("has a gradient check if it has a gradient", () => {
      const known = cases[signature.name];
      const count = (known?.gradients ?? []).length + (known?.flatAt ?? []).length;
      if (vjp === "none") expect(count).toBe(0);
      else expect(count > 0 || known?.gradientElsewhere !== undefined).toBe(true);
    });

    test("is a composite exactly if no kernel can stand for it", () => {
      const primitive = signature.forms.includes("primitive");
      expect(primitive).toBe(lower.kind !== "expand");
      if (lower.kind === "pointwise" || lower.kind === "expand") expect(evaluate).toBe("from lower");
      expect(signature.forms.every((form) => forms.includes(form))).toBe(true);
    });
  });
}

test("an op that is not in the table is a bug", () => {
  expect(() => opNamed("no_such_op")).toThrow("no op no_such_op");
});
