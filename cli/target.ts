// The target of a compilation for an open device: the probe's answer and the adapter's limits, as the compiler takes them.
import { targetFor } from "../compiler/index.ts";
import type { Target } from "../ir/plan.ts";
import { bestSubgroups, type Device, probeSubgroups } from "../runtime/index.ts";

export async function targetOf(device: Device): Promise<Target> {
  const support = await probeSubgroups(device);
  return targetFor(device.adapter, bestSubgroups(support));
}
