// `fuse`: decides which instructions share a kernel. It only numbers them (mark `kernel`) and clones what several kernels
// recompute; to-plan then translates each number into one dispatch. Header of each step says why.

import { shapesEqual } from "../ir/dim.ts";
import type { Entry, Instruction, Value } from "../ir/module.ts";
import { mapEntries } from "../ir/module.ts";
import { pruneMask } from "../ir/ops/prune.ts";
import { quantEncode, quantMask } from "../ir/ops/quant.ts";
import { rowSlice } from "../ir/ops/row-parts.ts";
import { newBuilder, opNamed } from "../ir/ops/table.ts";
import { storageOf } from "../ir/packing.ts";
import { hasMask, type Outer } from "../ir/quant/quantizer.ts";
import { removeDead } from "../ir/rewrite.ts";
import { concreteShape } from "../ir/type.ts";
import { type EntryFusion, FusionNotes, fusionOf } from "./fusion-report.ts";
import { bindingsOf, type EntryFacts, factsOf, type Group, leafLoads, type Position, roleOf } from "./grouping.ts";
import { orderGroups } from "./kernel-order.ts";
import { definePass } from "./pass.ts";
import { quantName } from "./quant-names.ts";

/** The default limit of storage buffers in a shader stage, which every adapter has. */
const maxBindings = 8;

export const fuse = definePass({
  name: "fuse",
  summary: "Group pointwise chains, prologues and epilogues into kernels: number each instruction by its kernel.",
  needs: "primitive",
  leaves: "primitive",
  options: {},
  run(module, _options, cx) {
    return mapEntries(module, (entry) => {
      // An entry that still has names for sizes is left alone; to-plan says which name to bind.
      if (valuesOf(entry).some((v) => concreteShape(v.type) === undefined)) return entry;
      const fused = fuseEntry(withMasks(removeDead(entry)));
      cx.count("kernels", fused.kernels);
      if (cx.explain !== undefined) cx.explain(fused.report());
      return fused.entry;
    });
  },
});

const valuesOf = (entry: Entry): readonly Value[] => [...entry.inputs.map((i) => i.value), ...entry.instructions.flatMap((i) => i.results)];

function fuseEntry(entry: Entry): { readonly entry: Entry; readonly kernels: number; report(): EntryFusion } {
  const grouping = new Grouping(factsOf(entry));
  grouping.placeAnchors();
  grouping.absorbEpilogues();
  grouping.placeTheRest();
  const ordered = orderGroups(grouping.groups, grouping.facts);
  const numbered = emit(entry, ordered, grouping);
  return { entry: numbered, kernels: ordered.length, report: () => fusionOf(numbered, ordered, grouping.facts, grouping.notes) };
}

const theEntryNeedsIt = "it is a result of the entry, or replaces state";

const isPacked = ({ type }: Value): boolean => storageOf(type).kind === "packed";
const isNamed = (instruction: Instruction | undefined, name: string): boolean => instruction?.op.signature.name === name;

/** What rounds, or chooses what stays. */
const isRounding = (instruction: Instruction): boolean =>
  isNamed(instruction, quantEncode.name) || isNamed(instruction, quantMask.name) || isNamed(instruction, pruneMask.name);

const familyOf = ({ op: { lower } }: Instruction) => (lower.kind === "kernel" ? lower.family : undefined);

/**
 * Every rounding with its mask (where gradients do not all pass), also where nothing reads it: then the kernel that makes codes has the same text in every entry, and a
 * driver that contracts multiplications and additions contracts them alike. A code that differed between entries would be a silent bug.
 */
