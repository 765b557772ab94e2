// Binding an artifact's target to a device: pipelines, bind groups, places of inputs and outputs, warming, constants.
import type { CompiledArtifact, EntryRecord, InputRecord, SlabRange, TargetRecord } from "../ir/artifact.ts";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import type { Type } from "../ir/type.ts";
import type { Arena } from "./arena.ts";
import type { Device } from "./device.ts";
import { Pipelines } from "./pipelines.ts";
import { encodeDispatches, type ReadyDispatch, type TimestampMode } from "./submit.ts";
import { hostLength, storedBytes, wholeWords } from "./values.ts";
import { sleepUntil } from "./wait.ts";

interface ReadyInput {
  readonly record: InputRecord;
  readonly type: Type;
  readonly length: number;
  readonly buffer: GPUBuffer;
  readonly offset: number;
}

interface ReadyOutput {
  readonly name: string;
  readonly type: Type;
  readonly byteLength: number;
  readonly part: { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number };
}

/** An entry of an artifact on a device: what to dispatch, where inputs go and outputs come from. */
export interface ReadyEntry {
  readonly dispatches: readonly ReadyDispatch[];
  readonly inputs: readonly ReadyInput[];
  readonly outputs: readonly ReadyOutput[];
  readonly timing: { readonly mode: TimestampMode; readonly querySet: GPUQuerySet; readonly resolved: GPUBuffer } | undefined;
}

/** The pipelines of a target's kernels, in its order. Throws a KernelError where the driver refuses one. */
export async function makePipelines(
  artifact: CompiledArtifact,
  target: TargetRecord,
  device: Device,
  onKernel: ((ready: number, total: number) => void) | undefined,
): Promise<readonly GPUComputePipeline[]> {
  const pipelines = Pipelines.of(device);
  const dispatches = Object.values(target.dispatches).flat();
  let ready = 0;
  const all = target.kernels.map(async ({ file, bindings, immediates }, i) => {
    const code = artifact.files.get(file);
    if (typeof code !== "string") throw new DiagnosticError([error("bad-artifact", `the artifact has no file ${file}`)]);
    const user = dispatches.find(({ kernel }) => kernel === i);
    const serves = user === undefined ? "nothing" : `${user.serves.join(", ")}${user.at === undefined ? "" : ` (${user.at})`}`;
    const pipeline = await pipelines.get({ file, code, bindings, immediates, serves });
    onKernel?.(++ready, target.kernels.length);
    return pipeline;
  });
  return sleepUntil(Promise.all(all));
}

/** Every entry of a target on the arena; bind groups are made here and never again. */
export function bindEntries(
  artifact: CompiledArtifact,
  target: TargetRecord,
  device: Device,
  arena: Arena,
  pipelines: readonly GPUComputePipeline[],
  timestamps: TimestampMode | undefined,
): ReadonlyMap<string, ReadyEntry> {
  const layouts = Pipelines.of(device);
  // Dispatches that bind the same ranges share a bind group, whatever their kernel.
  const groups = new Map<string, GPUBindGroup>();
  const bind = (ranges: readonly SlabRange[]): GPUBindGroup => {
    const key = JSON.stringify(ranges);
    const made =
      groups.get(key) ??
      device.gpu.createBindGroup({
        layout: layouts.groupLayout(ranges.length),
        entries: ranges.map((range, binding) => ({ binding, resource: arena.binding(range) })),
      });
    groups.set(key, made);
    return made;
  };
  const entries = new Map<string, ReadyEntry>();
  for (const [name, record] of Object.entries(artifact.manifest.entries)) {
    const dispatches = (target.dispatches[name] ?? []).map((dispatch): ReadyDispatch => {
      const pipeline = pipelines[dispatch.kernel];
      const kernel = target.kernels[dispatch.kernel];
      if (pipeline === undefined || kernel === undefined)
        throw new DiagnosticError([
          error("bad-artifact", `entry \`${name}\` uses kernel ${dispatch.kernel}, which target \`${target.name}\` does not have`),
        ]);
      const { file, bindings, immediates } = kernel;
      if (dispatch.bind.length !== bindings || dispatch.immediates.length !== immediates) {
        const given = `${dispatch.bind.length} buffers and ${dispatch.immediates.length} immediates`;
        throw new DiagnosticError([
          error("bad-artifact", `entry \`${name}\` binds ${file} with ${given}, the kernel has ${bindings} and ${immediates}`),
        ]);
      }
      return {
        pipeline,
        bindGroup: bind(dispatch.bind),
        immediates: immediates === 0 ? undefined : Uint32Array.from(dispatch.immediates),
        groups: dispatch.groups,
      };
    });
    entries.set(name, {
      dispatches,
      ...placeEntry(name, record, target, arena),
      timing: makeTiming(device, timestamps, dispatches.length),
    });
  }
  return entries;
}

