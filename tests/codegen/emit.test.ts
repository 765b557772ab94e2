// Emission: equal texts become one kernel, requirements are what is needed and no more, and broken targets are refused.
import { describe, expect, test } from "vitest";
import { emit } from "../../compiler/codegen/emit.ts";
import { chooseSchedule } from "../../compiler/codegen/schedules.ts";
import { verifyTarget } from "../../compiler/codegen/verify-target.ts";
import type { TargetRecord } from "../../ir/artifact.ts";
import type { Dispatch, KernelPlan, MemoryPlan, Problem, Target, VirtualBuffer } from "../../ir/plan.ts";
import { codes, f32 } from "../../ir/type.ts";
import { dotProblem, questRows, reduceProblem, targetOf } from "./support/problems.ts";

const buffer = (name: string, bytes: number): VirtualBuffer => ({ name, type: f32(bytes / 4), bytes, role: { kind: "temporary" } });
const dispatch = (problem: Problem, target: Target, names: readonly string[], serves: string): Dispatch => ({
  problem,
  schedule: chooseSchedule(problem, target),
  bind: names.map((name) => ({ buffer: name, access: "update" })),
  serves: [serves],
  at: { path: "models/mlp.loom", line: 3, column: 7 },
});

function planOf(target: Target): KernelPlan & { readonly memory: MemoryPlan } {
  const buffers = [buffer("%x", 24 * 64 * 4), buffer("%w", 40 * 64 * 4), buffer("%y", 24 * 40 * 4), buffer("%z", 96), buffer("%table", 16)];
  const table: VirtualBuffer = { name: "%table", type: codes(4, "integer", [2, 5]), bytes: 32, role: { kind: "constant" } };
  let offset = 0;
  const places = Object.fromEntries(
    [...buffers.slice(0, 4), table].map(({ name, bytes }) => {
      const place = { slab: "arena.0", offset };
      offset += Math.ceil(bytes / 256) * 256;
      return [name, place];
    }),
  );
  return {
    target,
    entries: [
      {
        name: "train",
        buffers: [...buffers.slice(0, 4), table],
        dispatches: [
          dispatch(dotProblem(24, 40, 64), target, ["%x", "%w", "%y"], "%y"),
          dispatch(dotProblem(24, 40, 64), target, ["%x", "%w", "%y"], "%again"),
          dispatch(reduceProblem(24, 40, "inner", "sum"), target, ["%y", "%z"], "%z"),
        ],
        inputs: [{ name: "x", type: f32(24, 64), buffer: "%x", byteOffset: 0 }],
        outputs: [{ name: "z", type: f32(24), buffer: "%z", byteOffset: 0 }],
        constants: [{ buffer: "%table", values: [0, 1, 2, 3, -1, 7, -8, 5, 0, 1] }],
      },
    ],
    memory: { slabs: [{ name: "arena.0", bytes: offset }], places: { train: places }, peakBytes: offset, lowerBoundBytes: offset },
  };
}

describe("an emitted target", () => {
  const { target, files, sourceMaps } = emit(planOf(targetOf("fixed", 8)));

  test("has a kernel once for equal texts", () => {
    expect(target.kernels).toHaveLength(2);
    expect(target.dispatches["train"]?.map((d) => d.kernel)).toEqual([0, 0, 1]);
    for (const { file } of target.kernels) {
      expect(file).toMatch(/^kernels\/(dot|reduce)-[0-9a-f]{8}\.wgsl$/);
      expect(files.get(file)).toContain("fn main");
      expect(sourceMaps.get(file)?.some((label) => label === "%y" || label === "%z")).toBe(true);
    }
  });

  test("says where everything lies", () => {
    expect(target.dispatches["train"]?.[0]).toMatchObject({
      bind: [
        ["arena.0", 0, 6144],
        ["arena.0", 6144, 10240],
        ["arena.0", 16384, 3840],
      ],
      serves: ["%y"],
      at: "models/mlp.loom:3:7",
    });
    expect(target.entries["train"]).toEqual({ inputs: { x: ["arena.0", 0, 6144] }, outputs: { z: ["arena.0", 20224, 96] } });
  });

  test("has constants as their buffers hold them", () => {
    const [constant] = target.constants;
    expect(constant?.range).toEqual(["arena.0", 20480, 32]);
    const bytes = files.get(constant?.file ?? "");
    if (!(bytes instanceof Uint8Array)) throw new Error("the constant's bytes");
    expect(Array.from(new Uint32Array(bytes.buffer))).toEqual([0x000f3210, 0, 0, 0, 0x00010587, 0, 0, 0]);
  });

  test("requires what it needs", () => {
    expect(target.requires).toEqual({ features: ["subgroups"], limits: {}, subgroupSize: 8, subgroups: "fixed" });
    expect(emit(planOf(targetOf("none", 1))).target.requires).toEqual({ features: [], limits: {} });
    expect(emit(planOf(targetOf("forced", 16))).target.requires).toEqual({
      features: ["subgroup-size-control", "subgroups"],
      limits: {},
      subgroupSize: 16,
      subgroups: "forced",
    });
  });
});