function withMasks(entry: Entry): Entry {
  const masked = new Map<Value | undefined, (Value | undefined)[]>();
  for (const instruction of entry.instructions) {
    if (!isNamed(instruction, quantMask.name)) continue;
    const [x, scale] = instruction.operands;
    masked.set(x, [...(masked.get(x) ?? []), scale]);
  }
  const lacks = (i: Instruction) =>
    isNamed(i, quantEncode.name) && hasMask(i.attrs["outer"] as Outer) && !masked.get(i.operands[0])?.includes(i.operands[1]);
  if (!entry.instructions.some(lacks)) return entry;
  const instructions = entry.instructions.flatMap((i): readonly Instruction[] => {
    const [x] = i.operands;
    if (!lacks(i) || x === undefined) return [i];
    const builder = newBuilder();
    const { layout: _, ...attrs } = i.attrs;
    builder.emitOp(opNamed(quantMask.name), i.operands, attrs, {
      hint: quantName(x, "m"),
      marks: i.marks,
      ...(i.at === undefined ? {} : { at: i.at }),
    });
    return [i, ...builder.instructions];
  });
  return { ...entry, instructions };
}

class Grouping {
  readonly facts: EntryFacts;
  readonly groups: Group[] = [];
  readonly notes = new FusionNotes();
  readonly #of = new Map<Instruction, Group[]>();

  constructor(facts: EntryFacts) {
    this.facts = facts;
  }

  groupsOf(instruction: Instruction): readonly Group[] {
    return this.#of.get(instruction) ?? [];
  }

