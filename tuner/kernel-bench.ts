// Runs kernels of one workload on operands of their own: whether they are right, how long they take to compile, how fast they are.

import type { Kernel } from "../compiler/codegen/kernel.ts";
import { Reference } from "../ir/agreement.ts";
import type { Problem } from "../ir/plan.ts";
import { elementsOf, storesOf } from "../ir/problem.ts";
import { loadsOf } from "../ir/problem-parts.ts";
import type { Device } from "../runtime/index.ts";
import { Pipelines } from "../runtime/pipelines.ts";
import { Readback } from "../runtime/readback.ts";
import { encodeDispatches, type ReadyDispatch } from "../runtime/submit.ts";

export interface BenchMember {
  readonly problem: Problem;
  readonly count: number;
  /** What each binding holds at the start, in words. */
  readonly operands: readonly Uint32Array<ArrayBuffer>[];
}

/** Kernels of a workload's members, ready to run. */
export interface Trial {
  /** CPU time of compiling, the first dispatch included: on software adapters and in the browser's process the driver works on this one's account. */
  readonly compileMs: number;
  readonly dispatches: readonly ReadyDispatch[];
}

interface Bound {
  readonly buffers: readonly GPUBuffer[];
  readonly bindGroup: GPUBindGroup;
}

export class KernelBench {
  readonly #device: Device;
  readonly #members: readonly BenchMember[];
  readonly #bound: readonly Bound[];
  readonly #readback: Readback;
  readonly #references = new Map<BenchMember, Reference>();
  readonly #timing: { readonly querySet: GPUQuerySet; readonly resolved: GPUBuffer } | undefined;
  /** Bindings that a kernel both reads and writes: what they hold changes from run to run. */
  readonly #changing: readonly { readonly buffer: GPUBuffer; readonly words: Uint32Array<ArrayBuffer> }[];

