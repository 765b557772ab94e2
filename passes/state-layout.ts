// Layout of state: parameters and each moment are one slab each with one common layout, which gradients follow too, decayed parameters
// first, so that the optimizer is one dispatch per run of equal settings and the gradient norm one reduction per cut.
import type { Module, StateDeclaration } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import type { Placement } from "../ir/plan.ts";

/** Offsets of bindings must be multiples of this (the default `minStorageBufferOffsetAlignment`). */
export const bindingAlignment = 256;

export const alignUp = (bytes: number): number => Math.ceil(bytes / bindingAlignment) * bindingAlignment;

export interface StateLayout {
  /** Place of every state tensor. */
  readonly states: ReadonlyMap<string, Placement>;
  /** Place of each parameter's gradient in a block (`gradients`, `gradients.1`) that `plan-memory` puts into the arena as a whole. */
  readonly gradients: ReadonlyMap<string, Placement>;
  /** Bytes of each block of gradients. */
  readonly gradientBlocks: ReadonlyMap<string, number>;
  /** State that is the sum of a parameter's gradients over micro-batches -> the parameter. It lies in a slab in place of the block. */
  readonly sums: ReadonlyMap<string, string>;
  /** Bytes of each slab, in order of first use. */
  readonly slabs: ReadonlyMap<string, number>;
  /** Parameters in layout order. */
  readonly order: readonly string[];
}

/**
 * Lay out a module's state. A slab is cut (`parameters.1`) where the next tensor would pass `maxSlabBytes`, since slab-wide
 * kernels bind it whole. State that belongs to a parameter (`"w#adamw.m"`) takes the parameter's offset in the slab of its suffix.
 */
export function layoutStates(module: Module, maxSlabBytes: number): StateLayout {
  const states = new Map<string, Placement>();
  const gradients = new Map<string, Placement>();
  const sums = new Map<string, string>();
  const slabs = new Map<string, number>();
  const gradientBlocks = new Map<string, number>();
  const grow = (sizes: Map<string, number>, slab: string, end: number) => sizes.set(slab, Math.max(sizes.get(slab) ?? 0, end));
  const put = (into: Map<string, Placement>, name: string, slab: string, offset: number, bytes: number) => {
    into.set(name, { slab, offset });
    grow(into === gradients ? gradientBlocks : slabs, slab, offset + alignUp(bytes));
  };
  const parameters = module.states.filter((s) => s.role === "parameter");
  const ordered = [...parameters.filter((s) => s.decay), ...parameters.filter((s) => !s.decay)];
  const names = new Set(parameters.map((s) => s.name));
  const isTrained = module.entries.some((e) => e.updates.some((u) => names.has(u.state)));
  const differentiated = isTrained || module.states.some((s) => s.role === "optimizer");
  const isSummed = module.states.some((s) => s.role === "gradient");
  const cutName = (base: string, cut: number) => (cut === 0 ? base : `${base}.${cut}`);
  const owned = statesByOwner(module.states);
  let cut = 0;
  let offset = 0;
  for (const parameter of ordered) {
    const bytes = bufferBytes(parameter.type);
    if (offset > 0 && offset + bytes > maxSlabBytes) {
      cut++;
      offset = 0;
    }
    put(states, parameter.name, cutName("parameters", cut), offset, bytes);
    if (differentiated && !isSummed) put(gradients, parameter.name, cutName("gradients", cut), offset, bytes);
    for (const state of owned.get(parameter.name) ?? []) {
      if (bufferBytes(state.type) !== bytes) continue;
      put(states, state.name, cutName(slabOf(state), cut), offset, bytes);
      if (state.role === "gradient") sums.set(state.name, parameter.name);
    }
    offset += alignUp(bytes);
  }
  for (const other of module.states) {
    if (!states.has(other.name)) put(states, other.name, "state", slabs.get("state") ?? 0, bufferBytes(other.type));
  }
  return { states, gradients, gradientBlocks, sums, slabs, order: ordered.map((s) => s.name) };
}

/** State that belongs to a parameter, by the parameter's name. */
function statesByOwner(states: readonly StateDeclaration[]): ReadonlyMap<string, readonly StateDeclaration[]> {
  const owned = new Map<string, StateDeclaration[]>();
  for (const state of states) {
    // The last one: what a parameter's quantizer learns, "w#step", is a parameter itself and has moments, "w#step#adamw.m".
    const at = state.name.lastIndexOf("#");
    if (at < 0 || state.role === "parameter" || state.role === "calibration") continue;
    const owner = state.name.slice(0, at);
    const known = owned.get(owner);
    if (known === undefined) owned.set(owner, [state]);
    else known.push(state);
  }
  return owned;
}

/** Gradients that are sums over micro-batches lie where those of a single batch would. */
const slabOf = ({ name, role }: StateDeclaration): string => (role === "gradient" ? "gradients" : name.slice(name.lastIndexOf("#") + 1));
