// What hangs on the result of a contraction and can be computed for some rows at a time: the head of a model with its loss, and all that the
// gradient computes from the logits.
import { Rejection, reject } from "../ir/diagnostic.ts";
import type { Instruction, Value } from "../ir/module.ts";
import { quantDecode } from "../ir/ops/quant.ts";
import { reshape } from "../ir/ops/views.ts";
import { storageOf } from "../ir/packing.ts";
import { type EntryFacts, isInlineSource } from "./grouping.ts";
import { isContraction, leadOf, type OperandUse, type RowRule, rowRule, widthOf } from "./row-rules.ts";

export interface RowRegion {
  /** The size of the leading axes. */
  readonly rows: number;
  /** All that runs in parts. */
  readonly members: ReadonlyMap<Instruction, RowRule>;
  /** What depends on the contraction and is needed outside, put together from the parts. */
  readonly joined: ReadonlySet<Value>;
  /** Instructions that depend on the contraction, inside and outside. */
  readonly dependent: ReadonlySet<Instruction>;
}

/** The region of a contraction whose result no one needs whole; a sentence that says who does, otherwise. */
export function regionOf(root: Instruction, rows: number, facts: EntryFacts, nameOf: (value: Value) => string): RowRegion | string {
  try {
    return new Discovery(rows, facts, nameOf).from(root);
  } catch (problem) {
    if (problem instanceof Rejection) return problem.message;
    throw problem;
  }
}

class Discovery {
  readonly #rows: number;
  readonly #facts: EntryFacts;
  readonly #nameOf: (value: Value) => string;
  readonly #members = new Map<Instruction, RowRule>();
  readonly #dependent = new Set<Instruction>();
  /** Values that are taken from memory: rows of them, or all. */
  readonly #taken = new Set<Value>();

  constructor(rows: number, facts: EntryFacts, nameOf: (value: Value) => string) {
    this.#rows = rows;
    this.#facts = facts;
    this.#nameOf = nameOf;
  }

  from(root: Instruction): RowRegion {
    this.#addRoot(root, ruleOrReject(root, this.#rows));
    for (const value of this.#taken) {
      const producer = this.#facts.producer(value);
      if (producer !== undefined && this.#dependent.has(producer))
        reject(`${this.#nameOf(value)} needs all rows before the next can begin`);
    }
    const joined = new Set<Value>();
    for (const [{ results }, { result }] of this.#members) if (result === "rows") for (const value of results) this.#join(value, joined);
    return { rows: this.#rows, members: this.#members, joined, dependent: this.#dependent };
  }

  #addRoot(root: Instruction, rule: RowRule): void {
    const stack = [root];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (this.#dependent.has(next)) continue;
      this.#dependent.add(next);
      for (const result of next.results) stack.push(...this.#facts.users(result));
    }
    this.#add(root, rule);
    for (const result of root.results) this.#follow(result);
  }

  #add(instruction: Instruction, rule: RowRule): void {
    if (this.#members.has(instruction)) return;
    this.#members.set(instruction, rule);
    for (const [i, operand] of instruction.operands.entries()) this.#take(operand, rule.operands[i] ?? "whole", instruction);
  }

  /** Everything that reads a value which is as wide as the contraction's result. */
  #follow(value: Value): void {
    const { users, escapes } = this.#facts;
    if (escapes(value)) reject(`${this.#nameOf(value)} is a result of the entry`);
    for (const user of users(value)) {
      if (this.#members.has(user)) continue;
      const rule = rowRule(user, this.#rows);
      const isWhole = rule === undefined || user.operands.some((o, i) => o === value && rule.operands[i] !== "rows");
      if (rule === undefined || isWhole) reject(`\`${user.op.signature.name}\` does not run on some rows of ${this.#nameOf(value)} alone`);
      this.#add(user, rule);
      const [result] = user.results;
      const isWide = result !== undefined && rule.result === "rows" && widthOf(result.type, this.#rows) > 1;
      if (isWide && !isContraction(user)) this.#follow(result);
    }
  }

  #take(value: Value, use: OperandUse, by: Instruction): void {
    const producer = this.#facts.producer(value);
    if (producer !== undefined && this.#members.has(producer) && use === "rows") return;
    if (use === "rows" && producer !== undefined && this.#isComputed(producer, value, by)) {
      const rule = rowRule(producer, this.#rows);
      if (rule?.result === "rows") {
        if (isContraction(producer) && !this.#dependent.has(producer)) this.#addRoot(producer, rule);
        else this.#add(producer, rule);
        return;
      }
    }
    if (use === "rows" && !isInMemory(value, this.#rows)) reject(`rows of ${this.#nameOf(value)} are no bytes of their own`);
    this.#taken.add(value);
  }

  /** Whether an operand is computed in parts too, and not taken from memory. */
  #isComputed(producer: Instruction, value: Value, by: Instruction): boolean {
    if (isInlineSource(producer) || this.#dependent.has(producer)) return true;
    const { name } = producer.op.signature;
    // A contraction reads its operands many times: they lie in memory, as they are or as codes.
    if (isContraction(by)) return name === quantDecode.name || name === reshape.name;
    // One number a row is stored sooner than it is computed by every kernel.
    const isThin = widthOf(value.type, this.#rows) === 1;
    return producer.op.lower.kind !== "pointwise" || !isThin || storageOf(value.type).kind === "packed";
  }

  #join(value: Value, joined: Set<Value>): void {
    const { producer, users, escapes } = this.#facts;
    const from = producer(value);
    // What does not depend on the contraction stays as it is for those outside.
    if (from === undefined || !this.#dependent.has(from)) return;
    const isOutside = escapes(value) || users(value).some((user) => !this.#members.has(user));
    if (!isOutside) return;
    if (storageOf(value.type).kind === "packed") reject(`${this.#nameOf(value)} is needed whole, and its rows are no bytes of their own`);
    joined.add(value);
  }
}

function ruleOrReject(root: Instruction, rows: number): RowRule {
  return rowRule(root, rows) ?? reject(`\`${root.op.signature.name}\` has no rows`);
}

/** Whether rows of a value are whole bytes of memory. */
function isInMemory({ type }: Value, rows: number): boolean {
  return storageOf(type).kind === "dense" || (leadOf(type, rows) ?? Number.POSITIVE_INFINITY) < type.dims.length;
}
