// Kernels as `fuse` numbered them: what belongs to each, what it stores, and how it may walk over its tensors.
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { quantMask } from "../ir/ops/quant.ts";
import { storageOf } from "../ir/packing.ts";
import { shapeOf } from "../ir/type.ts";
import { anchorsOf, type Kernel } from "./plan-problems.ts";

type Producer = (value: Value) => Instruction | undefined;

/** In order of their numbers. A kernel stores what another one takes, what the entry answers or updates, and every mask. */
export function collectKernels(entry: Entry, producer: Producer): readonly Kernel[] {
  const members = new Map<number, Instruction[]>();
  const kernelOf = (i: Instruction) => i.marks.kernel;
  const wanted = new Set([...entry.outputs, ...entry.updates].map((o) => o.value));
  for (const instruction of entry.instructions) {
    const kernel = kernelOf(instruction);
    const known = kernel === undefined ? undefined : members.get(kernel);
    if (known !== undefined) known.push(instruction);
    else if (kernel !== undefined) members.set(kernel, [instruction]);
    for (const operand of instruction.operands) {
      const from = producer(operand);
      if (from !== undefined && kernelOf(from) !== kernel) wanted.add(operand);
    }
    // A mask is stored also where nothing reads it: see `fuse`.
    if (instruction.op.signature.name === quantMask.name) for (const mask of instruction.results) wanted.add(mask);
  }
  return [...members]
    .sort(([a], [b]) => a - b)
    .map(([number, list]) => ({
      number,
      members: list,
      stored: list.flatMap((i) => i.results.filter((r) => wanted.has(r))),
    }));
}

/** Who stores and who takes what, looked up for every value of an entry. */
export interface KernelUses {
  /** The kernel that stores a value. */
  readonly storing: ReadonlyMap<Value, Kernel>;
  /** Numbers of the kernels that read a state. */
  readonly readers: ReadonlyMap<string, ReadonlySet<number>>;
  /** What instructions take. */
  readonly operands: ReadonlySet<Value>;
}

/** `stateRead`: the state whose value at entry a value is. */
export function usesOf(kernels: readonly Kernel[], stateRead: (value: Value) => string | undefined): KernelUses {
  const storing = new Map<Value, Kernel>();
  const readers = new Map<string, Set<number>>();
  const operands = new Set<Value>();
  for (const kernel of kernels) {
    for (const value of kernel.stored) storing.set(value, kernel);
    for (const operand of kernel.members.flatMap((member) => member.operands)) {
      operands.add(operand);
      const state = stateRead(operand);
      if (state === undefined) continue;
      const known = readers.get(state);
      if (known === undefined) readers.set(state, new Set([kernel.number]));
      else known.add(kernel.number);
    }
  }
  return { storing, readers, operands };
}

/** Whether a kernel's tensors all have one shape and are dense, so that it walks along positions. */
export function isFlat(kernel: Kernel, producer: Producer): boolean {
  const [first] = kernel.stored;
  if (first === undefined || anchorsOf(kernel).length > 0) return false;
  const shape = shapeOf(first.type);
  const fits = (v: Value) => {
    const own = shapeOf(v.type);
    const isDense = v.type.kind === "tensor" && storageOf(v.type).kind === "dense";
    return isDense && (own.length === 0 || (own.length === shape.length && own.every((d, i) => d === shape[i])));
  };
  return kernel.members.every((m) => {
    const inside = m.op.lower.kind === "pointwise" && m.results.every((r) => shapeOf(r.type).length === shape.length && fits(r));
    return inside && m.operands.every((o) => fits(o) && producer(o)?.op.signature.name !== "iota");
  });
}

/** The instruction of a kernel that writes into a tensor and leaves the rest of it as it is. */
export const writeOf = (kernel: Kernel): Instruction | undefined =>
  anchorsOf(kernel).find(({ op: { lower } }) => lower.kind === "kernel" && lower.family === "write");
