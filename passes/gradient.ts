// Reverse-mode differentiation of one entry: from its loss back to the state that it reads.
import type { Builder } from "../ir/builder.ts";
import { Rejection } from "../ir/diagnostic.ts";
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { add } from "../ir/ops/arithmetic.ts";
import { constant, stateRead } from "../ir/ops/source.ts";
import { isFloat, printType, typesEqual } from "../ir/type.ts";
import type { PassContext } from "./pass.ts";

/** One summand of a value's cotangent: from which use it comes. */
interface Contribution {
  readonly instruction: number;
  readonly operand: number;
  readonly value: Value;
}

/**
 * Emit the cotangents of all float values between the loss and the reads of `wanted` state; answers the gradient of each state
 * that the loss depends on. Every op's vector-Jacobian product is called once. `builder` already holds the entry's instructions.
 * Where a value is used several times, and where a state is read several times (ties, shared weights), the summands add up in the
 * order of their uses in the entry: the sum must not depend on whether equal reads were merged.
 */
export function emitGradients(
  entry: Entry,
  loss: Value,
  wanted: ReadonlySet<string>,
  builder: Builder,
  cx: PassContext,
): ReadonlyMap<string, Value> {
  const reads = firstReads(entry, wanted);
  const shared = (value: Value): Value => reads.merged.get(value) ?? value;
  const needed = dependents(entry, reads.merged);
  const contributions = new Map<Value, Contribution[]>();
  const cotangentOf = (value: Value): Value | undefined => {
    const terms = contributions.get(value)?.toSorted((a, b) => a.instruction - b.instruction || a.operand - b.operand);
    return terms?.map((t) => t.value).reduce((sum, term) => builder.emit(add, [sum, term], {}, { hint: cotangentHint(value) }));
  };
  builder.marks = {};
  builder.at = undefined;
  contributions.set(loss, [
    {
      instruction: entry.instructions.length,
      operand: 0,
      value: builder.emit(constant, [], { values: [1], type: loss.type }, { hint: cotangentHint(loss) }),
    },
  ]);

  for (const [index, instruction] of [...entry.instructions.entries()].reverse()) {
    const { op, operands, results, attrs, at, marks } = instruction;
    if (reads.merged.has(results[0] ?? loss) || !results.some((r) => needed.has(r))) continue;
    builder.at = at;
    builder.marks = {};
    const cotangents = results.map(cotangentOf);
    if (cotangents.every((ct) => ct === undefined)) continue;
    const refuse = (why: string): void =>
      cx.report({
        severity: "error",
        code: "no-gradient",
        message: `the loss depends on a parameter through \`${op.signature.name}\`${why}`,
        instruction,
      });
    if (op.vjp === "none") {
      refuse(", which has no gradient");
      continue;
    }
    // A contraction's gradients belong to its site too; no other mark of the forward op holds for them.
    if (marks.site !== undefined) builder.marks = { site: marks.site };
    const start = builder.instructions.length;
    let answer: readonly (Value | undefined)[];
    try {
      answer = op.vjp(builder, cotangents, operands, results, attrs);
    } catch (thrown) {
      if (!(thrown instanceof Rejection)) throw thrown;
      refuse(`: ${thrown.message}`);
      continue;
    }
    const given = nameCotangents(builder, start, answer, operands);
    for (const [operand, value] of operands.entries()) {
      const term = given[operand];
      if (term === undefined || !needed.has(value)) continue;
      if (!typesEqual(term.type, value.type)) {
        throw new Error(`the vjp of ${op.signature.name} answers ${printType(term.type)} for an operand of type ${printType(value.type)}`);
      }
      const key = shared(value);
      const terms = contributions.get(key) ?? [];
      terms.push({ instruction: index, operand, value: term });
      contributions.set(key, terms);
    }
  }

  builder.at = undefined;
  builder.marks = {};
  const gradients = new Map<string, Value>();
  for (const [state, value] of reads.byState) {
    const gradient = cotangentOf(value);
    if (gradient !== undefined) gradients.set(state, gradient);
  }
  return gradients;
}

/** Every read of wanted state, mapped to the first read of the same state. */
function firstReads(
  entry: Entry,
  wanted: ReadonlySet<string>,
): { readonly byState: ReadonlyMap<string, Value>; readonly merged: ReadonlyMap<Value, Value> } {
  const byState = new Map<string, Value>();
  const merged = new Map<Value, Value>();
  for (const { op, attrs, results } of entry.instructions) {
    const name = attrs["name"];
    const [value] = results;
    if (op.signature.name !== stateRead.name || typeof name !== "string" || value === undefined || !wanted.has(name)) continue;
    const first = byState.get(name) ?? value;
    byState.set(name, first);
    merged.set(value, first);
  }
  return { byState, merged };
}

/** Float values that depend on one of the reads. */
function dependents(entry: Entry, reads: ReadonlyMap<Value, Value>): ReadonlySet<Value> {
  const found = new Set<Value>(reads.keys());
  for (const { operands, results } of entry.instructions) {
    if (!operands.some((v) => found.has(v))) continue;
    for (const r of results) if (r.type.kind === "tensor" && isFloat(r.type.scalar)) found.add(r);
  }
  return found;
}

const cotangentHint = (value: Value): string => `d_${value.hint}`;

/** Name what a vector-Jacobian product answered after the operands, so that dumps can be read: nobody else knows these values yet. */
function nameCotangents(
  builder: Builder,
  start: number,
  answer: readonly (Value | undefined)[],
  operands: readonly Value[],
): readonly (Value | undefined)[] {
  const renamed = new Map<Value, Value>();
  for (const [i, value] of answer.entries()) {
    const operand = operands[i];
    if (value !== undefined && operand !== undefined) renamed.set(value, { ...value, hint: cotangentHint(operand) });
  }
  const own = new Set<Value>();
  const substitute = (v: Value): Value => (own.has(v) ? (renamed.get(v) ?? v) : v);
  for (const [i, instruction] of builder.instructions.slice(start).entries()) {
    for (const result of instruction.results) own.add(result);
    const next: Instruction = {
      ...instruction,
      operands: instruction.operands.map(substitute),
      results: instruction.results.map(substitute),
    };
    builder.instructions[start + i] = next;
  }
  return answer.map((v) => (v === undefined ? undefined : substitute(v)));
}
