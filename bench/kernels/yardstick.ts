// The yardstick: a copy written by hand, the only kernel of the benchmarks that the compiler did not make. What moves data is judged by it.
import type { Device } from "../../runtime/index.ts";
import { type Timed, TimedRuns } from "./timed-entry.ts";

export const yardstickName = "YARDSTICK: copy written by hand";

// 256 lanes with four vec4 each, neighbours side by side: the fastest of the layouts that were tried on both software drivers.
const lanes = 256;
const vectorsPerLane = 4;

const code = `
@group(0) @binding(0) var<storage, read_write> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> destination: array<vec4f>;

@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = group.x * ${lanes * vectorsPerLane}u + lane;
${Array.from({ length: vectorsPerLane }, (_, i) => `  let v${i} = source[first + ${i * lanes}u];`).join("\n")}
${Array.from({ length: vectorsPerLane }, (_, i) => `  destination[first + ${i * lanes}u] = v${i};`).join("\n")}
}
`;

/** Bytes that a copy of so many f32 reads and writes. */
export const yardstickBytes = (elements: number): number => 2 * 4 * elements;

/** A copy that may be started: what the yardstick times, and what a test looks into. */
export interface Copy {
  readonly source: GPUBuffer;
  readonly destination: GPUBuffer;
  submit(): void;
  dispose(): void;
}

/** A copy of `elements` f32, a multiple of 4096. */
export async function copyByHand(device: Device, elements: number): Promise<Copy> {
  const { gpu, bufferUsage } = device;
  const perGroup = 4 * lanes * vectorsPerLane;
  if (elements % perGroup !== 0) throw new Error(`the yardstick copies multiples of ${perGroup} elements`);
  const usage = bufferUsage.STORAGE | bufferUsage.COPY_SRC | bufferUsage.COPY_DST;
  const [source, destination] = [0, 1].map(() => gpu.createBuffer({ size: 4 * elements, usage })) as [GPUBuffer, GPUBuffer];
  const pipeline = await device.checked("the yardstick", () =>
    gpu.createComputePipelineAsync({ layout: "auto", compute: { module: gpu.createShaderModule({ code }), entryPoint: "main" } }),
  );
  const group = gpu.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [source, destination].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return {
    source,
    destination,
    submit() {
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(elements / perGroup);
      pass.end();
      gpu.queue.submit([encoder.finish()]);
    },
    dispose() {
      source.destroy();
      destination.destroy();
    },
  };
}

export async function yardstick(device: Device, elements: number): Promise<Timed> {
  const copy = await copyByHand(device, elements);
  return TimedRuns.prepare(device, copy.submit, copy.dispose);
}
