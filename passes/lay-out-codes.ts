// Chooses for one target how contractions of codes are computed, and lays the codes out for it. Codes that meet in contractions are laid
// out alike, so the choice is made for all that hang together, by what it costs them in all.
import type { AttributesOf } from "../ir/attribute.ts";
import { type Entry, type Instruction, type Module, mapEntries, type Value } from "../ir/module.ts";
import { dot } from "../ir/ops/dot.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { quantDecode, quantEncode } from "../ir/ops/quant.ts";
import { arithmetics, type CodeArithmetic, fitsArithmetic, isInteger, quantDot, sumsFit } from "../ir/ops/quant-dot.ts";
import { rowSlice } from "../ir/ops/row-parts.ts";
import { stateRead } from "../ir/ops/source.ts";
import { opNamed } from "../ir/ops/table.ts";
import { codeFields } from "../ir/packing.ts";
import type { CodeCosts, Target } from "../ir/plan.ts";
import { replaceValues } from "../ir/rewrite.ts";
import { type CodeLayout, type CodesType, elementCount, shapeOf, type Type } from "../ir/type.ts";

/** A module with numbered kernels, its codes laid out for a target. */
export function layOutCodes(module: Module, target: Target, costsOn: (target: Target) => CodeCosts): Module {
  const costs = costsOn(target);
  const facts = new CodeFacts(module.entries, "made");
  const layouts = new Map<Value, CodeLayout>();
  const chosen = new Map<Instruction, CodeArithmetic>();
  for (const family of familiesOf(module, facts)) {
    const arithmetic = arithmeticOf(family, facts, costs);
    for (const instruction of family.dots) chosen.set(instruction, arithmetic);
    for (const value of family.codes) {
      const { layout } = facts.laidOut(value, arithmetic);
      if (layout !== codesType(value).layout && layout !== undefined) layouts.set(value, layout);
    }
  }
  return chosen.size === 0 ? module : mapEntries(module, (entry) => laidOutEntry(entry, facts, layouts, chosen));
}

/**
 * A module with numbered kernels, the codes that it has as state laid out as suits a target. State lies alike in all targets of an artifact, so
 * this comes before {@link layOutCodes}, once, for the target that counts most.
 */
export function settleStateLayouts(module: Module, target: Target, costsOn: (target: Target) => CodeCosts): Module {
  if (!module.states.some(({ type }) => type.kind === "codes")) return module;
  const costs = costsOn(target);
  const facts = new CodeFacts(module.entries, "made or state");
  const layouts = new Map<string, CodeLayout>();
  for (const family of familiesOf(module, facts)) {
    const arithmetic = arithmeticOf(family, facts, costs);
    for (const value of family.codes) {
      const name = facts.stateOf(value);
      const { layout } = facts.laidOut(value, arithmetic);
      if (name !== undefined && layout !== undefined && layout !== codesType(value).layout) layouts.set(name, layout);
    }
  }
  if (layouts.size === 0) return module;
  const laidOut = <T extends Type>(type: T, name: string): Type => {
    const layout = layouts.get(name);
    return layout === undefined || type.kind !== "codes" ? type : { ...type, layout };
  };
  const states = module.states.map((state) => ({ ...state, type: laidOut(state.type, state.name) }));
  return { ...mapEntries(module, (entry) => withStateTypes(entry, laidOut)), states };
}

function withStateTypes(entry: Entry, typeOf: (type: Type, state: string) => Type): Entry {
  const renamed = new Map<Value, Value>();
  const retyped = (instruction: Instruction): Instruction => {
    const [value] = instruction.results;
    if (value === undefined) return instruction;
    const [whole] = instruction.operands;
    // Rows lie as the whole does.
    const source = isNamed(instruction, rowSlice) && whole !== undefined ? renamed.get(whole)?.type : undefined;
    const layout = source?.kind === "codes" ? source.layout : undefined;
    const type = isNamed(instruction, stateRead)
      ? typeOf(value.type, String(instruction.attrs["name"]))
      : layout !== undefined && value.type.kind === "codes"
        ? { ...value.type, layout }
        : value.type;
    if (type === value.type) return instruction;
    const result: Value = { ...value, type };
    renamed.set(value, result);
    const attrs = isNamed(instruction, stateRead) ? { ...instruction.attrs, type } : instruction.attrs;
    return { ...instruction, attrs, results: [result] };
  };
  return replaceValues({ ...entry, instructions: entry.instructions.map(retyped) }, renamed);
}

/** Codes that contractions multiply with each other, directly or by way of others, in whatever entries. */
interface Family {
  readonly codes: Set<Value>;
  readonly dots: Instruction[];
}

