// The bound on what a kernel may differ by: results of any order of additions lie within it, a wrong term does not, words are exact.
import { describe, expect, test } from "vitest";
import { Reference } from "../../ir/agreement.ts";
import { evaluateProblem } from "../../ir/evaluate-problem.ts";
import type { DotProblem, Problem, ReduceProblem } from "../../ir/plan.ts";
import { cast, float, input, plus, times, uint, unary, variable } from "../../ir/scalar.ts";
import { evaluateWithin } from "../../ir/sum-error.ts";
import { dotProblem, loadF32, noise, questRows, reduceProblem, storeF32 } from "../codegen/support/problems.ts";

const wordsOf = (floats: Float32Array<ArrayBuffer>) => new Uint32Array(floats.buffer);
const evaluated = (problem: Problem, buffers: readonly Uint32Array<ArrayBuffer>[]) => {
  const copies = buffers.map((b) => b.slice());
  evaluateProblem(problem, copies);
  return copies;
};
const [m, n, k] = [6, 8, 300];
const operands = () => [noise(m * k, 1), noise(n * k, 2), new Float32Array(m * n), noise(n, 4)].map(wordsOf);

describe("contractions", () => {
  const scaled = dotProblem(m, n, k, { epilogue: (sum, _m, column) => times(unary("exp", times(sum, float(0.5))), loadF32(3, column)) });
  const twice: DotProblem = { ...scaled, stores: [...scaled.stores, storeF32(3, variable("n", n), input(0, "f32"))].slice(0, 1) };

  test("what follows the sums is the problem's own, to the last bit", () => {
    for (const problem of [dotProblem(m, n, k), scaled, twice, dotProblem(2, 4, 5, { batch: [3], aByK: true })]) {
      const buffers = problem.batch.length === 0 ? operands() : [noise(30, 1), noise(60, 2), new Float32Array(24)].map(wordsOf);
      expect(evaluateWithin(problem, buffers).expected).toEqual(evaluated(problem, buffers));
    }
  });

  test("additions in another order agree, also behind an exponential; a term that is missing does not", () => {
    for (const problem of [dotProblem(m, n, k), scaled]) {
      const buffers = operands();
      const reference = new Reference(problem, buffers);
      const [a, b, , scale] = buffers.map((words) => new Float32Array(words.buffer));
      const backwards = (until: number) => {
        const found = evaluated(problem, buffers);
        const results = new Float32Array(found[2]!.buffer);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let sum = 0;
            // `b` lies by k.
            for (let q = k - 1; q >= until; q--) sum = Math.fround(sum + Math.fround(a![i * k + q]! * b![q * n + j]!));
            results[i * n + j] = problem === scaled ? Math.exp(sum * 0.5) * scale![j]! : sum;
          }
        return found;
      };
      expect(reference.differenceFrom(backwards(0))).toBeUndefined();
      expect(reference.differenceFrom(backwards(1))).toMatch(/^binding 2: element \d+ is .*, not .* \(allowed /);
    }
  });

  test("what a kernel may not touch is compared too", () => {
    const buffers = operands();
    const found = evaluated(dotProblem(m, n, k), buffers);
    found[0]![7]! ^= 1;
    expect(new Reference(dotProblem(m, n, k), buffers).differenceFrom(found)).toContain(
      "binding 0: 1 of 1800 words differ, the first is word 7",
    );
  });
});

test("reductions of several kinds at once", () => {
  const base = reduceProblem(8, 64, "inner", "sum");
  const element = base.accumulators[0]!.element;
  const c = variable("c0", 8);
  const problem: ReduceProblem = {
    ...base,
    accumulators: [
      { combine: "argmax", element },
      { combine: "sum", element },
      { combine: "max", element },
    ],
    stores: [
      storeF32(1, c, plus(input(1, "f32"), input(2, "f32"))),
      { binding: 2, storage: { kind: "dense", scalar: "i32" }, row: uint(0), column: c, value: input(0, "i32") },
      storeF32(3, c, cast("f32", input(0, "i32"))),
    ],
  };
  const buffers = [noise(512), new Float32Array(8), new Float32Array(8), new Float32Array(8)].map(wordsOf);
  expect(evaluateWithin(problem, buffers).expected).toEqual(evaluated(problem, buffers));
  const found = evaluated(problem, buffers);
  found[2]![3]! += 1;
  expect(new Reference(problem, buffers).differenceFrom(found)).toMatch(/^binding 2: 1 of 8 words differ/);
});

test("of a row's codes few may differ", () => {
  const problem = questRows(64, 512, 128, 4);
  const buffers = [
    wordsOf(noise(64 * 512)),
    ...problem.stores.map(({ storage }) => new Uint32Array(storage.kind === "packed" ? 64 * storage.pitch : 0)),
    new Uint32Array(64),
  ];
  const reference = new Reference(problem, buffers);
  const found = evaluated(problem, buffers);
  for (const word of [5, 77, 3000]) found[1]![word]! ^= 1;
  expect(reference.differenceFrom(found)).toBeUndefined();
  for (let word = 0; word < 8; word++) found[1]![word]! ^= 2;
  expect(reference.differenceFrom(found)).toMatch(/^binding 1: \d+ of 4096 words differ/);
});
