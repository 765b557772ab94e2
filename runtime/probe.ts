// The subgroup probe: what WGSL does not promise about subgroups (size, fullness, lane order) is measured once per device.
import type { SubgroupPath } from "../ir/artifact.ts";
import type { Device } from "./device.ts";
import { sleepUntil } from "./wait.ts";

/** Which kernels that use subgroups are right on a device. Sizes are powers of two. */
export interface SubgroupSupport {
  /** Sizes S for which `@subgroup_size(S)` gives full subgroups of S in lane order. */
  readonly forced: readonly number[];
  /** The one size that every subgroup has without asking, full and in lane order; undefined where sizes vary or something was wrong. */
  readonly fixed: number | undefined;
  /** The largest S for which a workgroup of S lanes lies in one subgroup, in lane order; kernels of one row a workgroup are right up to it. 0 for none. */
  readonly any: number;
  /** Why paths are missing, for people. */
  readonly problems: readonly string[];
}

/** The best path, and the size to compile for: forced (the largest size), else fixed, else any, else none (size 1). */
export function bestSubgroups(support: SubgroupSupport): { readonly path: SubgroupPath; readonly size: number } {
  const largest = Math.max(0, ...support.forced);
  // Where the adapter has one size anyway, asking for it gains nothing, and kernels without the attribute run in more places.
  if (support.fixed !== undefined) return { path: "fixed", size: support.fixed };
  if (largest > 0) return { path: "forced", size: largest };
  return support.any > 0 ? { path: "any", size: support.any } : { path: "none", size: 1 };
}

/** Whether kernels that use subgroups of `size` by `path` are right. */
export function subgroupsAllow(support: SubgroupSupport, path: SubgroupPath, size: number): boolean {
  switch (path) {
    case "forced":
      return support.forced.includes(size);
    case "fixed":
      return support.fixed === size;
    case "any":
      return size <= support.any;
    case "none":
      return true;
    default:
      return path satisfies never;
  }
}

/** What the device's subgroups are good for, after `DeviceOptions.subgroups`. Measured at the first call (a few small dispatches), then remembered. */
export function probeSubgroups(device: Device): Promise<SubgroupSupport> {
  const known = probed.get(device);
  if (known !== undefined) return known;
  const support = probe(device);
  probed.set(device, support);
  return support;
}

const probed = new WeakMap<Device, Promise<SubgroupSupport>>();

async function probe(device: Device): Promise<SubgroupSupport> {
  const { features, subgroupMinSize, subgroupMaxSize } = device.adapter;
  const problems: string[] = [];
  const only = device.onlySubgroups;
  const wanted = (path: SubgroupPath) => only === undefined || only === path;
  if (!features.includes("subgroups")) return { forced: [], fixed: undefined, any: 0, problems: ["the device has no `subgroups`"] };
  if (subgroupMinSize < 1) return { forced: [], fixed: undefined, any: 0, problems: ["the adapter reports no subgroup size"] };

  const right = async (path: string, size: number, workgroup: number, force: boolean): Promise<boolean> => {
    const problem = await measure(device, size, workgroup, force);
    if (problem !== undefined) problems.push(`${path} ${size}, workgroup of ${workgroup}: ${problem}`);
    return problem === undefined;
  };
  // One subgroup a workgroup, then several.
  const workgroupsOf = (size: number) =>
    [size, 4 * size].filter((lanes) => lanes <= (device.adapter.limits["maxComputeInvocationsPerWorkgroup"] ?? 0));
  const allRight = async (path: string, size: number, force: boolean) => {
    for (const lanes of workgroupsOf(size)) if (!(await right(path, size, lanes, force))) return false;
    return true;
  };

  const forced: number[] = [];
  if (wanted("forced")) {
    if (features.includes("subgroup-size-control")) {
      for (let size = subgroupMinSize; size <= subgroupMaxSize; size *= 2) if (await allRight("forced", size, true)) forced.push(size);
    } else problems.push("forced: the device has no `subgroup-size-control`");
  }
  let fixed: number | undefined;
  if (wanted("fixed")) {
    if (subgroupMinSize !== subgroupMaxSize) problems.push(`fixed: sizes vary from ${subgroupMinSize} to ${subgroupMaxSize}`);
    else if (await allRight("fixed", subgroupMinSize, false)) fixed = subgroupMinSize;
  }
  let any = 0;
  if (wanted("any")) {
    for (let size = 4; size <= subgroupMinSize && (await right("any", size, size, false)); size *= 2) any = size;
  }
  return { forced, fixed, any, problems };
}

