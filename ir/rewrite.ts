// Rewriting entries: named local rules in lists, applied in order of definition, and removal of what nothing uses.
import type { AttributeSpec, AttributesOf } from "./attribute.ts";
import type { Builder } from "./builder.ts";
import type { Entry, Instruction, Value } from "./module.ts";
import type { OperandNames, PerOperand, Signature } from "./op.ts";
import { newBuilder } from "./ops/table.ts";
import { printType, typesEqual } from "./type.ts";

/** What a rule sees beside the instruction, whose operands are rewritten already. */
export interface RewriteContext {
  /** Emits before the current instruction. Location and marks are preset to the current instruction's. */
  readonly builder: Builder;
  /** The instruction that computes a value; undefined for an input of the entry. */
  producer(value: Value): Instruction | undefined;
  /** How many operands, outputs and updates use a value at this moment (the current instruction's own uses count). */
  uses(value: Value): number;
}

/** A local rewrite. `name` is what counts and dumps show. */
export interface Rule {
  readonly name: string;
  /** Values that stand in for all results (of equal types), after emitting what they need; undefined where the rule does not apply. */
  apply(instruction: Instruction, cx: RewriteContext): readonly Value[] | undefined;
}

export const rule = (name: string, apply: Rule["apply"]): Rule => ({ name, apply });

/** A rule for one op, with the operands and attributes typed by its signature. */
export function ruleFor<O extends OperandNames, R extends readonly string[], A extends AttributeSpec>(
  sig: Signature<O, R, A>,
  name: string,
  apply: (
    operands: PerOperand<O, Value>,
    attrs: AttributesOf<A>,
    cx: RewriteContext,
    instruction: Instruction,
  ) => readonly Value[] | undefined,
): Rule {
  return rule(name, (instruction, cx) =>
    instruction.op.signature.name === sig.name
      ? apply(instruction.operands as PerOperand<O, Value>, instruction.attrs as AttributesOf<A>, cx, instruction)
      : undefined,
  );
}

export interface RewriteOptions {
  /** One sweep: what a rule emits is not rewritten again. Default: sweep until no rule applies. */
  readonly once?: boolean;
}

/** Rules that still find work after this many sweeps undo each other: a bug. */
const sweepLimit = 200;

/**
 * Apply rules to each instruction (the first that answers wins), sweeping until nothing changes. Dead code that a sweep leaves is
 * removed. An entry that no rule touches comes back as the same object.
 */
export function rewriteEntry(entry: Entry, rules: readonly Rule[], count: (rule: string) => void, options: RewriteOptions = {}): Entry {
  let current = entry;
  const last = new Set<string>();
  for (let sweeps = 0; sweeps < sweepLimit; sweeps++) {
    last.clear();
    const next = sweep(current, rules, (name) => {
      last.add(name);
      count(name);
    });
    if (next === current) return current;
    current = removeDead(next);
    if (options.once === true) return current;
  }
  throw new Error(`rules ${[...last].join(", ")} find no end in entry @${entry.name}`);
}

/** Use other values in place of some (chains are followed). Definitions stay: see {@link removeDead}. */
export function replaceValues(entry: Entry, replacements: ReadonlyMap<Value, Value>): Entry {
  const resolve = resolver(replacements);
  const instructions = sameOr(
    entry.instructions,
    entry.instructions.map((i) => withOperands(i, resolve)),
  );
  const outputs = sameOr(
    entry.outputs,
    entry.outputs.map((o) => withValue(o, resolve)),
  );
  const updates = sameOr(
    entry.updates,
    entry.updates.map((u) => withValue(u, resolve)),
  );
  if (instructions === entry.instructions && outputs === entry.outputs && updates === entry.updates) return entry;
  return { ...entry, instructions, outputs, updates };
}

/** Drop instructions none of whose results reaches an output or an update (ops are pure). Inputs stay. */
export function removeDead(entry: Entry): Entry {
  const live = new Set<Value>([...entry.outputs, ...entry.updates].map((use) => use.value));
  const kept: Instruction[] = [];
  for (const instruction of entry.instructions.toReversed()) {
    if (!instruction.results.some((r) => live.has(r))) continue;
    for (const operand of instruction.operands) live.add(operand);
    kept.push(instruction);
  }
  return kept.length === entry.instructions.length ? entry : { ...entry, instructions: kept.reverse() };
}

