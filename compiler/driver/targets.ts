// Targets: what kernels are compiled for. One that runs everywhere, and those made from what an adapter is.
import type { SubgroupPath, Target } from "../../ir/plan.ts";

/** The limits that every WebGPU implementation grants. */
const defaultLimits: Target["limits"] = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxBufferSize: 268435456,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupsPerDimension: 65535,
};

/** No features, default limits: what every compiled artifact holds, so that it runs on any adapter. */
export const portable: Target = {
  name: "portable",
  subgroups: "none",
  subgroupSize: 1,
  adapterClass: "gpu",
  features: [],
  limits: defaultLimits,
};

/** What {@link targetFor} asks of an adapter's description; the runtime's fits. */
export interface AdapterFacts {
  readonly adapterClass: string;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
}

/**
 * The target for an adapter, with the subgroup path and size that a probe found right on it. Limits beyond the defaults are used only
 * where the adapter has them; a target asks for no more than it names.
 */
export function targetFor(adapter: AdapterFacts, subgroups: { readonly path: SubgroupPath; readonly size: number }): Target {
  const { path, size } = subgroups;
  const limit = (name: keyof Target["limits"]) => adapter.limits[name] ?? defaultLimits[name];
  return {
    name: path === "none" ? `${adapter.adapterClass}-plain` : `${adapter.adapterClass}-sg${size}`,
    subgroups: path,
    subgroupSize: size,
    adapterClass: adapter.adapterClass,
    features: adapter.features,
    limits: {
      maxComputeInvocationsPerWorkgroup: limit("maxComputeInvocationsPerWorkgroup"),
      maxComputeWorkgroupStorageSize: limit("maxComputeWorkgroupStorageSize"),
      maxStorageBufferBindingSize: limit("maxStorageBufferBindingSize"),
      maxBufferSize: limit("maxBufferSize"),
      maxStorageBuffersPerShaderStage: limit("maxStorageBuffersPerShaderStage"),
      maxComputeWorkgroupsPerDimension: limit("maxComputeWorkgroupsPerDimension"),
    },
  };
}
