// Every op that models call: with the operands and attributes of its hand-computed cases, the call is that op and nothing else.
import { describe, expect, test } from "vitest";
import { lower } from "../../compiler/lower/lower.ts";
import { resolve } from "../../compiler/sema/resolve.ts";
import type { Attributes } from "../../ir/attribute.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import { printLiteral } from "../../ir/literal.ts";
import type { Module } from "../../ir/module.ts";
import type { Op } from "../../ir/op.ts";
import { ops } from "../../ir/ops/table.ts";
import { printType } from "../../ir/type.ts";
import { cases } from "../ops/cases/index.ts";
import type { SemanticsCase } from "../ops/support/case.ts";
import { loadSource } from "./file-cases.ts";

const callable = ops.filter(({ signature }) => signature.callable);

test("there are such ops", () => {
  expect(callable.length).toBeGreaterThan(20);
});

/** `module Net { fn (x: f32[2, 3]) -> f32[2] { return sum(x, axis = [1]) } }` */
function modelOf({ signature }: Op, { operands, attrs = {}, expect: [result] }: SemanticsCase): Module {
  const inputs = signature.operands.map((name, i) => `${name}: ${printType(operands[i]!.type)}`);
  const given = Object.entries(attrs).map(([name, value]) => {
    const kind = signature.attrs[name]!;
    return `${kind.means === "reduced axes" ? "axis" : name} = ${printLiteral(kind.write(value))}`;
  });
  const call = `${signature.name}(${[...signature.operands, ...given].join(", ")})`;
  const text = `module Net { fn (${inputs.join(", ")}) -> ${printType(result!.type)} { return ${call} } }`;
  return unwrap(lower(unwrap(resolve({ path: "models/call.loom", text }, { load: loadSource, model: "Net" }))));
}

const withFallbacks = ({ signature }: Op, attrs: Attributes = {}): Attributes =>
  Object.fromEntries(Object.entries(signature.attrs).map(([name, kind]) => [name, attrs[name] ?? kind.fallback]));

describe.each(callable.map((op) => [op.signature.name, op] as const))("%s", (name, op) => {
  test.each(cases[name]!.semantics.map((given) => [given.what, given] as const))("%s", (_what, given) => {
    const [entry] = modelOf(op, given).entries;
    expect(entry!.instructions.map((i) => [i.op.signature.name, i.attrs])).toEqual([[name, withFallbacks(op, given.attrs)]]);
    expect(entry!.instructions[0]!.operands).toEqual(entry!.inputs.map(({ value }) => value));
  });
});