/** What each invocation reports; the exchanged value is its local index plus 1000 times its workgroup's. */
const fields = 8;
const groups = 3;

/** Words: subgroup size, lane, active lanes, sum, value of lane 0, value of lane size - 1, maximum, and the values seen through every xor mask, weighted and summed. */
const probeKernel = (size: number, workgroup: number, force: boolean): string => {
  const masks = Array.from({ length: Math.log2(size) }, (_, i) => 2 ** i);
  return `enable subgroups;
${force ? "enable subgroup_size_control;\n" : ""}@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(${workgroup})${force ? ` @subgroup_size(${size})` : ""}
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>,
    @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
  let value = group.x * 1000u + local;
  let at = (group.x * ${workgroup}u + local) * ${fields}u;
  out[at] = size;
  out[at + 1u] = lane;
  out[at + 2u] = subgroupAdd(1u);
  out[at + 3u] = subgroupAdd(value);
  out[at + 4u] = subgroupBroadcast(value, 0u);
  out[at + 5u] = subgroupBroadcast(value, ${size - 1}u);
  out[at + 6u] = subgroupMax(value);
  var seen = 0u;
${masks.map((mask, i) => `  seen += subgroupShuffleXor(value, ${mask}u) * ${i + 1}u;`).join("\n")}
  out[at + 7u] = seen;
}
`;
};

/** Undefined where every lane reports what a kernel written for `size` relies on; else the first thing wrong. */
async function measure(device: Device, size: number, workgroup: number, force: boolean): Promise<string | undefined> {
  let words: Uint32Array;
  try {
    words = await device.checked("subgroup probe", () => dispatch(device, probeKernel(size, workgroup, force), workgroup));
  } catch (problem) {
    return problem instanceof Error ? (problem.message.split("\n")[0] ?? "refused") : String(problem);
  }
  return judge(words, size, workgroup, !force && workgroup === size);
}

/** The probe's verdict on its words (see `probeKernel`); `partial`: the workgroup may be smaller than the real subgroup. Exported for tests. */
export function judge(words: Uint32Array, size: number, workgroup: number, partial: boolean): string | undefined {
  const masks = Array.from({ length: Math.log2(size) }, (_, i) => 2 ** i);
  for (let group = 0; group < groups; group++) {
    for (let local = 0; local < workgroup; local++) {
      const at = (group * workgroup + local) * fields;
      const lane = local % size;
      const first = group * 1000 + local - lane;
      const last = first + size - 1;
      const found = words.subarray(at, at + fields);
      const real = found[0] ?? 0;
      const expected = [
        partial && real >= size ? real : size,
        lane,
        size,
        (size * (first + last)) / 2,
        first,
        last,
        last,
        masks.reduce((sum, mask, i) => sum + (first + (lane ^ mask)) * (i + 1), 0),
      ];
      const names = [
        "subgroup size",
        "lane",
        "active lanes",
        "subgroupAdd",
        "subgroupBroadcast of lane 0",
        "subgroupBroadcast of the last lane",
        "subgroupMax",
        "subgroupShuffleXor",
      ];
      const wrong = expected.findIndex((value, i) => value !== found[i]);
      if (wrong >= 0) return `${names[wrong]} is ${found[wrong]} at local index ${local}, not ${expected[wrong]}`;
    }
  }
  return undefined;
}

async function dispatch(device: Device, code: string, workgroup: number): Promise<Uint32Array> {
  const { gpu, bufferUsage } = device;
  const module = gpu.createShaderModule({ code });
  const pipeline = await sleepUntil(gpu.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } }));
  const byteLength = groups * workgroup * fields * 4;
  const out = gpu.createBuffer({ size: byteLength, usage: bufferUsage.STORAGE | bufferUsage.COPY_SRC });
  const staging = gpu.createBuffer({ size: byteLength, usage: bufferUsage.MAP_READ | bufferUsage.COPY_DST });
  try {
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(
      0,
      gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: out } }] }),
    );
    pass.dispatchWorkgroups(groups);
    pass.end();
    encoder.copyBufferToBuffer(out, 0, staging, 0, byteLength);
    gpu.queue.submit([encoder.finish()]);
    await sleepUntil(staging.mapAsync(device.mapMode.READ));
    return new Uint32Array(staging.getMappedRange().slice(0));
  } finally {
    out.destroy();
    staging.destroy();
  }
}