  #open(anchors: readonly Instruction[]): Group {
    const group: Group = { number: this.groups.length, anchors, members: new Map() };
    this.groups.push(group);
    for (const anchor of anchors) this.#join(group, anchor, "anchor");
    return group;
  }

  #join(group: Group, instruction: Instruction, position: Position): void {
    group.members.set(instruction, position);
    this.#of.set(instruction, [...this.groupsOf(instruction), group]);
  }

  #leave(group: Group, instruction: Instruction): void {
    group.members.delete(instruction);
    this.#of.set(
      instruction,
      this.groupsOf(instruction).filter((g) => g !== group),
    );
  }

  /** Join only where the kernel stays within the binding limit; answers whether it did. */
  #tryJoin(group: Group, instruction: Instruction, position: Position): boolean {
    const fits = this.#fits(group, instruction, false);
    if (fits) this.#join(group, instruction, position);
    return fits;
  }

  /** One kernel per contraction, reduction, row statistic; a scale joins the transform that it measures, since both walk the same row. */
  placeAnchors(): void {
    for (const instruction of this.facts.entry.instructions) {
      if (roleOf(instruction) !== "anchor") continue;
      const [operand] = instruction.operands;
      const transform = operand === undefined ? undefined : this.facts.producer(operand);
      const home = transform === undefined ? undefined : this.groupsOf(transform)[0];
      if (
        isNamed(instruction, "quant.scale") &&
        instruction.attrs["group"] === "row" &&
        transform !== undefined &&
        isNamed(transform, "hadamard") &&
        home !== undefined &&
        home.anchors.length === 1
      ) {
        (home.anchors as Instruction[]).push(instruction);
        this.#join(home, instruction, "anchor");
      } else this.#open([instruction]);
    }
  }

  /** What follows an anchor element by element runs in its registers: the result is never stored only to be loaded again. */
  absorbEpilogues(): void {
    for (const group of this.groups) {
      const scale = group.anchors.find((a) => isNamed(a, "quant.scale"));
      if (scale !== undefined) {
        this.#absorbRowUsers(group, scale);
        const rows = [...group.members.keys()].flatMap((m) => m.results);
        this.notes.apart(rows, "a row's scale, codes and mask are made by one kernel, of one text in every entry");
      } else for (const anchor of group.anchors) this.#absorbChain(group, anchor);
    }
  }

  /** Codes and mask of a row leave in the kernel that measured it. */
  #absorbRowUsers(group: Group, scale: Instruction): void {
    const [element] = scale.operands;
    const [step] = scale.results;
    if (element === undefined || step === undefined || scale.attrs["group"] !== "row") return;
    for (const user of this.facts.users(step)) {
      if (user.op.lower.kind !== "pointwise" || this.groupsOf(user).length > 0) continue;
      // What follows from the scale alone has its shape, one element a row: no place among the row's own elements.
      const isElementwise = user.results.every((r) => shapesEqual(r.type.dims, element.type.dims));
      if (isElementwise && user.operands.every((o) => o === element || o === step)) this.#tryJoin(group, user, "epilogue");
    }
  }

  #absorbChain(group: Group, anchor: Instruction): void {
    // A write computes some elements of its result alone; attention stores what it computes and nothing else. What is joined has been stored already.
    const family = familyOf(anchor);
    if (family === "write" || family === "attention" || family === "join") {
      this.notes.apart(anchor.results, `\`${anchor.op.signature.name}\` stores its own result and computes nothing behind it`);
      return;
    }
    const chain: Instruction[] = [];
    for (;;) {
      const last = chain.at(-1) ?? anchor;
      const next = this.#nextInChain(group, anchor, last);
      if (typeof next === "string") {
        this.notes.apart(last.results, next);
        break;
      }
      chain.push(next);
    }
    // Only rows write packed results: a lane of a contraction or a reduction has no whole words.
    if (family === "rows") return;
    for (let last = chain.pop(); last?.results.some(isPacked); last = chain.pop()) {
      this.#leave(group, last);
      this.notes.apart(last.operands, `\`${last.op.signature.name}\` makes bits, of which a lane here has no whole word`);
    }
  }

  /** The instruction that runs behind the last one in the anchor's registers, joined to its group; or why there is none. */
  #nextInChain(group: Group, anchor: Instruction, last: Instruction): Instruction | string {
    const [result] = last.results;
    if (result === undefined || last.results.length > 1) return `\`${last.op.signature.name}\` has several results`;
    if (this.facts.escapes(result)) return theEntryNeedsIt;
    const users = this.facts.users(result);
    const [user] = users;
    if (user === undefined || users.length > 1) return `${users.length} instructions take it: it is computed once`;
    const name = `\`${user.op.signature.name}\``;
    if (roleOf(user) === "anchor") return `${name} is a kernel of its own`;
    if (roleOf(user) === "view") return `a view follows, ${name}: whoever reads it loads through that`;
    if (this.groupsOf(user).length > 0) return `${name} runs in another kernel`;
    if (user.op.lower.kind !== "pointwise") return `${name} picks elements by data`;
    const [next] = user.results;
    // The chain's value is read at its own element only: an operand of the same shape.
    if (next === undefined || user.results.length > 1 || !shapesEqual(next.type.dims, result.type.dims))
      return `${name} has a result of another shape, or several`;
    const later = user.operands.find((o) => o !== result && this.#comesLater(o, anchor));
    if (later !== undefined) return `${name} runs behind what makes its other operand, which comes later`;
    return this.#tryJoin(group, user, "epilogue") ? user : `with ${name} behind it the kernel would bind more than ${maxBindings} buffers`;
  }

  /**
   * Whether another anchor behind this one makes a value, for the op that takes both and nothing else: that op is the other's epilogue. Here it
   * would have to wait for the other with all that it loads, while a sum of many products grows in place as they come.
   */
  #comesLater(value: Value, anchor: Instruction): boolean {
    const { facts } = this;
    const other = facts.producer(value);
    if (other === undefined || roleOf(other) !== "anchor" || (facts.index.get(other) ?? 0) < (facts.index.get(anchor) ?? 0)) return false;
    const family = familyOf(other);
    const isAlone = other.results.length === 1 && facts.users(value).length === 1 && !facts.escapes(value);
    return isAlone && (family === "dot" || family === "reduce" || family === "scatter");
  }

  /** Users are placed before producers, so each producer knows which kernels want it. */
  placeTheRest(): void {
    for (const instruction of [...this.facts.entry.instructions].reverse()) {
      const role = roleOf(instruction);
      if ((role !== "pointwise" && role !== "view") || this.groupsOf(instruction).length > 0) continue;
      const users = instruction.results.flatMap((r) => this.facts.users(r));
      const escapes = instruction.results.some((r) => this.facts.escapes(r));
      if (users.length === 0 && !escapes) continue;
      const wanted = [...new Set(users.flatMap((u) => this.groupsOf(u)))];
      const why = this.#whyStored(instruction, users, wanted, escapes);
      if (why === undefined) {
        for (const group of wanted) this.#join(group, instruction, this.#positionIn(group, users));
        continue;
      }
      this.notes.apart(instruction.results, why);
      const beside = isRounding(instruction) ? this.#roundingOf(instruction) : undefined;
      if (beside !== undefined) {
        this.#join(beside, instruction, "epilogue");
        continue;
      }
      const home = escapes || isRounding(instruction) ? undefined : wanted.find((g) => this.#makesRows(g, instruction, users));
      if (home === undefined) this.#join(this.#open([]), instruction, "epilogue");
      else this.#join(home, instruction, "prologue");
    }
  }

  /** The kernel that rounds the same elements by the same scales, where no row's kernel does: one makes codes and mask, in every entry. */
  #roundingOf({ operands }: Instruction): Group | undefined {
    const [x, scale] = operands;
    const others = x === undefined ? [] : this.facts.users(x).filter((u) => isRounding(u) && u.operands[1] === scale);
    return others.flatMap((u) => this.groupsOf(u))[0];
  }

  /** Why an instruction is not computed by those that want its results; undefined where it is. */
  #whyStored(instruction: Instruction, users: readonly Instruction[], wanted: readonly Group[], escapes: boolean): string | undefined {
    if (escapes) return theEntryNeedsIt;
    // Kernels contract multiply-adds differently, so a second one, or one with other neighbours in another entry, could answer other codes.
    if (isRounding(instruction)) return "what rounds to codes runs in one place, by a kernel of one text in every entry";
    if (users.some((u) => isNamed(u, rowSlice.name))) return "rows are taken of it, as ranges of memory";
    for (const group of wanted) {
      const refused = this.#refusal(group, instruction, users);
      if (refused !== undefined) return refused;
    }
    if (wanted.length > 1 && !this.#isCheap(instruction))
      return `${wanted.length} kernels want it, and each would load more to compute it than to load it`;
    return wanted.every((g) => this.#fits(g, instruction, wanted.length > 1))
      ? undefined
      : `a kernel with it would bind more than ${maxBindings} buffers`;
  }

  /**
   * Whether a kernel of rows may make what it rotates and also store it for others: it has each element in a register, at its own place. Else a
   * kernel of its own would write what this one then loads (a normalised row, which the gradient of the norm takes as well).
   */
  #makesRows(group: Group, instruction: Instruction, users: readonly Instruction[]): boolean {
    const [anchor] = group.anchors;
    const [result] = instruction.results;
    const row = anchor?.operands[0];
    if (anchor === undefined || familyOf(anchor) !== "rows" || (anchor.attrs["group"] ?? "row") !== "row") return false;
    if (row === undefined || result === undefined || instruction.results.length > 1 || isPacked(result)) return false;
    if (roleOf(instruction) !== "pointwise" || instruction.op.lower.kind !== "pointwise") return false;
    const readInPlace = users
      .filter((u) => group.members.has(u))
      .every((u) => u === anchor || (u.op.lower.kind === "pointwise" && u.results.every((r) => shapesEqual(r.type.dims, row.type.dims))));
    return (
      readInPlace &&
      shapesEqual(result.type.dims, row.type.dims) &&
      this.#fits(group, instruction, false) &&
      !this.#waitsFor(group, instruction)
    );
  }

  /** Whether a kernel needs, beside an instruction's result, something that another kernel makes of it. */
  #waitsFor(group: Group, instruction: Instruction): boolean {
    const { facts } = this;
    const start = facts.index.get(instruction) ?? 0;
    const seen = new Set<Instruction>();
    const reaches = (value: Value): boolean => {
      const producer = facts.producer(value);
      // Nothing that stands before an instruction depends on it.
      if (producer === undefined || seen.has(producer) || (facts.index.get(producer) ?? 0) < start) return false;
      seen.add(producer);
      return producer === instruction || producer.operands.some(reaches);
    };
    const outside = [...group.members.keys()].flatMap((m) =>
      m.operands.filter((o) => {
        const producer = facts.producer(o);
        return producer !== instruction && (producer === undefined || !group.members.has(producer));
      }),
    );
    return outside.some(reaches);
  }

  /** `cloned`: other groups would have the instruction too. */
  #fits(group: Group, instruction: Instruction, cloned: boolean): boolean {
    group.members.set(instruction, "prologue");
    const fits = bindingsOf(group, this.facts, (m) => (m === instruction ? cloned : this.groupsOf(m).length > 1)) <= maxBindings;
    group.members.delete(instruction);
    return fits;
  }

  #positionIn(group: Group, users: readonly Instruction[]): Position {
    return users.some((u) => group.members.get(u) === "anchor" || group.members.get(u) === "prologue") ? "prologue" : "epilogue";
  }

  /**
   * Why a group does not compute an operand. A contraction reads each operand element many times, so its prologue may only be what makes the load
   * smaller (a decode) or changes no value (a view); the gradient norm reads whole slabs.
   */
  #refusal(group: Group, instruction: Instruction, users: readonly Instruction[]): string | undefined {
    if (this.#positionIn(group, users) === "epilogue") return undefined;
    const [anchor] = group.anchors;
    const family = anchor === undefined ? undefined : familyOf(anchor);
    const name = `\`${anchor?.op.signature.name}\``;
    if (family === "norm") return `${name} reads ranges of memory`;
    if (family === "join") return `${name} joins what lies in memory`;
    // What is written into must lie in memory.
    if (family === "write") return instruction.results.some((r) => r === anchor?.operands[0]) ? `${name} writes into memory` : undefined;
    // Attention reads each key and value once for every query.
    const isSmaller = roleOf(instruction) === "view" || isNamed(instruction, "quant.decode");
    if ((family === "dot" || family === "attention") && !isSmaller)
      return `${name} reads its operands many times, and would compute it each time`;
    return undefined;
  }

  /** Recomputing it costs a kernel no more memory traffic than loading it: views, decodes, and functions of one tensor. */
  #isCheap(instruction: Instruction): boolean {
    if (roleOf(instruction) === "view" || isNamed(instruction, "quant.decode")) return true;
    return instruction.results.every((r) => leafLoads(r, this.facts, 1) <= 1);
  }
}

