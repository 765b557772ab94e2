// Runs one generated kernel on a device: uploads its bindings, dispatches, reads every binding back.
import type { Kernel } from "../../../compiler/codegen/kernel.ts";
import type { Words } from "../../../ir/sum-error.ts";
import type { Device } from "../../../runtime/device.ts";
import { sleepUntil } from "../../../runtime/wait.ts";

/** Bytes of each binding after the dispatch. Bindings are padded to 16 bytes, the padding filled with `0x7fc0babe` to catch stray reads and writes. */
export async function runKernel(device: Device, kernel: Kernel, bindings: readonly Words[]): Promise<readonly Uint32Array[]> {
  const { gpu, bufferUsage } = device;
  const made: GPUBuffer[] = [];
  const buffer = (size: number, usage: number) => {
    const b = gpu.createBuffer({ size, usage });
    made.push(b);
    return b;
  };
  try {
    return await device.checked(`kernel\n${kernel.text}`, async () => {
      const visibility = device.shaderStage.COMPUTE;
      const layout = gpu.createBindGroupLayout({
        entries: bindings.map((_, binding) => ({ binding, visibility, buffer: { type: "storage" as const } })),
      });
      const pipelineLayout = gpu.createPipelineLayout({
        bindGroupLayouts: [layout],
        immediateSize: kernel.immediates.length * 4,
      } as GPUPipelineLayoutDescriptor);
      const module = gpu.createShaderModule({ code: kernel.text });
      const pipeline = await sleepUntil(
        gpu.createComputePipelineAsync({ layout: pipelineLayout, compute: { module, entryPoint: "main" } }),
      );
      const buffers = bindings.map((words) => {
        const padded = new Uint32Array(Math.ceil(Math.max(1, words.length) / 4) * 4).fill(poison);
        padded.set(new Uint32Array(words.buffer, words.byteOffset, words.length));
        const b = buffer(padded.byteLength, bufferUsage.STORAGE | bufferUsage.COPY_SRC | bufferUsage.COPY_DST);
        gpu.queue.writeBuffer(b, 0, padded);
        return b;
      });
      const group = gpu.createBindGroup({ layout, entries: buffers.map((b, binding) => ({ binding, resource: { buffer: b } })) });
      const encoder = gpu.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      if (kernel.immediates.length > 0) (pass as WithImmediates).setImmediates(0, new Uint32Array(kernel.immediates));
      pass.dispatchWorkgroups(...kernel.groups);
      pass.end();
      const staged = buffers.map((b) => {
        const staging = buffer(b.size, bufferUsage.MAP_READ | bufferUsage.COPY_DST);
        encoder.copyBufferToBuffer(b, 0, staging, 0, b.size);
        return staging;
      });
      gpu.queue.submit([encoder.finish()]);
      const results: Uint32Array[] = [];
      for (const [i, staging] of staged.entries()) {
        await sleepUntil(staging.mapAsync(device.mapMode.READ));
        const words = new Uint32Array(staging.getMappedRange().slice(0));
        const length = bindings[i]?.length ?? 0;
        if (words.subarray(length).some((w) => w !== poison)) throw new Error(`binding ${i}: the kernel wrote past its end`);
        results.push(words.subarray(0, length));
      }
      return results;
    });
  } finally {
    for (const b of made) b.destroy();
  }
}

const poison = 0x7fc0babe;
type WithImmediates = GPUComputePassEncoder & { setImmediates(offset: number, data: Uint32Array): void };