  private constructor(device: Device, members: readonly BenchMember[], bound: readonly Bound[]) {
    this.#device = device;
    this.#members = members;
    this.#bound = bound;
    this.#readback = new Readback(device);
    this.#changing = members.flatMap(({ problem, operands }, i) => {
      const loaded = new Set(
        loadsOf([...elementsOf(problem), ...storesOf(problem).flatMap((s) => [s.row, s.column, s.value])]).map((e) => e.binding),
      );
      const updated = [...new Set(storesOf(problem).map((s) => s.binding))].filter((binding) => loaded.has(binding));
      return updated.flatMap((binding) => {
        const [buffer, words] = [bound[i]?.buffers[binding], operands[binding]];
        return buffer === undefined || words === undefined ? [] : [{ buffer, words }];
      });
    });
    if (!device.adapter.features.includes("timestamp-query")) return;
    const { QUERY_RESOLVE, COPY_SRC } = device.bufferUsage;
    this.#timing = {
      querySet: device.gpu.createQuerySet({ type: "timestamp", count: 2 }),
      resolved: device.gpu.createBuffer({ size: 16, usage: QUERY_RESOLVE | COPY_SRC }),
    };
  }

  /** Throws a DiagnosticError `out-of-memory`. */
  static async open(device: Device, members: readonly BenchMember[]): Promise<KernelBench> {
    const { STORAGE, COPY_DST, COPY_SRC } = device.bufferUsage;
    const pipelines = Pipelines.of(device);
    const bound = await device.checked("allocating operands", () =>
      members.map(({ operands }): Bound => {
        const buffers = operands.map(({ byteLength }) =>
          device.gpu.createBuffer({ size: Math.max(16, byteLength), usage: STORAGE | COPY_DST | COPY_SRC }),
        );
        const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
        return { buffers, bindGroup: device.gpu.createBindGroup({ layout: pipelines.groupLayout(buffers.length), entries }) };
      }),
    );
    const bench = new KernelBench(device, members, bound);
    bench.#restoreAll();
    return bench;
  }

  /** Whether times are the adapter's own, without what submitting and waiting take. */
  get isTimedByAdapter(): boolean {
    return this.#timing !== undefined;
  }

  /** Compile one kernel for each member. Throws a KernelError where the driver refuses one. */
  async compile(kernels: readonly Kernel[], serves: string): Promise<Trial> {
    const before = process.cpuUsage();
    const pipelines = Pipelines.of(this.#device);
    const made = kernels.map(async ({ text, immediates, groups }, i): Promise<ReadyDispatch> => {
      const { bindGroup, buffers } = this.#boundTo(i);
      const source = { file: `candidate ${serves}`, code: text, bindings: buffers.length, immediates: immediates.length, serves };
      const pipeline = await pipelines.get(source);
      return { pipeline, bindGroup, groups, immediates: immediates.length === 0 ? undefined : Uint32Array.from(immediates) };
    });
    const dispatches = await Promise.all(made);
    // Software drivers translate a kernel at its first dispatch.
    await this.#device.checked(`compiling ${serves}`, async () => {
      const encoder = this.#device.gpu.createCommandEncoder();
      encodeDispatches(
        encoder,
        dispatches.map((each) => ({ ...each, groups: [1, 1, 1] })),
      );
      this.#device.gpu.queue.submit([encoder.finish()]);
      await this.#device.idle();
    });
    const { user, system } = process.cpuUsage(before);
    return { compileMs: (user + system) / 1000, dispatches };
  }

  /** What a trial's results and the reference differ in, or undefined. */
  async differenceOf({ dispatches }: Trial): Promise<string | undefined> {
    for (const [i, member] of this.#members.entries()) {
      const dispatch = dispatches[i];
      if (dispatch === undefined) throw new Error("a member without a kernel");
      const { buffers } = this.#boundTo(i);
      this.#restore(i);
      const encoder = this.#device.gpu.createCommandEncoder();
      encodeDispatches(encoder, [dispatch]);
      const pending = this.#readback.record(
        encoder,
        buffers.map((buffer, binding) => ({ buffer, offset: 0, size: member.operands[binding]?.byteLength ?? 0 })),
      );
      this.#device.gpu.queue.submit([encoder.finish()]);
      const found = await pending.read((bytes) => new Uint32Array(bytes.slice().buffer));
      const reference = this.#references.get(member) ?? new Reference(member.problem, member.operands);
      this.#references.set(member, reference);
      const difference = reference.differenceFrom(found);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }

  /** Milliseconds of `repeats` times every member as often as its count says. By the adapter's clock where it has one. */
  async time({ dispatches }: Trial, repeats: number): Promise<number> {
    const { gpu } = this.#device;
    for (const { buffer, words } of this.#changing) gpu.queue.writeBuffer(buffer, 0, words);
    const once = dispatches.flatMap((dispatch, i) => Array.from({ length: this.#members[i]?.count ?? 1 }, () => dispatch));
    const all = Array.from({ length: repeats }, () => once).flat();
    const encoder = gpu.createCommandEncoder();
    const timing = this.#timing;
    if (timing === undefined) {
      encodeDispatches(encoder, all);
      const start = performance.now();
      gpu.queue.submit([encoder.finish()]);
      await this.#device.idle();
      return performance.now() - start;
    }
    encodeDispatches(encoder, all, { mode: "entry", querySet: timing.querySet });
    encoder.resolveQuerySet(timing.querySet, 0, 2, timing.resolved, 0);
    const pending = this.#readback.record(encoder, [{ buffer: timing.resolved, offset: 0, size: 16 }]);
    gpu.queue.submit([encoder.finish()]);
    const [times = new BigUint64Array(2)] = await pending.read((bytes) => new BigUint64Array(bytes.slice().buffer));
    const [begin = 0n, end = 0n] = times;
    return Number(end - begin) / 1e6;
  }

  dispose(): void {
    for (const { buffers } of this.#bound) for (const buffer of buffers) buffer.destroy();
    this.#readback.destroy();
    this.#timing?.querySet.destroy();
    this.#timing?.resolved.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #boundTo(member: number): Bound {
    const bound = this.#bound[member];
    if (bound === undefined) throw new Error(`no member ${member}`);
    return bound;
  }

  #restore(member: number): void {
    for (const [i, words] of (this.#members[member]?.operands ?? []).entries()) {
      const buffer = this.#boundTo(member).buffers[i];
      if (buffer !== undefined) this.#device.gpu.queue.writeBuffer(buffer, 0, words);
    }
  }

  #restoreAll(): void {
    for (const member of this.#members.keys()) this.#restore(member);
  }
}