/** One pass over the instructions. */
function sweep(entry: Entry, rules: readonly Rule[], count: (rule: string) => void): Entry {
  const builder = newBuilder();
  const replaced = new Map<Value, Value>();
  const resolve = resolver(replaced);
  const producers = new Map<Value, Instruction>();
  const uses = countUses(entry);
  const used = (value: Value) => uses.get(value) ?? 0;
  const addUses = (values: readonly Value[], step: number) => {
    for (const v of values) uses.set(v, used(v) + step);
  };
  const cx: RewriteContext = { builder, producer: (v) => producers.get(resolve(v)), uses: (v) => used(resolve(v)) };
  const out: Instruction[] = [];
  const push = (instruction: Instruction) => {
    out.push(instruction);
    for (const result of instruction.results) producers.set(result, instruction);
  };

  for (const original of entry.instructions) {
    const instruction = withOperands(original, resolve);
    builder.at = instruction.at;
    builder.marks = instruction.marks;
    let answer: readonly Value[] | undefined;
    for (const { name, apply } of rules) {
      answer = apply(instruction, cx);
      if (answer !== undefined) {
        checkAnswer(name, instruction, answer);
        count(name);
        break;
      }
      // What a rule emitted before it gave up.
      builder.instructions.length = 0;
    }
    const emitted = builder.instructions.splice(0);
    if (answer === undefined) {
      push(instruction);
      continue;
    }
    for (const fresh of named(emitted, instruction.results, answer, replaced)) {
      const next = withOperands(fresh, resolve);
      addUses(next.operands, 1);
      push(next);
    }
    addUses(instruction.operands, -1);
    instruction.results.forEach((result, i) => {
      const value = resolve(answer[i] ?? result);
      replaced.set(result, value);
      uses.set(value, used(value) + used(result));
    });
  }
  if (replaced.size === 0) return entry;
  return replaceValues({ ...entry, instructions: out }, replaced);
}

/** New instructions, with a replaced result's name on the value that stands in for it, so that dumps stay readable. */
function named(
  emitted: readonly Instruction[],
  results: readonly Value[],
  answer: readonly Value[],
  replaced: Map<Value, Value>,
): readonly Instruction[] {
  return emitted.map((instruction) => {
    const renamed = instruction.results.map((value) => {
      const hint = results[answer.indexOf(value)]?.hint;
      if (hint === undefined || hint === value.hint) return value;
      const next: Value = { ...value, hint };
      replaced.set(value, next);
      return next;
    });
    return renamed.every((v, i) => v === instruction.results[i]) ? instruction : { ...instruction, results: renamed };
  });
}

function checkAnswer(name: string, { op, results }: Instruction, answer: readonly Value[]): void {
  if (answer.length !== results.length)
    throw new Error(`rule ${name} answers ${answer.length} values for ${op.signature.name}, which has ${results.length}`);
  results.forEach((result, i) => {
    const given = answer[i];
    if (given === result) throw new Error(`rule ${name} answers the result that it replaces`);
    if (given !== undefined && !typesEqual(given.type, result.type)) {
      throw new Error(`rule ${name} answers ${printType(given.type)} for ${op.signature.name}, which has ${printType(result.type)}`);
    }
  });
}

function countUses(entry: Entry): Map<Value, number> {
  const uses = new Map<Value, number>();
  const add = (value: Value) => uses.set(value, (uses.get(value) ?? 0) + 1);
  for (const instruction of entry.instructions) instruction.operands.forEach(add);
  for (const { value } of [...entry.outputs, ...entry.updates]) add(value);
  return uses;
}

function resolver(replacements: ReadonlyMap<Value, Value>): (value: Value) => Value {
  return (value) => {
    let found = value;
    for (let next = replacements.get(found); next !== undefined; next = replacements.get(found)) found = next;
    return found;
  };
}

function withOperands(instruction: Instruction, resolve: (v: Value) => Value): Instruction {
  const operands = sameOr(instruction.operands, instruction.operands.map(resolve));
  return operands === instruction.operands ? instruction : { ...instruction, operands };
}

function withValue<T extends { readonly value: Value }>(use: T, resolve: (v: Value) => Value): T {
  const value = resolve(use.value);
  return value === use.value ? use : { ...use, value };
}

/** `next` where an element differs, otherwise the list as it was. */
function sameOr<T>(list: readonly T[], next: readonly T[]): readonly T[] {
  return next.every((item, i) => item === list[i]) ? list : next;
}