describe("a target that breaks a rule is refused", () => {
  const good = emit(planOf(targetOf("fixed", 8))).target;
  const limits = targetOf("fixed", 8).limits;
  const [first, ...rest] = good.dispatches["train"] ?? [];
  if (first === undefined) throw new Error("a dispatch");
  const broken = (change: Partial<typeof first>): TargetRecord => ({ ...good, dispatches: { train: [{ ...first, ...change }, ...rest] } });
  const cases: readonly (readonly [string, TargetRecord, string])[] = [
    [
      "overlap",
      broken({
        bind: [
          ["arena.0", 0, 6144],
          ["arena.0", 6144, 10240],
          ["arena.0", 6144, 3840],
        ],
      }),
      "overlaps another",
    ],
    ["offset", broken({ bind: [["arena.0", 128, 256], ...first.bind.slice(1)] }), "offset 128 in arena.0 is no multiple of 256"],
    ["size", broken({ bind: [["arena.0", 0, 6140], ...first.bind.slice(1)] }), "6140 bytes of arena.0 are no multiple of 16"],
    ["slab", broken({ bind: [["arena.7", 0, 6144], ...first.bind.slice(1)] }), "there is no slab arena.7"],
    ["end", broken({ bind: [...first.bind.slice(0, 2), ["arena.0", 20480, 4096]] }), "go beyond arena.0"],
    ["bindings", broken({ bind: first.bind.slice(0, 2) }), "2 ranges for 3 bindings"],
    ["immediates", broken({ immediates: [] }), "0 immediates for"],
    ["groups", broken({ groups: [70_000, 1, 1] }), "70000 x 1 x 1 workgroups"],
    ["kernel", broken({ kernel: 9 }), "there is no kernel 9"],
  ];
  for (const [name, target, message] of cases) test(name, () => expect(() => verifyTarget(target, limits)).toThrow(message));
  test("size of a binding", () =>
    expect(() => verifyTarget(good, { ...limits, maxStorageBufferBindingSize: 4096 })).toThrow("a binding takes 4096"));
  test("number of bindings", () =>
    expect(() => verifyTarget(good, { ...limits, maxStorageBuffersPerShaderStage: 2 })).toThrow("3 bindings, at most 2"));
  test("the message names the target, the entry and the values", () =>
    expect(() => verifyTarget(broken({ kernel: 9 }), limits)).toThrow("target lavapipe-fixed-8, @train, dispatch 0 (%y)"));
});

test("a plan without places, or with a schedule that does not fit, is a bug", () => {
  const plan = planOf(targetOf("fixed", 8));
  const { memory: _, ...unplaced } = plan;
  expect(() => emit(unplaced)).toThrow("after plan-memory");
  expect(() => emit({ ...plan, target: targetOf("none", 1) })).toThrow("the target has no subgroups");
  expect(() =>
    emit({
      ...plan,
      entries: plan.entries.map((e) => ({ ...e, dispatches: [dispatch(questRows(2, 64, 16, 4), plan.target, ["%x"], "%q")] })),
    }),
  ).toThrow("1 buffers for a kernel of 4 bindings");
});
