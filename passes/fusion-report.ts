// What `fuse` decided, as plain data: what each kernel computes, what runs in front of and behind its anchor, and for each value that goes
// from one kernel to another why the two are not one. Reasons are those of the decisions themselves, noted where they fall.
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { valueNames } from "../ir/module.ts";
import { printType } from "../ir/type.ts";
import { type EntryFacts, type Group, isInlineSource, type Position, roleOf } from "./grouping.ts";

export interface EntryFusion {
  readonly entry: string;
  readonly kernels: readonly FusedKernel[];
}

export interface FusedKernel {
  /** As in the marks of the instructions. */
  readonly kernel: number;
  /** Family of its anchor, `pointwise` where it has none. */
  readonly family: string;
  /** Sites and instances of the model that it computes for, the anchor's first. */
  readonly instances: readonly string[];
  readonly instructions: readonly FusedInstruction[];
  readonly stores: readonly StoredValue[];
  readonly loads: readonly LoadedValue[];
}

export interface FusedInstruction {
  readonly op: string;
  readonly results: readonly string[];
  /** In front of the anchor (its operands), the anchor, or behind it; all is behind where there is no anchor. */
  readonly position: "front" | "anchor" | "behind";
  readonly instance?: string;
  /** Computed by other kernels too, instead of being stored. */
  readonly repeated?: true;
}

export interface StoredValue {
  readonly value: string;
  readonly type: string;
  /** Kernels that load it. */
  readonly readBy: readonly number[];
  /** Why it is stored, and not computed where it is read. */
  readonly why: string;
}

export interface LoadedValue {
  readonly value: string;
  readonly type: string;
  /** The kernel that stores it; absent for state, inputs and constants. */
  readonly from?: number;
  readonly why?: string;
}

/** Notes of decisions while they fall: why a value is stored. The first note about a value is the one that decided. */
export class FusionNotes {
  readonly #why = new Map<Value, string>();

  apart(values: readonly Value[], why: string): void {
    for (const value of values) if (!this.#why.has(value)) this.#why.set(value, why);
  }

  why(value: Value): string | undefined {
    return this.#why.get(value);
  }
}

const words: Readonly<Record<Position, FusedInstruction["position"]>> = { prologue: "front", anchor: "anchor", epilogue: "behind" };

/** The report of an entry, from its groups in their order. Values have the names that they have when their kernels are numbered. */
export function fusionOf(entry: Entry, ordered: readonly Group[], facts: EntryFacts, notes: FusionNotes): EntryFusion {
  const names = valueNames(entry);
  const nameOf = (value: Value) => `%${names.get(value) ?? value.hint}`;
  const numbers = new Map(ordered.map((group, i) => [group, i] as const));
  const holders = new Map<Instruction, number[]>();
  for (const [group, number] of numbers) {
    for (const member of group.members.keys()) holders.set(member, [...(holders.get(member) ?? []), number]);
  }
  const isRepeated = (instruction: Instruction) => (holders.get(instruction)?.length ?? 0) > 1;
  const whyOf = (value: Value): string => {
    const why = notes.why(value);
    if (why === undefined) throw new Error(`@${entry.name}: nobody said why ${nameOf(value)} is stored`);
    return why;
  };
  const kernels = ordered.map((group, kernel): FusedKernel => {
    const members = [...group.members].sort(([a], [b]) => (facts.index.get(a) ?? 0) - (facts.index.get(b) ?? 0));
    const inside = group.members;
    const stored = members.flatMap(([member]) =>
      isRepeated(member)
        ? []
        : member.results.filter((result) => facts.escapes(result) || facts.users(result).some((user) => !inside.has(user))),
    );
    const loaded = new Set(members.flatMap(([member]) => member.operands.filter((operand) => isLoaded(operand, inside, facts))));
    const [anchor] = group.anchors;
    return {
      kernel,
      family: anchor?.op.lower.kind === "kernel" ? anchor.op.lower.family : "pointwise",
      instances: [...new Set([...group.anchors, ...members.map(([member]) => member)].flatMap((m) => instanceOf(m) ?? []))],
      instructions: members.map(([member, position]): FusedInstruction => {
        const instance = instanceOf(member);
        return {
          op: member.op.signature.name,
          results: member.results.map(nameOf),
          position: words[position],
          ...(instance === undefined ? {} : { instance }),
          ...(isRepeated(member) ? { repeated: true } : {}),
        };
      }),
      stores: stored.map((value): StoredValue => {
        const readers = new Set(facts.users(value).flatMap((user) => (inside.has(user) ? [] : (holders.get(user) ?? []))));
        return { value: nameOf(value), type: printType(value.type), readBy: [...readers].sort((a, b) => a - b), why: whyOf(value) };
      }),
      loads: [...loaded].map((value): LoadedValue => {
        const producer = facts.producer(value);
        const [from] = producer === undefined ? [] : (holders.get(producer) ?? []);
        return { value: nameOf(value), type: printType(value.type), ...(from === undefined ? {} : { from, why: whyOf(value) }) };
      }),
    };
  });
  return { entry: entry.name, kernels };
}

function isLoaded(operand: Value, inside: Group["members"], { producer }: EntryFacts): boolean {
  const from = producer(operand);
  return from === undefined || !(inside.has(from) || (roleOf(from) === "source" && isInlineSource(from)));
}

const instanceOf = ({ marks, at }: Instruction): string | undefined => marks.site ?? at?.instance;