/** The entry with its instructions in kernel order, each numbered; those wanted by several kernels stand once in each. */
function emit(entry: Entry, ordered: readonly Group[], grouping: Grouping): Entry {
  const { facts } = grouping;
  const everywhere = new Map<Value, Value>();
  const instructions = entry.instructions.filter((i) => roleOf(i) === "source");
  for (const [kernel, group] of ordered.entries()) {
    const here = new Map<Value, Value>();
    const members = [...group.members.keys()].sort((a, b) => (facts.index.get(a) ?? 0) - (facts.index.get(b) ?? 0));
    for (const member of members) {
      const cloned = grouping.groupsOf(member).length > 1;
      const operands = member.operands.map((o) => here.get(o) ?? everywhere.get(o) ?? o);
      const results = member.results.map((r) => (cloned ? { ...r } : r));
      for (const [i, result] of results.entries()) {
        const original = member.results[i];
        if (original === undefined) continue;
        here.set(original, result);
        if (!cloned) everywhere.set(original, result);
      }
      instructions.push({ ...member, operands, results, marks: { ...member.marks, kernel } });
    }
  }
  return {
    ...entry,
    instructions,
    outputs: entry.outputs.map((o) => ({ ...o, value: everywhere.get(o.value) ?? o.value })),
    updates: entry.updates.map((u) => ({ ...u, value: everywhere.get(u.value) ?? u.value })),
  };
}
