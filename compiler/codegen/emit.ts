// Emission: a placed kernel plan to one target of an artifact, with its kernels as files. Kernels of equal text are one kernel.
import { createHash } from "node:crypto";
import type { DispatchRecord, EntryPlacement, KernelRecord, SlabRange, TargetRecord, TargetRequirements } from "../../ir/artifact.ts";
import { byteLength, packValues } from "../../ir/packing.ts";
import type {
  BindingUse,
  Dispatch,
  EntryPort,
  KernelPlan,
  MemoryPlan,
  PlanEntry,
  Problem,
  Schedule,
  Target,
  VirtualBuffer,
} from "../../ir/plan.ts";
import type { Type } from "../../ir/type.ts";
import type { Kernel } from "./kernel.ts";
import { fillKernel, outlineKey, slotsOfAll, slotsOfOne } from "./kernel-text.ts";
import { emitKernel } from "./templates.ts";
import { verifyTarget } from "./verify-target.ts";

export interface EmittedTarget {
  readonly target: TargetRecord;
  readonly files: ReadonlyMap<string, string | Uint8Array>;
  /** For each kernel file, the IR value that each line serves: maps a driver's message back. */
  readonly sourceMaps: ReadonlyMap<string, readonly (string | undefined)[]>;
}

/** Emit every dispatch of a plan. Throws where the plan has no places yet, or breaks a rule of the target: bugs of ours. */
export function emit(plan: KernelPlan): EmittedTarget {
  const { memory } = plan;
  if (memory === undefined) throw new Error("a plan is emitted after plan-memory");
  const kernels = new KernelTable(plan.target);
  const files = new Map<string, string | Uint8Array>();
  const constants: { readonly range: SlabRange; readonly file: string }[] = [];
  const entries: Record<string, EntryPlacement> = {};
  const dispatches: Record<string, readonly DispatchRecord[]> = {};
  for (const dispatch of plan.entries.flatMap((entry) => entry.dispatches)) kernels.add(dispatch);
  for (const entry of plan.entries) {
    const places = new EntryPlaces(entry, memory);
    dispatches[entry.name] = entry.dispatches.map((dispatch) => emitDispatch(dispatch, places, kernels));
    entries[entry.name] = { inputs: portsOf(entry.inputs, places), outputs: portsOf(entry.outputs, places) };
    for (const { buffer, values } of entry.constants) {
      const bytes = encode(places.typeOf(buffer), values);
      const file = `constants/${shortHash(bytes)}.bin`;
      files.set(file, bytes);
      constants.push({ range: places.range({ buffer, access: "read" }), file });
    }
  }
  for (const { file, kernel } of kernels.all) files.set(file, kernel.text);
  const target: TargetRecord = {
    name: plan.target.name,
    requires: requirementsOf(
      plan,
      kernels.all.map((k) => k.kernel),
      Object.values(dispatches).flat(),
    ),
    slabs: memory.slabs,
    kernels: kernels.all.map(
      ({ file, kernel }): KernelRecord => ({
        file,
        workgroup: kernel.workgroup,
        bindings: kernel.bindings,
        immediates: kernel.immediates.length,
      }),
    ),
    entries,
    dispatches,
    constants,
  };
  verifyTarget(target, plan.target.limits);
  return { target, files, sourceMaps: new Map(kernels.all.map(({ file, kernel }) => [file, kernel.sourceMap])) };
}

function emitDispatch(dispatch: Dispatch, places: EntryPlaces, kernels: KernelTable): DispatchRecord {
  const { bind, serves, at } = dispatch;
  const { index, kernel } = kernels.of(dispatch);
  return {
    kernel: index,
    bind: bind.map((use) => places.range(use)),
    immediates: kernel.immediates,
    groups: kernel.groups,
    serves,
    ...(at === undefined ? {} : { at: `${at.path}:${at.line}:${at.column}` }),
  };
}

interface NumberedKernel {
  readonly index: number;
  readonly kernel: Kernel;
}

/** Distinct kernels in order of first use. Add all dispatches, then ask for each. */
class KernelTable {
  readonly all: { readonly file: string; readonly kernel: Kernel }[] = [];
  readonly #target: Target;
  readonly #known = new Map<string, number>();
  /** Dispatches of equal form share their problem, so its kernel is emitted once; for each number of bindings, which make the layout. */
  readonly #emitted = new Map<Problem, { readonly schedule: Schedule; readonly kernel: Kernel }[]>();
  /** Kernels whose texts differ in sizes alone. */
  readonly #alike = new Map<string, Set<Kernel>>();
  readonly #numbered = new Map<Kernel, NumberedKernel>();

  constructor(target: Target) {
    this.#target = target;
  }

