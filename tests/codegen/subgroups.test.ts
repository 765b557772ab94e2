// The rules for kernels that use subgroups: which texts they get, where they are refused, and that a kernel written for half the
// real subgroup size is right all the same, because a workgroup is never more than one subgroup.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { emitKernel, refuseSchedule } from "../../compiler/codegen/templates.ts";
import type { Problem, Schedule } from "../../ir/plan.ts";
import { epsilon, sumBound, type Words } from "../../ir/sum-error.ts";
import type { Device } from "../../runtime/device.ts";
import { probeSubgroups } from "../../runtime/probe.ts";
import { whyNot } from "../../runtime/target.ts";
import { availableAdapters } from "../support/adapters.ts";
import { expectAgreement } from "./support/compare.ts";
import { dotProblem, mask, noise, packed, questRows, reduceProblem, targetOf } from "./support/problems.ts";

const dot = dotProblem(19, 36, 12);
const rows = questRows(3, 128, 32, 4, { dense: true });
const sum = reduceProblem(5, 64, "inner", "sum");
const broadcast: Schedule = { kind: "dot", frame: "broadcast", rows: 1 };
const subgroupRows: Schedule = { kind: "rows", frame: "subgroup", lanes: 4, vectors: 8, rowsPerGroup: 8 };

describe("the text", () => {
  const kernels = (subgroups: "forced" | "fixed" | "any", size: number) => {
    const target = targetOf(subgroups, size);
    return [
      emitKernel(dot, broadcast, target),
      emitKernel(rows, subgroupRows, target),
      emitKernel(sum, { kind: "reduce", lanes: size, workgroup: size }, target),
    ];
  };

  test("a workgroup is one subgroup, and the lane is the subgroup's own number", () => {
    for (const path of ["forced", "fixed", "any"] as const) {
      for (const size of [4, 8, 32]) {
        for (const kernel of kernels(path, size)) {
          expect(kernel.workgroup).toEqual([size, 1, 1]);
          expect(kernel.subgroupSize).toBe(size);
          expect(kernel.text).toContain("@builtin(subgroup_invocation_id) lane: u32");
          expect(kernel.text).not.toContain("local_invocation");
        }
      }
    }
  });

  test("a subgroup of four is a quad", () => {
    const [dotKernel, , sumKernel] = kernels("fixed", 4);
    expect(dotKernel?.text).toContain("quadBroadcast(");
    expect(sumKernel?.text).toContain("quadSwapX(");
    expect(kernels("fixed", 8).some(({ text }) => /quad(Broadcast|Swap)/.test(text))).toBe(false);
  });

  test("only `forced` asks for a size", () => {
    for (const kernel of kernels("forced", 8)) {
      expect(kernel.text).toContain("@subgroup_size(8)");
      expect(kernel.text).toContain("enable subgroup_size_control;");
      expect(kernel.features).toEqual(["subgroups", "subgroup-size-control"]);
    }
    for (const kernel of [...kernels("fixed", 8), ...kernels("any", 8)]) {
      expect(kernel.text).not.toContain("subgroup_size");
      expect(kernel.features).toEqual(["subgroups"]);
    }
  });

  test("without subgroups no kernel mentions them", () => {
    const target = targetOf("none", 1);
    for (const problem of [dot, rows, sum]) {
      const kernel = emitKernel(problem, chooseSchedule(problem, target), target);
      expect(kernel.text).not.toContain("subgroup");
      expect(kernel.features).toEqual([]);
      expect(kernel.subgroupSize).toBeUndefined();
    }
  });
});

test("schedules that a target cannot run are refused with a reason", () => {
  const reason = (problem: Problem, schedule: Schedule, ...target: Parameters<typeof targetOf>) =>
    refuseSchedule(problem, schedule, targetOf(...target));
  expect(reason(dot, broadcast, "none", 1)).toBe("the target has no subgroups");
  expect(reason(dot, broadcast, "fixed", 2)).toBe("subgroups of 2: the frame needs a power of two from 4 on");
  expect(reason(dot, { kind: "dot", frame: "broadcast", rows: 4 }, "fixed", 32)).toBe(
    "4 rows of 32 lanes are 128 rows of sums a lane, more than 64",
  );
  expect(reason(dot, { kind: "dot", frame: "tile", rows: 4, workgroup: [32, 16] }, "none", 1)).toBe(
    "512 lanes a workgroup, the adapter takes 256",
  );
  expect(reason(rows, subgroupRows, "none", 1)).toBe("the target has no subgroups");
  expect(reason(rows, { kind: "rows", frame: "workgroup", workgroup: 512 }, "none", 1)).toBe(
    "512 lanes a workgroup, the adapter takes 256",
  );
  expect(reason(questRows(2, 96, 64, 4), subgroupRows, "fixed", 8)).toBe(
    "blocks of 64 in rows of 96: a block is a power of two up to 128 that divides the row",
  );
  expect(reason(sum, { kind: "reduce", lanes: 6, workgroup: 12 }, "none", 1)).toContain("lanes must be a power of two");
  expect(reason(sum, broadcast, "fixed", 8)).toBe("a dot schedule for a reduce problem");
});

for (const adapter of await availableAdapters()) {
  describe(adapter.name, () => {
    const size = adapter.description.subgroupMinSize;
    const half = targetOf("fixed", size / 2, adapter.description.adapterClass);
    let device: Device;
    beforeAll(async () => {
      device = await adapter.open();
    });
    afterAll(() => device.dispose());

    test("a target for another subgroup size is refused by the runtime", async () => {
      const support = await probeSubgroups(device);
      for (const other of [size / 2, size * 2]) {
        const requires = { features: ["subgroups"], subgroups: "fixed", subgroupSize: other, limits: {} } as const;
        expect(whyNot(requires, device, support)).toContain(`needs fixed subgroups of ${other}`);
      }
      expect(whyNot({ features: ["subgroups"], subgroups: "fixed", subgroupSize: size, limits: {} }, device, support)).toBeUndefined();
    });

    const cases: readonly (readonly [string, Problem, Schedule, readonly Words[], (b: number) => number])[] = [
      ["a contraction", dot, broadcast, [noise(19 * 12), noise(36 * 12, 2), new Float32Array(19 * 36)], () => 0],
      [
        "a quantizer",
        rows,
        subgroupRows,
        [
          noise(384),
          new Uint32Array(3 * packed(4, 128).pitch),
          new Uint32Array(3 * mask(128).pitch),
          new Float32Array(3),
          new Float32Array(384),
        ],
        (b) => (b === 3 ? 8 * epsilon : b === 4 ? 64 * epsilon : 0),
      ],
      ["a sum", sum, { kind: "reduce", lanes: size / 2, workgroup: size / 2 }, [noise(320), new Float32Array(5)], () => 0],
    ];
    for (const [name, problem, schedule, buffers, bound] of cases) {
      test(`${name} written for half the subgroup size is right, or refused`, async () => {
        if (size / 2 < 4 && problem.kind !== "reduce") {
          expect(refuseSchedule(problem, schedule, half)).toMatch(/power of two from 4 on|a subgroup has 2/);
          return;
        }
        expect(refuseSchedule(problem, schedule, half)).toBeUndefined();
        const output = problem.kind === "dot" ? 2 : 1;
        const ofSum = problem.kind === "rows" ? bound : sumBound(problem, buffers, output, 64);
        await expectAgreement(device, { problem, schedule, target: half, buffers, bound: ofSum });
      });
    }
  });
}