function laidOutEntry(
  entry: Entry,
  facts: CodeFacts,
  layouts: ReadonlyMap<Value, CodeLayout>,
  chosen: ReadonlyMap<Instruction, CodeArithmetic>,
): Entry {
  const renamed = new Map<Value, Value>();
  const instructions = entry.instructions.map((instruction): Instruction => {
    const arithmetic = chosen.get(instruction);
    if (arithmetic !== undefined) return { ...instruction, attrs: { ...instruction.attrs, arithmetic } };
    const [codes] = instruction.results;
    // Rows lie as the whole does.
    const layout = codes?.type.kind === "codes" ? layouts.get(facts.whole(codes)) : undefined;
    if (codes === undefined || layout === undefined) return instruction;
    const result: Value = { ...codes, type: { ...codesType(codes), layout } };
    renamed.set(codes, result);
    if (isNamed(instruction, rowSlice)) return { ...instruction, results: [result] };
    return { ...instruction, op: opNamed(quantEncode.name), attrs: { ...instruction.attrs, layout }, results: [result] };
  });
  return replaceValues({ ...entry, instructions }, renamed);
}

function codesType({ type }: Value): CodesType {
  if (type.kind !== "codes") throw new Error("quant.dot of what are no codes");
  return type;
}

const isNamed = ({ op }: Instruction, { name }: { readonly name: string }): boolean => op.signature.name === name;

/**
 * The codes of one state are of one family in all entries: laid out alike they are rounded by one kernel, where a driver that contracts
 * multiplications and additions could otherwise round a tie in training to another side than in evaluation.
 */
function familiesOf({ entries }: Module, facts: CodeFacts): readonly Family[] {
  const of = new Map<Value | string, Family>();
  for (const instruction of entries.flatMap((entry) => entry.instructions)) {
    if (!isNamed(instruction, quantDot)) continue;
    const sides = facts.codesOf(instruction);
    const keys = sides.flatMap((codes) => [codes, ...facts.roundedState(codes)]);
    const known = [...new Set(keys.map((key) => of.get(key)))].filter((f) => f !== undefined);
    const family: Family = {
      codes: new Set([...sides, ...known.flatMap((f) => [...f.codes])]),
      dots: [...known.flatMap((f) => f.dots), instruction],
    };
    for (const value of family.codes) for (const key of [value, ...facts.roundedState(value)]) of.set(key, family);
  }
  return [...new Set(of.values())];
}

class CodeFacts {
  readonly #producers = new Map<Value, Instruction>();
  readonly #users = new Map<Value, Instruction[]>();
  readonly #escaping: ReadonlySet<Value>;
  readonly #replaced: ReadonlySet<string>;
  readonly #movable: "made" | "made or state";

  /** `movable`: whose layout may still be chosen. */
  constructor(entries: readonly Entry[], movable: "made" | "made or state") {
    this.#movable = movable;
    this.#replaced = new Set(entries.flatMap(({ updates }) => updates.map(({ state }) => state)));
    for (const instruction of entries.flatMap((entry) => entry.instructions)) {
      for (const result of instruction.results) this.#producers.set(result, instruction);
      for (const operand of new Set(instruction.operands)) this.#users.set(operand, [...this.usersOf(operand), instruction]);
    }
    this.#escaping = new Set(entries.flatMap(({ outputs, updates }) => [...outputs, ...updates].map(({ value }) => value)));
  }

  /** A name for the state that codes round, rotated or not, and for how; none where they round something else. */
  roundedState(codes: Value): readonly string[] {
    let from = this.#producers.get(codes);
    const { bits, grid } = codesType(codes);
    while (from !== undefined && (isNamed(from, quantEncode) || isNamed(from, hadamard) || from.op.lower.kind === "view")) {
      const [source] = from.operands;
      from = source === undefined ? undefined : this.#producers.get(source);
    }
    return from !== undefined && isNamed(from, stateRead) ? [`${from.attrs["name"]} ${bits} ${grid}`] : [];
  }

  usersOf(value: Value): readonly Instruction[] {
    return this.#users.get(value) ?? [];
  }

  /** The codes of both sides of a `quant.dot`, whole where it takes rows of them. */
  codesOf({ operands: [lhs, , rhs] }: Instruction): readonly [Value, Value] {
    if (lhs === undefined || rhs === undefined) throw new Error("quant.dot without operands");
    return [this.whole(lhs), this.whole(rhs)];
  }

  whole(codes: Value): Value {
    const producer = this.#producers.get(codes);
    const [whole] = producer?.operands ?? [];
    return producer !== undefined && isNamed(producer, rowSlice) && whole !== undefined ? this.whole(whole) : codes;
  }

