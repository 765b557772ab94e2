// Heads in chunks against the same heads whole: models, numbers to run them on, and what must agree.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { lowerSource } from "../../compiler/driver/frontend.ts";
import { runPasses } from "../../compiler/driver/passes.ts";
import { unwrap } from "../../ir/diagnostic.ts";
import type { Module } from "../../ir/module.ts";
import { elementCount, shapeOf } from "../../ir/type.ts";
import { numbersFor } from "../passes/runnable-module.ts";

/** `rows` of a chunk: of 192, so that 128 leaves fewer for the last one; 40 and 7 begin where no binding can. */
export interface HeadCase {
  readonly recipe: "plain" | "biased" | "tied" | "merged";
  readonly policy: "float" | "quest_w4a4" | "weights";
  readonly rows: number;
  readonly accumulate: boolean;
}

const recipes = ["plain", "biased", "tied", "merged"] as const;
const policies = ["float", "quest_w4a4", "weights"] as const;

export const headCases: readonly HeadCase[] = recipes.flatMap((recipe, i) =>
  policies.flatMap((policy, j): readonly HeadCase[] => [
    { recipe, policy, rows: [64, 128, 40, 7][(i + j) % 4] ?? 64, accumulate: false },
    { recipe, policy, rows: [64, 128][(i + j) % 2] ?? 64, accumulate: true },
  ]),
);

const path = "tests/support/heads.loom";
const text = readFileSync(path, "utf8");

/** The module with numbered kernels. */
export function headModule({ recipe, policy, rows, accumulate }: HeadCase, chunked: boolean, ...more: readonly string[]): Module {
  const set = [`head_chunk=${chunked ? rows : "none"}`, ...(accumulate ? ["accumulate=2"] : []), ...more];
  const { module } = unwrap(lowerSource({ path, text }, { recipe, policy, set }));
  const entries = module.entries.filter(({ name }) => name === "train" || name === "eval");
  return unwrap(runPasses({ ...module, entries })).module;
}

/** Some labels do not count, and of one chunk none does. */
export function headInputs(module: Module, entry: string): Readonly<Record<string, Int32Array<ArrayBuffer>>> {
  const inputs = module.entries.find(({ name }) => name === entry)?.inputs ?? [];
  return Object.fromEntries(
    inputs.flatMap(({ value, origin }) => {
      if (origin === "caller" || "host" in origin) return [];
      const length = elementCount(shapeOf(value.type));
      const ignored = (i: number) => value.hint === "labels" && (i % 5 === 3 || (i >= 64 && i < 128));
      return [[value.hint, Int32Array.from({ length }, (_, i) => (ignored(i) ? -1 : (i * 13 + 5) % 50))]];
    }),
  );
}

export const headState = (module: Module): Readonly<Record<string, Float32Array<ArrayBuffer>>> =>
  Object.fromEntries(
    module.states.map(({ name, role, type }, i) => {
      const numbers = numbersFor(type, 40 + i);
      return [name, Float32Array.from(numbers, (x) => (role === "parameter" ? Math.sin(7 * x + i) / 2 : 0))];
    }),
  );

export interface HeadRun {
  readonly outputs: Readonly<Record<string, ArrayLike<number>>>;
  /** What an entry changed a state by: the gradient, times the rate. */
  readonly changes: Readonly<Record<string, ArrayLike<number>>>;
}

/** Loss, counts, and all gradients agree within the rounding of f32 sums. */
export function expectSameRun(actual: HeadRun, expected: HeadRun, relative: number): void {
  expect(Object.keys(actual.outputs)).toEqual(Object.keys(expected.outputs));
  for (const [name, values] of Object.entries(expected.outputs)) expectClose(actual.outputs[name], values, relative, name);
  for (const [name, values] of Object.entries(expected.changes)) expectClose(actual.changes[name], values, relative, `change of ${name}`);
}

function expectClose(actual: ArrayLike<number> | undefined, expected: ArrayLike<number>, relative: number, name: string): void {
  const largest = Array.from(expected).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (let i = 0; i < expected.length; i++) {
    const [a = Number.NaN, e = Number.NaN] = [actual?.[i], expected[i]];
    if (!(Math.abs(a - e) <= relative * largest)) throw new Error(`${name}[${i}] is ${a}, whole it is ${e} (largest ${largest})`);
  }
}

export const changesOf = (
  before: Readonly<Record<string, ArrayLike<number>>>,
  after: Readonly<Record<string, ArrayLike<number>>>,
): HeadRun["changes"] =>
  Object.fromEntries(
    Object.entries(before).map(([name, values]) => [name, Array.from(values, (x, i) => (after[name]?.[i] ?? Number.NaN) - x)]),
  );