function placeEntry(name: string, record: EntryRecord, target: TargetRecord, arena: Arena): Pick<ReadyEntry, "inputs" | "outputs"> {
  const placed = target.entries[name];
  const place = (kind: "inputs" | "outputs", tensor: string): SlabRange =>
    placed?.[kind][tensor] ?? missing(`target \`${target.name}\` has no place for \`${tensor}\` of entry \`${name}\``);
  return {
    inputs: record.inputs.map((input) => {
      const type = parseType(input.type);
      const [slab, offset, bytes] = place("inputs", input.name);
      return { record: input, type, length: hostLength(type, bytes), buffer: arena.buffer(slab), offset };
    }),
    outputs: record.outputs.map((output) => {
      const type = parseType(output.type);
      const [slab, offset, bytes] = place("outputs", output.name);
      const byteLength = storedBytes(type, bytes);
      return { name: output.name, type, byteLength, part: { buffer: arena.buffer(slab), offset, size: wholeWords(byteLength) } };
    }),
  };
}

const missing = (message: string): never => {
  throw new DiagnosticError([error("bad-artifact", message)]);
};

function makeTiming(device: Device, mode: TimestampMode | undefined, dispatches: number): ReadyEntry["timing"] {
  if (mode === undefined || dispatches === 0) return undefined;
  if (!device.adapter.features.includes("timestamp-query"))
    throw new DiagnosticError([error("no-timestamps", `${device.adapter.name} has no \`timestamp-query\``)]);
  const count = mode === "entry" ? 2 : 2 * dispatches;
  const { QUERY_RESOLVE, COPY_SRC } = device.bufferUsage;
  return {
    mode,
    querySet: device.gpu.createQuerySet({ type: "timestamp", count }),
    resolved: device.gpu.createBuffer({ size: count * 8, usage: QUERY_RESOLVE | COPY_SRC }),
  };
}

/**
 * Software drivers translate a kernel at its first dispatch, so each runs once with one workgroup on the arena before that holds anything;
 * the arena is cleared afterwards.
 */
export async function warm(device: Device, arena: Arena, entries: ReadonlyMap<string, ReadyEntry>): Promise<void> {
  const first = new Map<GPUComputePipeline, ReadyDispatch>();
  for (const { dispatches } of entries.values())
    for (const dispatch of dispatches) if (!first.has(dispatch.pipeline)) first.set(dispatch.pipeline, { ...dispatch, groups: [1, 1, 1] });
  await device.checked("warming the kernels", async () => {
    const encoder = device.gpu.createCommandEncoder({ label: "warm" });
    encodeDispatches(encoder, [...first.values()]);
    arena.clear(encoder);
    device.gpu.queue.submit([encoder.finish()]);
    await sleepUntil(device.gpu.queue.onSubmittedWorkDone());
  });
}

/** Write a target's constants to their places. */
export async function uploadConstants(artifact: CompiledArtifact, target: TargetRecord, device: Device, arena: Arena): Promise<void> {
  await device.checked("uploading constants", () => {
    for (const { range, file } of target.constants) {
      const bytes = artifact.files.get(file);
      const [slab, offset, size] = range;
      if (!(bytes instanceof Uint8Array)) throw new DiagnosticError([error("bad-artifact", `the artifact has no file ${file}`)]);
      if (bytes.byteLength > size)
        throw new DiagnosticError([error("bad-artifact", `constant ${file} has ${bytes.byteLength} bytes, its place ${size}`)]);
      device.gpu.queue.writeBuffer(arena.buffer(slab), offset, new Uint8Array(bytes));
    }
  });
}