  /** What reads codes, or rows of them. */
  #readersOf(codes: Value): readonly Instruction[] {
    return this.usersOf(codes).flatMap((user) => (isNamed(user, rowSlice) ? user.results.flatMap((r) => this.#readersOf(r)) : [user]));
  }

  /** The state that codes are, where no entry replaces it. */
  stateOf(codes: Value): string | undefined {
    const producer = this.#producers.get(codes);
    const name = producer !== undefined && isNamed(producer, stateRead) ? String(producer.attrs["name"]) : undefined;
    return name === undefined || this.#replaced.has(name) ? undefined : name;
  }

  /** Made here, or where state may move read, and read only by what finds codes wherever they lie. */
  mayMove(codes: Value): boolean {
    const producer = this.#producers.get(codes);
    const isMade = producer !== undefined && isNamed(producer, quantEncode) && producer.attrs["layout"] === "auto";
    const isMovable =
      isMade || (this.#movable === "made or state" && this.stateOf(codes) !== undefined && codesType(codes).layout === undefined);
    return (
      isMovable &&
      !this.#escaping.has(codes) &&
      this.#readersOf(codes).every((user) => isNamed(user, quantDot) || isNamed(user, quantDecode))
    );
  }

  /** The type of codes laid out for an arithmetic, as far as they may move. */
  laidOut(codes: Value, arithmetic: CodeArithmetic): CodesType {
    const type = codesType(codes);
    const layout = layoutFor(type, arithmetic);
    return layout === undefined || !this.mayMove(codes) ? type : { ...type, layout };
  }

  /** Products of contractions that decode the codes as they load them. */
  decodedProducts(codes: Value): number {
    const decodes = this.#readersOf(codes).filter((user) => isNamed(user, quantDecode));
    const dots = decodes.flatMap((d) => d.results.flatMap((r) => this.usersOf(r))).filter((user) => isNamed(user, dot));
    return dots.reduce((sum, user) => sum + products(user), 0);
  }
}

/** m n k of a contraction. */
function products(instruction: Instruction): number {
  const { contract } = instruction.attrs as AttributesOf<typeof quantDot.attrs>;
  const [lhs] = instruction.operands;
  const [result] = instruction.results;
  if (lhs === undefined || result === undefined) throw new Error("a contraction without operands");
  const shape = shapeOf(lhs.type);
  return elementCount(shapeOf(result.type)) * elementCount(contract[0].map((axis) => shape[axis] ?? 1));
}

/** What a module says, where it says it; else the cheapest. */
function arithmeticOf(family: Family, facts: CodeFacts, costs: CodeCosts): CodeArithmetic {
  const said = family.dots.map(({ attrs }) => attrs["arithmetic"]);
  return arithmetics.find((a) => said.every((other) => other === a)) ?? cheapest(family, facts, costs);
}

function cheapest(family: Family, facts: CodeFacts, costs: CodeCosts): CodeArithmetic {
  const all = [...family.codes];
  const areSmall = family.dots.every((instruction) => {
    const [lhs, rhs] = facts.codesOf(instruction);
    return sumsFit(codesType(lhs), codesType(rhs));
  });
  const possible = arithmetics.filter(
    (arithmetic) =>
      (areSmall || !isInteger(arithmetic)) && all.every((value) => fitsArithmetic(facts.laidOut(value, arithmetic), arithmetic)),
  );
  const costOf = (arithmetic: CodeArithmetic): number => {
    const contracted = family.dots.reduce((sum, instruction) => {
      const [lhs, rhs] = facts.codesOf(instruction);
      return sum + products(instruction) * costs.product(arithmetic, codesType(lhs).bits, codesType(rhs).bits);
    }, 0);
    return all.reduce((sum, value) => {
      const { bits, layout } = codeFields(facts.laidOut(value, arithmetic));
      return sum + facts.decodedProducts(value) * (layout === "planes" ? bits - 1 : 0) * costs.decodedPlane;
    }, contracted);
  };
  return possible.reduce((best, next) => (costOf(next) < costOf(best) ? next : best), "floats");
}

/** The layout that an arithmetic reads, undefined where the codes lie so already. Planes are slow to decode: floats read fields. */
function layoutFor(type: CodesType, arithmetic: CodeArithmetic): CodeLayout | undefined {
  if (arithmetic === "floats" ? codeFields(type).layout === "linear" : fitsArithmetic(type, arithmetic)) return undefined;
  if (arithmetic === "planes") return "planes";
  // No field holds them.
  if (type.bits > 8) return undefined;
  return type.bits <= 4 ? "nibbles" : "bytes";
}
