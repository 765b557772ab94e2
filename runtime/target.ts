// Choice among an artifact's targets: the first whose requirements the device meets, or a diagnostic that says why each was refused.
import type { TargetRecord, TargetRequirements } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import type { Device } from "./device.ts";
import { probeSubgroups, type SubgroupSupport, subgroupsAllow } from "./probe.ts";

/** The first target that is right on the device, or the one called `name`. Throws a DiagnosticError `no-target`. */
export async function chooseTarget(targets: readonly TargetRecord[], device: Device, name?: string): Promise<TargetRecord> {
  const candidates = name === undefined ? targets : targets.filter((target) => target.name === name);
  if (candidates.length === 0) {
    throw refuse(name === undefined ? "the artifact has no targets" : `the artifact has no target \`${name}\``, [
      `its targets are ${targets.map((t) => t.name).join(", ") || "none"}`,
    ]);
  }
  const reasons: string[] = [];
  for (const target of candidates) {
    const support = target.requires.subgroupSize === undefined ? undefined : await probeSubgroups(device);
    const reason = whyNot(target.requires, device, support);
    if (reason === undefined) return target;
    reasons.push(`target \`${target.name}\`: ${reason}`);
  }
  throw refuse(`no target of the artifact runs on ${device.adapter.name}`, [
    ...reasons,
    "compile for this adapter, or with the target `portable`, which asks for nothing",
  ]);
}

/** Why a device does not meet a target's requirements; undefined where it does. `support` is the probe's answer, needed where subgroups are required. */
export function whyNot(
  requires: TargetRequirements,
  device: Pick<Device, "adapter">,
  support: SubgroupSupport | undefined,
): string | undefined {
  const { features, limits, name } = device.adapter;
  const missing = requires.features.filter((feature) => !features.includes(feature));
  if (missing.length > 0) return `needs ${missing.map((feature) => `\`${feature}\``).join(", ")}, which ${name} does not have`;
  for (const [limit, wanted] of Object.entries(requires.limits)) {
    const has = limits[limit];
    if (has === undefined) return `needs the limit ${limit}, which is unknown`;
    // Limits that begin with `min` are alignments: smaller is better.
    if (limit.startsWith("min") ? has > wanted : has < wanted) return `needs ${limit} = ${wanted}, ${name} has ${has}`;
  }
  const size = requires.subgroupSize;
  if (size === undefined) return undefined;
  if (support === undefined) return "needs subgroups, which were not probed";
  const path = requires.subgroups ?? (requires.features.includes("subgroup-size-control") ? "forced" : "fixed");
  if (subgroupsAllow(support, path, size)) return undefined;
  const { forced, fixed, any } = support;
  const offered = {
    forced: forced.length > 0 ? `sizes ${forced.join(", ")}` : "none",
    fixed: fixed === undefined ? "none" : `size ${fixed}`,
    any: any > 0 ? `sizes up to ${any}` : "none",
    none: "none",
  };
  return `needs ${path} subgroups of ${size}; ${name} offers ${path === "any" ? "kernels of one subgroup a workgroup: " : `${path}: `}${offered[path]}`;
}

const refuse = (message: string, help: readonly string[]) => new DiagnosticError([error("no-target", message, undefined, "", help)]);
