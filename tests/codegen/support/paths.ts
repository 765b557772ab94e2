// Every way in which kernels may use subgroups on an adapter, as targets, with a device that has only that way.
import { afterAll, beforeAll } from "vitest";
import type { SubgroupPath, Target } from "../../../ir/plan.ts";
import type { Device } from "../../../runtime/device.ts";
import type { TestAdapter } from "../../support/adapters.ts";
import { targetOf } from "./problems.ts";

export interface Path {
  readonly name: string;
  readonly target: Target;
  open(): Promise<Device>;
}

/** forced, fixed and any at the adapter's own size, any at half of it (where that is 4 or more), and none. */
export function pathsOf({ description, open }: TestAdapter): readonly Path[] {
  const size = description.subgroupMinSize;
  const limits = { maxComputeInvocationsPerWorkgroup: description.limits["maxComputeInvocationsPerWorkgroup"] ?? 256 };
  const path = (subgroups: SubgroupPath, subgroupSize: number): Path => ({
    name: subgroups === "none" ? "none" : `${subgroups} ${subgroupSize}`,
    target: targetOf(subgroups, subgroupSize, description.adapterClass, limits),
    open: () => open({ subgroups }),
  });
  const half = size / 2 >= 4 ? [path("any", size / 2)] : [];
  return [path("forced", size), path("fixed", size), path("any", size), ...half, path("none", 1)];
}

/** The device of a path, open while the tests of the `describe` run in which this is called. */
export function deviceOn(path: Path): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await path.open();
  });
  afterAll(() => device?.dispose());
  return () => {
    if (device === undefined) throw new Error("no device before the tests run");
    return device;
  };
}
