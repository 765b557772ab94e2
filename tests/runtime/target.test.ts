// Which targets an adapter can run, and why not.
import { describe, expect, it } from "vitest";
import type { TargetRequirements } from "../../ir/artifact.ts";
import type { Device } from "../../runtime/device.ts";
import { whyNot } from "../../runtime/target.ts";

describe("target requirements", () => {
  const device = (features: readonly string[]) =>
    ({ adapter: { name: "gpu", features, limits: {} } }) as unknown as Pick<Device, "adapter">;
  const support = { forced: [8, 16, 32], fixed: undefined, any: 8, problems: [] };
  const needs = (subgroups: TargetRequirements["subgroups"], subgroupSize: number, features = ["subgroups"]): TargetRequirements => ({
    features,
    subgroupSize,
    limits: {},
    ...(subgroups === undefined ? {} : { subgroups }),
  });

  it("follow the path that the kernels were written for", () => {
    const both = device(["subgroups", "subgroup-size-control"]);
    expect(whyNot(needs("forced", 16), both, support)).toBeUndefined();
    expect(whyNot(needs("forced", 64), both, support)).toBe("needs forced subgroups of 64; gpu offers forced: sizes 8, 16, 32");
    expect(whyNot(needs("fixed", 16), both, support)).toBe("needs fixed subgroups of 16; gpu offers fixed: none");
    expect(whyNot(needs("any", 4), both, support)).toBeUndefined();
    expect(whyNot(needs("any", 16), both, support)).toContain("kernels of one subgroup a workgroup: sizes up to 8");
    // Without a path: forced where the kernels ask for size control, else fixed.
    expect(whyNot(needs(undefined, 16, ["subgroups", "subgroup-size-control"]), both, support)).toBeUndefined();
    expect(whyNot(needs(undefined, 16), both, support)).toContain("needs fixed");
    expect(whyNot(needs("fixed", 16), device([]), support)).toContain("needs `subgroups`");
  });
});
