// Reading GPU memory back: copies into staging buffers that are kept and used again.
import type { Device } from "./device.ts";
import { sleepUntil } from "./wait.ts";

/** A part of a buffer; offset and size are multiples of 4 bytes. */
export interface Part {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** A copy that was recorded; `read` may be called once, after the encoder's commands were submitted. */
export interface PendingRead {
  /** The parts' bytes in order. */
  read(): Promise<ArrayBuffer[]>;
}

export class Readback {
  readonly #device: Device;
  /** Free staging buffers by size. */
  readonly #free = new Map<number, GPUBuffer[]>();

  constructor(device: Device) {
    this.#device = device;
  }

  /** Record copies of the parts. Several reads may be pending at once. */
  record(encoder: GPUCommandEncoder, parts: readonly Part[]): PendingRead {
    const total = parts.reduce((sum, { size }) => sum + size, 0);
    if (total === 0) return { read: async () => parts.map(() => new ArrayBuffer(0)) };
    const staging = this.#take(Math.max(256, 2 ** Math.ceil(Math.log2(total))));
    let at = 0;
    for (const { buffer, offset, size } of parts) {
      if (size > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
      at += size;
    }
    return { read: () => this.#map(staging, parts) };
  }

  destroy(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
  }

  #take(size: number): GPUBuffer {
    const { COPY_DST, MAP_READ } = this.#device.bufferUsage;
    return this.#free.get(size)?.pop() ?? this.#device.gpu.createBuffer({ label: "staging", size, usage: COPY_DST | MAP_READ });
  }

  async #map(staging: GPUBuffer, parts: readonly Part[]): Promise<ArrayBuffer[]> {
    try {
      await sleepUntil(staging.mapAsync(this.#device.mapMode.READ));
    } catch (problem) {
      // A lost device or a refused submission says more than the map that failed after it.
      await this.#device.explainFailure();
      throw problem;
    }
    const mapped = staging.getMappedRange();
    let at = 0;
    const results: ArrayBuffer[] = [];
    for (const { size } of parts) {
      results.push(mapped.slice(at, at + size));
      at += size;
    }
    staging.unmap();
    this.#free.set(staging.size, [...(this.#free.get(staging.size) ?? []), staging]);
    this.#device.assertHealthy();
    return results;
  }
}
