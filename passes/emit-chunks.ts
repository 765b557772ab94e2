// A region that can run in parts, written out for each chunk of its rows; and what joins the parts.
import type { Builder } from "../ir/builder.ts";
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { add } from "../ir/ops/arithmetic.ts";
import { sum } from "../ir/ops/broadcast.ts";
import { rowConcat, rowSlice } from "../ir/ops/row-parts.ts";
import { newBuilder } from "../ir/ops/table.ts";
import { reshape } from "../ir/ops/views.ts";
import { removeDead, replaceValues } from "../ir/rewrite.ts";
import { withDims } from "../ir/type.ts";
import type { EntryFacts } from "./grouping.ts";
import type { RowRegion } from "./row-region.ts";
import { leadOf, type OperandUse, type RowRule, restOf } from "./row-rules.ts";

/** The entry with a region in chunks of `size` rows, the last of which may have fewer. */
export function inChunks(entry: Entry, region: RowRegion, size: number, facts: EntryFacts): Entry {
  const emitter = new ChunkEmitter(region, entry.instructions);
  for (let start = 0; start < region.rows; start += size) emitter.chunk(start, Math.min(size, region.rows - start));
  const renamed = emitter.join();
  const first = Math.min(...[...region.members.keys()].filter((m) => region.dependent.has(m)).map((m) => facts.index.get(m) ?? 0));
  // What the region needs stands in front of it, whatever else stood between.
  const needed = ancestorsOf(region, facts);
  const isBefore = (instruction: Instruction, at: number) => at < first || needed.has(instruction);
  const isReplaced = (instruction: Instruction) => region.dependent.has(instruction) && region.members.has(instruction);
  const others = entry.instructions.map((instruction, at) => ({ instruction, before: isBefore(instruction, at) }));
  const instructions = [
    ...others.flatMap(({ instruction, before }) => (before && !isReplaced(instruction) ? [instruction] : [])),
    ...emitter.instructions,
    ...others.flatMap(({ instruction, before }) => (before || isReplaced(instruction) ? [] : [instruction])),
  ];
  return removeDead(replaceValues({ ...entry, instructions }, renamed));
}

/** What the region takes from outside, and what that takes: also of members, of which such a value keeps the whole. */
function ancestorsOf({ members, dependent }: RowRegion, facts: EntryFacts): ReadonlySet<Instruction> {
  const found = new Set<Instruction>();
  const stack = [...members.keys()];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    for (const operand of next.operands) {
      const producer = facts.producer(operand);
      if (producer === undefined || found.has(producer) || dependent.has(producer)) continue;
      if (members.has(producer) && !found.has(next)) continue;
      found.add(producer);
      stack.push(producer);
    }
  }
  return found;
}

class ChunkEmitter {
  readonly #region: RowRegion;
  readonly #builder: Builder = newBuilder();
  /** Members in the entry's order. */
  readonly #members: readonly (readonly [Instruction, RowRule])[];
  readonly #parts = new Map<Value, Value[]>();
  readonly #sums = new Map<Value, Value>();
  readonly #stripped = new Map<Value, Value>();

  constructor(region: RowRegion, order: readonly Instruction[]) {
    this.#region = region;
    this.#members = order.flatMap((instruction) => {
      const rule = region.members.get(instruction);
      return rule === undefined ? [] : [[instruction, rule] as const];
    });
  }

  get instructions(): readonly Instruction[] {
    return this.#builder.instructions;
  }

  chunk(start: number, size: number): void {
    const here = new Map<Value, Value>();
    for (const [instruction, rule] of this.#members) {
      const { op, operands, results, marks, at } = instruction;
      this.#builder.at = at;
      // Nothing of it lives long enough to be computed again.
      this.#builder.marks = marks.site === undefined ? {} : { site: marks.site };
      const taken = operands.map((operand, i) => this.#operand(operand, rule.operands[i] ?? "whole", here, start, size));
      const made = this.#builder.emitOp(op, taken, rule.attrs(size), { hints: results.map(({ hint }) => hint) });
      for (const [i, result] of results.entries()) {
        const part = made[i];
        if (part === undefined) throw new Error("a chunk without a result");
        here.set(result, part);
        this.#keep(result, part, rule);
      }
    }
  }

  #operand(operand: Value, use: OperandUse, here: Map<Value, Value>, start: number, size: number): Value {
    const { rows } = this.#region;
    if (use === "whole") return operand;
    if (use === "stripped") {
      const known = this.#stripped.get(operand);
      if (known !== undefined) return known;
      const dims = operand.type.dims.slice(operand.type.dims.findIndex((d) => d !== 1));
      const stripped = this.#builder.emit(reshape, [operand], { type: withDims(operand.type, dims) });
      this.#stripped.set(operand, stripped);
      return stripped;
    }
    const known = here.get(operand);
    if (known !== undefined) return known;
    const lead = leadOf(operand.type, rows);
    if (lead === undefined) throw new Error("an operand without rows");
    const part = this.#builder.emit(rowSlice, [operand], { lead, start, size }, { hint: operand.hint, marks: {} });
    here.set(operand, part);
    return part;
  }

  #keep(result: Value, part: Value, { result: use }: RowRule): void {
    switch (use) {
      case "rows":
        if (!this.#region.joined.has(result)) return;
        break;
      case "added": {
        const before = this.#sums.get(result);
        this.#sums.set(result, before === undefined ? part : this.#builder.emit(add, [before, part], {}, { hint: result.hint, marks: {} }));
        return;
      }
      case "row_sums":
        break;
      default:
        use satisfies never;
    }
    const known = this.#parts.get(result);
    if (known === undefined) this.#parts.set(result, [part]);
    else known.push(part);
  }

  /** Put the parts together; answers what stands for each result of the region. */
  join(): ReadonlyMap<Value, Value> {
    const whole = new Map<Value, Value>(this.#sums);
    this.#builder.marks = {};
    for (const [{ operands, results, at }, rule] of this.#members) {
      const [result] = results;
      const parts = result === undefined ? undefined : this.#parts.get(result);
      if (result === undefined || parts === undefined) continue;
      this.#builder.at = at;
      const [x] = operands;
      if (rule.result === "rows") {
        whole.set(result, this.#builder.emit(rowConcat, parts, { type: result.type }, { hint: result.hint }));
      } else if (x !== undefined) {
        const lead = x.type.dims.length - restOf(x.type, this.#region.rows).length;
        const type = withDims(result.type, x.type.dims.slice(0, lead));
        const perRow = this.#builder.emit(rowConcat, parts, { type }, { hint: `${result.hint}_rows` });
        whole.set(result, this.#builder.emit(sum, [perRow], { axes: type.dims.map((_, axis) => axis) }, { hint: result.hint }));
      }
    }
    return whole;
  }
}
