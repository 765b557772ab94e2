// Compares a kernel's buffers with the reference's: integers and packed words exactly, floats within a bound for each element.
import { expect } from "vitest";
import type { Kernel } from "../../../compiler/codegen/kernel.ts";
import { emitKernel } from "../../../compiler/codegen/templates.ts";
import { isClose } from "../../../ir/agreement.ts";
import { evaluateProblem } from "../../../ir/evaluate-problem.ts";
import type { Problem, Schedule, Target } from "../../../ir/plan.ts";
import type { Words } from "../../../ir/sum-error.ts";
import type { Device } from "../../../runtime/device.ts";
import { runKernel } from "./run-kernel.ts";

export interface Comparison {
  readonly problem: Problem;
  readonly schedule: Schedule;
  readonly target: Target;
  readonly buffers: readonly Words[];
  /** Largest difference of element `index` of a binding of floats; default: none. */
  readonly bound?: (binding: number, index: number) => number;
}

/** Run on the device and in the reference; fails with the kernel's text and the first element that is too far off. */
export async function expectAgreement(
  device: Device,
  { problem, schedule, target, buffers, bound = () => 0 }: Comparison,
): Promise<Kernel> {
  const kernel = emitKernel(problem, schedule, target, ["%result"]);
  const expected = buffers.map((b) => b.slice());
  evaluateProblem(problem, expected);
  const results = await runKernel(device, kernel, buffers);
  for (const [binding, reference] of expected.entries()) {
    const words = results[binding] ?? new Uint32Array();
    const found =
      reference instanceof Float32Array
        ? new Float32Array(words.buffer, 0, words.length)
        : reference instanceof Int32Array
          ? new Int32Array(words.buffer, 0, words.length)
          : words;
    const wrong = reference.findIndex((value, i) => !isClose(found[i] ?? 0, value, bound(binding, i)));
    if (wrong >= 0) {
      const sizes = JSON.stringify(kernel.immediates);
      expect.fail(
        `binding ${binding}, element ${wrong}: ${found[wrong]}, not ${reference[wrong]} (allowed ${bound(binding, wrong)})\nimmediates ${sizes}, groups ${kernel.groups}\n${kernel.text}`,
      );
    }
  }
  return kernel;
}