  add(dispatch: Dispatch): void {
    const { problem, schedule, bind, serves } = dispatch;
    if (this.#find(dispatch) !== undefined) return;
    const made = emitKernel(problem, schedule, this.#target, serves);
    if (made.bindings > bind.length)
      throw new Error(`${serves.join(", ")}: ${bind.length} buffers for a kernel of ${made.bindings} bindings`);
    const kernel = { ...made, bindings: bind.length };
    this.#emitted.set(problem, [...(this.#emitted.get(problem) ?? []), { schedule, kernel }]);
    const key = `${kernel.bindings} ${problem.kind} ${outlineKey(kernel.outline)}`;
    const alike = this.#alike.get(key);
    if (alike === undefined) this.#alike.set(key, new Set([kernel]));
    else alike.add(kernel);
  }

  of(dispatch: Dispatch): NumberedKernel {
    const kernel = this.#find(dispatch);
    if (kernel === undefined) throw new Error(`${dispatch.serves.join(", ")} was not added`);
    const known = this.#numbered.get(kernel);
    if (known !== undefined) return known;
    const alike = this.#alike.get(`${kernel.bindings} ${dispatch.problem.kind} ${outlineKey(kernel.outline)}`) ?? new Set([kernel]);
    const slots = slotsOfAll([...alike].map((k) => k.outline)) ?? slotsOfOne(kernel.outline);
    const numbered = this.#number(dispatch.problem.kind, { ...kernel, ...fillKernel(kernel.outline, slots) });
    this.#numbered.set(kernel, numbered);
    return numbered;
  }

  #find({ problem, schedule, bind }: Dispatch): Kernel | undefined {
    return this.#emitted.get(problem)?.find((e) => e.schedule === schedule && e.kernel.bindings === bind.length)?.kernel;
  }

  #number(family: string, kernel: Kernel): NumberedKernel {
    // The number of bindings makes the pipeline's layout, so it is part of what a kernel is.
    const key = `${kernel.bindings} ${kernel.text}`;
    const index = this.#known.get(key) ?? this.all.length;
    if (index === this.all.length) {
      this.#known.set(key, index);
      this.all.push({ file: `kernels/${family}-${shortHash(kernel.text)}.wgsl`, kernel });
    }
    return { index, kernel };
  }
}

const shortHash = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex").slice(0, 8);

/** Where an entry's buffers lie. */
class EntryPlaces {
  readonly #entry: PlanEntry;
  readonly #places: MemoryPlan["places"][string];
  readonly #buffers: ReadonlyMap<string, VirtualBuffer>;

  constructor(entry: PlanEntry, memory: MemoryPlan) {
    this.#entry = entry;
    this.#places = memory.places[entry.name] ?? {};
    this.#buffers = new Map(entry.buffers.map((b) => [b.name, b]));
  }

  #place(buffer: string) {
    const place = this.#places[buffer];
    const made = this.#buffers.get(buffer);
    if (place === undefined || made === undefined) throw new Error(`@${this.#entry.name}: ${buffer} has no place`);
    return { ...place, bytes: made.bytes, type: made.type };
  }

  typeOf(buffer: string): Type {
    return this.#place(buffer).type;
  }

  range({ buffer, part, through }: BindingUse): SlabRange {
    const first = this.#place(buffer);
    if (part !== undefined) return [first.slab, first.offset + part.offset, part.bytes];
    const last = this.#place(through ?? buffer);
    if (first.slab !== last.slab || last.offset < first.offset)
      throw new Error(`@${this.#entry.name}: ${through} does not follow ${buffer} in its slab`);
    return [first.slab, first.offset, last.offset + last.bytes - first.offset];
  }

  port({ buffer, byteOffset, type }: EntryPort): SlabRange {
    const { slab, offset } = this.#place(buffer);
    return [slab, offset + byteOffset, byteLength(type)];
  }
}

const portsOf = (ports: readonly EntryPort[], places: EntryPlaces): Readonly<Record<string, SlabRange>> =>
  Object.fromEntries(ports.map((port) => [port.name, places.port(port)]));

/** A constant's bytes as its buffer holds them, up to whole words. */
const encode = (type: Type, values: readonly number[]): Uint8Array =>
  new Uint8Array(packValues(type, values), 0, Math.ceil(byteLength(type) / 4) * 4);

/** What the default limits of WebGPU grant anyway. */
const granted: Readonly<Record<string, number>> = {
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxStorageBufferBindingSize: 134217728,
  maxStorageBuffersPerShaderStage: 8,
  maxBufferSize: 268435456,
};

/** Only what the kernels really need, so that a target fits as many adapters as it can. */
function requirementsOf(
  { target, memory }: KernelPlan,
  kernels: readonly Kernel[],
  dispatches: readonly DispatchRecord[],
): TargetRequirements {
  const needs: Readonly<Record<string, number>> = {
    maxComputeInvocationsPerWorkgroup: Math.max(1, ...kernels.map(({ workgroup: [x, y, z] }) => x * y * z)),
    maxComputeWorkgroupSizeX: Math.max(1, ...kernels.map((k) => k.workgroup[0])),
    maxComputeWorkgroupStorageSize: Math.max(0, ...kernels.map((k) => k.sharedBytes)),
    maxStorageBufferBindingSize: Math.max(0, ...dispatches.flatMap((d) => d.bind.map(([, , bytes]) => bytes))),
    maxStorageBuffersPerShaderStage: Math.max(0, ...kernels.map((k) => k.bindings)),
    maxBufferSize: Math.max(0, ...(memory?.slabs ?? []).map((s) => s.bytes)),
  };
  const limits = Object.fromEntries(Object.entries(needs).filter(([name, value]) => value > (granted[name] ?? 0)));
  const features = [...new Set(kernels.flatMap((k) => k.features))].sort();
  const size = kernels.find((k) => k.subgroupSize !== undefined)?.subgroupSize;
  return { features, limits, ...(size === undefined ? {} : { subgroupSize: size, subgroups: target.subgroups }) };
}
