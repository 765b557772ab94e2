// A module: typed SSA entries over shared state. Readonly data; passes answer new modules.

import type { StateRole } from "./artifact.ts";
import type { Attributes } from "./attribute.ts";
import type { HostRule } from "./host.ts";
import type { InitRule } from "./init.ts";
import type { Marks } from "./marks.ts";
import type { Form, Op } from "./op.ts";
import type { Location } from "./source.ts";
import type { Type } from "./type.ts";

/** An SSA value, known by its identity. `hint` is its name where that is free in its entry. */
export interface Value {
  readonly hint: string;
  readonly type: Type;
}

export interface Instruction {
  readonly op: Op;
  readonly operands: readonly Value[];
  readonly results: readonly Value[];
  readonly attrs: Attributes;
  readonly marks: Marks;
  readonly at?: Location;
}

/** Where an entry's input comes from: an array of the data source, a host scalar, or the caller. */
export type InputOrigin = { readonly data: string } | { readonly host: string } | "caller";

export interface EntryInput {
  readonly value: Value;
  readonly origin: InputOrigin;
}

/** A function of the module. Updates take effect all at once when the entry returns; `state.read` gives the value at entry. */
export interface Entry {
  readonly name: string;
  readonly inputs: readonly EntryInput[];
  readonly instructions: readonly Instruction[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  readonly updates: readonly { readonly state: string; readonly value: Value }[];
}

export interface StateDeclaration {
  readonly name: string;
  readonly type: Type;
  readonly role: StateRole;
  readonly init: InitRule;
  /** Whether weight decay applies. */
  readonly decay: boolean;
  /** Of codes: block of the rotation along the last axis that their weight had when it was rounded; absent: none. */
  readonly rotation?: number;
  /** What the learning rate is multiplied by for this parameter; absent for 1. */
  readonly rate?: number;
}

export type OptimizerSpec =
  | { readonly kind: "adamw"; readonly beta1: number; readonly beta2: number; readonly eps: number; readonly decay: number }
  | { readonly kind: "sgd"; readonly momentum: number; readonly decay: number };

/**
 * What `differentiate` does to entry `@train`: its first output is the loss. Gone afterwards, and with accumulation `@train` too, in
 * favour of `@accumulate` and `@apply`.
 */
export interface TrainingSpec {
  readonly optimizer: OptimizerSpec;
  /** Global gradient norm to clip at; absent for no clipping. */
  readonly clipNorm?: number;
  /** Micro-batches whose gradients make one step; absent for one. */
  readonly accumulate?: number;
  /** Name of the host scalar that is the learning rate. */
  readonly learningRate: string;
}

export interface Module {
  readonly form: Form;
  readonly sources: readonly string[];
  readonly host: Readonly<Record<string, HostRule>>;
  readonly training?: TrainingSpec;
  /** What activations are stored as, and weights read as, where a target has it (`passes/narrow-storage.ts`); absent: f32. */
  readonly precision?: "f16";
  /** Rows of a chunk of the head with its loss (`passes/chunk-head.ts`); absent: by size. */
  readonly headChunk?: number | "none";
  readonly states: readonly StateDeclaration[];
  /** Path -> the state that it names too. */
  readonly ties: readonly { readonly path: string; readonly state: string }[];
  readonly entries: readonly Entry[];
}

export function stateNamed({ states }: Module, name: string): StateDeclaration | undefined {
  const known = statesByName.get(states) ?? new Map(states.toReversed().map((s) => [s.name, s]));
  statesByName.set(states, known);
  return known.get(name);
}

/** Every read of a state asks for its declaration. The first of several with one name counts. */
const statesByName = new WeakMap<readonly StateDeclaration[], ReadonlyMap<string, StateDeclaration>>();

export function entryNamed(module: Module, name: string): Entry | undefined {
  return module.entries.find((e) => e.name === name);
}

/** The same module where no entry changed, otherwise one with the new entries ("did it change" is `===`). */
export function mapEntries(module: Module, change: (entry: Entry) => Entry): Module {
  const entries = module.entries.map(change);
  return entries.every((e, i) => e === module.entries[i]) ? module : { ...module, entries };
}

/**
 * Names for printing: each value's hint, made unique by a number in order of definition. Values keep the names that they have in
 * `known`.
 */
export function valueNames(entry: Entry, known?: ReadonlyMap<Value, string>): ReadonlyMap<Value, string> {
  const names = new Map<Value, string>();
  const taken = new Set<string>();
  if (known !== undefined) for (const value of definedValues(entry)) taken.add(known.get(value) ?? "");
  const counts = new Map<string, number>();
  const name = (value: Value) => {
    const kept = known?.get(value);
    if (kept !== undefined) {
      names.set(value, kept);
      return;
    }
    let text = value.hint;
    for (let n = counts.get(value.hint) ?? 1; taken.has(text); n++) {
      text = `${value.hint}${/\d$/.test(value.hint) ? "_" : ""}${n}`;
      counts.set(value.hint, n + 1);
    }
    taken.add(text);
    names.set(value, text);
  };
  for (const value of definedValues(entry)) name(value);
  return names;
}

/** Inputs and results, in order of definition. */
function* definedValues(entry: Entry): Generator<Value> {
  for (const input of entry.inputs) yield input.value;
  for (const instruction of entry.instructions) yield* instruction.results;
}
