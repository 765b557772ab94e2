// The arena: a target's slabs as GPU buffers, refused before allocation where they exceed the memory budget.
import type { SlabRange, SlabRecord, StateRecord } from "../ir/artifact.ts";
import { printBytes } from "../ir/byte-size.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import type { Device } from "./device.ts";

export class Arena {
  readonly #buffers: ReadonlyMap<string, GPUBuffer>;
  readonly byteLength: number;

  private constructor(buffers: ReadonlyMap<string, GPUBuffer>, byteLength: number) {
    this.#buffers = buffers;
    this.byteLength = byteLength;
  }

  /**
   * Allocate every slab, zeroed. Software adapters take whatever is asked for and are killed by the system when it is touched, so the sum is
   * checked first. Throws a DiagnosticError `memory-budget` that names the largest parts.
   */
  static async allocate(device: Device, slabs: readonly SlabRecord[], state: readonly StateRecord[], budgetBytes: number): Promise<Arena> {
    const byteLength = slabs.reduce((sum, slab) => sum + slab.bytes, 0);
    if (byteLength > budgetBytes)
      throw refusal(
        `the model needs ${printBytes(byteLength)} of memory on the adapter, the budget is ${printBytes(budgetBytes)}`,
        slabs,
        state,
      );
    const limit = device.adapter.limits["maxBufferSize"] ?? 0;
    const tooLarge = slabs.find((slab) => slab.bytes > limit);
    if (tooLarge !== undefined) {
      throw refusal(
        `slab \`${tooLarge.name}\` has ${printBytes(tooLarge.bytes)}, ${device.adapter.name} allows buffers of ${printBytes(limit)}`,
        slabs,
        state,
      );
    }
    const { STORAGE, COPY_DST, COPY_SRC } = device.bufferUsage;
    const buffers = await device.checked("allocating the arena", () =>
      slabs.map(
        (slab) =>
          [
            slab.name,
            device.gpu.createBuffer({ label: slab.name, size: Math.max(16, slab.bytes), usage: STORAGE | COPY_DST | COPY_SRC }),
          ] as const,
      ),
    );
    return new Arena(new Map(buffers), byteLength);
  }

  buffer(slab: string): GPUBuffer {
    const buffer = this.#buffers.get(slab);
    if (buffer === undefined) throw new Error(`the artifact has no slab \`${slab}\``);
    return buffer;
  }

  binding([slab, offset, size]: SlabRange): GPUBufferBinding {
    return { buffer: this.buffer(slab), offset, size };
  }

  /** Record commands that set every byte to zero. */
  clear(encoder: GPUCommandEncoder): void {
    for (const buffer of this.#buffers.values()) encoder.clearBuffer(buffer);
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
  }
}

function refusal(message: string, slabs: readonly SlabRecord[], state: readonly StateRecord[]): DiagnosticError {
  const largest = <T extends { readonly name: string; readonly bytes: number }>(all: readonly T[]) =>
    [...all]
      .sort((a, b) => b.bytes - a.bytes)
      .slice(0, 3)
      .map(({ name, bytes }) => `\`${name}\` ${printBytes(bytes)}`)
      .join(", ");
  return new DiagnosticError([
    error("memory-budget", message, undefined, "", [
      `largest slabs: ${largest(slabs)}`,
      ...(state.length > 0 ? [`largest state: ${largest(state)}`] : []),
    ]),
  ]);
}
