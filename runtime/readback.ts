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
  /** What `take` makes of each part's bytes, in order. It copies what it keeps: the bytes are there until it returns. */
  read<T>(take: (bytes: Uint8Array<ArrayBuffer>, part: number) => T): Promise<readonly T[]>;
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
    if (total === 0) return { read: async (take) => parts.map((_, part) => take(new Uint8Array(0), part)) };
    const staging = this.#take(Math.max(256, 2 ** Math.ceil(Math.log2(total))));
    let at = 0;
    for (const { buffer, offset, size } of parts) {
      if (size > 0) encoder.copyBufferToBuffer(buffer, offset, staging, at, size);
      at += size;
    }
    return { read: (take) => this.#map(staging, parts, take) };
  }

  destroy(): void {
    for (const buffers of this.#free.values()) for (const buffer of buffers) buffer.destroy();
    this.#free.clear();
  }

  #take(size: number): GPUBuffer {
    const { COPY_DST, MAP_READ } = this.#device.bufferUsage;
    return this.#free.get(size)?.pop() ?? this.#device.gpu.createBuffer({ label: "staging", size, usage: COPY_DST | MAP_READ });
  }

  async #map<T>(
    staging: GPUBuffer,
    parts: readonly Part[],
    take: (bytes: Uint8Array<ArrayBuffer>, part: number) => T,
  ): Promise<readonly T[]> {
    try {
      await sleepUntil(staging.mapAsync(this.#device.mapMode.READ));
    } catch (problem) {
      staging.destroy();
      // A lost device or a refused submission says more than the map that failed after it.
      await this.#device.explainFailure();
      throw problem;
    }
    try {
      // No more than was copied: what is mapped counts as memory that the garbage collector must soon look after.
      const mapped = staging.getMappedRange(
        0,
        parts.reduce((sum, { size }) => sum + size, 0),
      );
      let at = 0;
      const taken = parts.map(({ size }, part) => {
        const bytes = new Uint8Array(mapped, at, size);
        at += size;
        return take(bytes, part);
      });
      this.#device.assertHealthy();
      return taken;
    } finally {
      staging.unmap();
      this.#free.set(staging.size, [...(this.#free.get(staging.size) ?? []), staging]);
    }
  }
}
