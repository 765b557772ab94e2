// Groups of instructions that will each be one kernel: what may join which, and what a group loads and stores. Used by `fuse`.
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { gather } from "../ir/ops/indexing.ts";
import { quantMask } from "../ir/ops/quant.ts";
import { contiguous } from "../ir/tensor.ts";
import { elementCount, shapeOf } from "../ir/type.ts";

/** Where a member stands: before the anchor's sum or transform, the anchor itself, or after it. */
export type Position = "prologue" | "anchor" | "epilogue";

/** One kernel in the making. A pointwise group has no anchor: all its members stand in the epilogue. */
export interface Group {
  readonly number: number;
  readonly anchors: readonly Instruction[];
  readonly members: Map<Instruction, Position>;
}

/** Facts of an entry that every grouping decision asks for. */
export interface EntryFacts {
  readonly entry: Entry;
  readonly index: ReadonlyMap<Instruction, number>;
  producer(value: Value): Instruction | undefined;
  users(value: Value): readonly Instruction[];
  /** Returned or stored as state: the value must exist in memory. */
  escapes(value: Value): boolean;
}

export function factsOf(entry: Entry): EntryFacts {
  const producers = new Map<Value, Instruction>();
  const users = new Map<Value, Instruction[]>();
  const index = new Map<Instruction, number>();
  for (const [i, instruction] of entry.instructions.entries()) {
    index.set(instruction, i);
    for (const result of instruction.results) producers.set(result, instruction);
    for (const operand of new Set(instruction.operands)) {
      const known = users.get(operand);
      if (known === undefined) users.set(operand, [instruction]);
      else known.push(instruction);
    }
  }
  const masks = entry.instructions.flatMap((i) => (isUnreadMask(i, users) ? i.results : []));
  const escaping = new Set([...[...entry.outputs, ...entry.updates].map(({ value }) => value), ...masks]);
  return {
    entry,
    index,
    producer: (value) => producers.get(value),
    users: (value) => users.get(value) ?? [],
    escapes: (value) => escaping.has(value),
  };
}

/** `fuse` gives every rounding a mask; it is stored also where nothing reads it. */
const isUnreadMask = (instruction: Instruction, users: ReadonlyMap<Value, unknown>): boolean =>
  instruction.op.signature.name === quantMask.name && !instruction.results.some((r) => users.has(r));

export type Role = "source" | "view" | "pointwise" | "anchor";

export function roleOf(instruction: Instruction): Role {
  const { lower } = instruction.op;
  switch (lower.kind) {
    case "source":
    case "view":
    case "pointwise":
      return lower.kind;
    case "kernel":
      // A gather is an index computed from data: it inlines like any pointwise op.
      return lower.family === "gather" ? "pointwise" : "anchor";
    case "expand":
      throw new Error(`composite ${instruction.op.signature.name} reached fusion`);
    default:
      return lower satisfies never;
  }
}

/** A source that becomes part of the expression instead of a buffer: a splat constant or an index. */
export function isInlineSource(instruction: Instruction): boolean {
  const { name } = instruction.op.signature;
  return name === "iota" || (name === "constant" && (instruction.attrs["values"] as readonly number[]).length === 1);
}

/** The elements of a source that is a table: written out, or computed from the attributes. */
export function constantValues({ op, attrs, results }: Instruction): readonly number[] {
  if (op.evaluate === "from lower") throw new Error(`the source ${op.signature.name} has no values`);
  const [table] = op.evaluate(
    [],
    attrs,
    results.map((r) => r.type),
    [],
  );
  if (table === undefined) throw new Error(`the source ${op.signature.name} gives nothing`);
  return Array.from(contiguous(table));
}

/** A leaf of so many times fewer elements serves that many each, from a cache or a register: a gain, a row's scale. */
const served = 16;

/**
 * Distinct values that an element of `value` would load if everything above it were inlined; those that have far fewer elements than it are not
 * counted. The count stops above `most`: a chain of additions through all layers of a model is not followed to its start.
 */
export function leafLoads(value: Value, facts: EntryFacts, most: number): number {
  const seen = new Set<Value>();
  const few = Math.max(1, elementCount(shapeOf(value.type)) / served);
  const loads = (leaf: Value, left: number, ignored: number): number => {
    if (seen.has(leaf)) return 0;
    seen.add(leaf);
    const producer = facts.producer(leaf);
    const role = producer === undefined ? "source" : roleOf(producer);
    if (producer === undefined || (role !== "view" && role !== "pointwise"))
      return (producer !== undefined && isInlineSource(producer)) || elementCount(shapeOf(leaf.type)) <= ignored ? 0 : 1;
    let count = 0;
    const isGather = producer.op.signature.name === gather.name;
    for (const [i, operand] of producer.operands.entries()) {
      // Rows are looked up once: where they lie is data, and no cache can be counted on.
      count += loads(operand, left - count, isGather && i > 0 ? 1 : ignored);
      if (count > left) break;
    }
    return count;
  };
  return loads(value, most, few);
}

/**
 * Buffers that a group binds: what its members load from outside, and the results that outsiders need. All host scalars are one buffer.
 * `isCloned`: members of several groups, each of which computes them for itself.
 */
export function bindingsOf(group: Group, facts: EntryFacts, isCloned: (member: Instruction) => boolean): number {
  const loads = new Set<Value | "host">();
  const host = new Set(facts.entry.inputs.filter((i) => i.origin !== "caller" && "host" in i.origin).map((i) => i.value));
  let stores = 0;
  for (const member of group.members.keys()) {
    for (const operand of member.operands) {
      const producer = facts.producer(operand);
      if (producer !== undefined && (group.members.has(producer) || isInlineSource(producer))) continue;
      loads.add(host.has(operand) ? "host" : operand);
    }
    if (isCloned(member)) continue;
    for (const result of member.results) {
      if (facts.escapes(result) || facts.users(result).some((user) => !group.members.has(user))) stores++;
    }
  }
  return loads.size + stores;
}
