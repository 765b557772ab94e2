// Which roundings depend on state alone: those of weights, whose codes can be made once instead of in every run.
import { printAttributes } from "../ir/attribute.ts";
import { type Entry, type Instruction, type Module, type StateDeclaration, stateNamed, type Value } from "../ir/module.ts";
import { hadamard } from "../ir/ops/hadamard.ts";
import { quantCenter, quantEncode, quantFake } from "../ir/ops/quant.ts";
import { stateRead } from "../ir/ops/source.ts";
import { opNamed } from "../ir/ops/table.ts";
import { packedName } from "../ir/packed-name.ts";
import { printType } from "../ir/type.ts";

/** One way in which parameters are rounded, wherever it stands. */
export interface WeightRounding {
  /** A `quant.fake` that does it: rotated values, scale. */
  readonly fake: Instruction;
  /** What computes its operands from state, in order of definition. */
  readonly steps: readonly Instruction[];
  /** State that takes its place. */
  readonly codes: StateDeclaration;
  readonly scale: StateDeclaration;
  /** Where rows are rounded less a number each: those numbers [.., 1], and the state that takes their place. */
  readonly offset?: { readonly value: Value; readonly state: StateDeclaration };
}

/** The roundings of a module. */
export interface WeightRoundings {
  readonly all: readonly WeightRounding[];
  readonly ofFakes: ReadonlyMap<Instruction, WeightRounding>;
  /** Of all entries. */
  readonly offsets: ReadonlyMap<Value, StateDeclaration>;
}

/**
 * Of each `quant.fake` of a module that rounds a parameter with a scale that comes from parameters too, what it does; the same one for all that do
 * the same. A parameter that is rounded in two ways has two of them.
 */
export function weightRoundings(module: Module): WeightRoundings {
  const byKey = new Map<string, WeightRounding>();
  const ways = new Map<string, number>();
  const found = new Map<Instruction, WeightRounding>();
  const offsets = new Map<Value, StateDeclaration>();
  const add = (fake: Instruction, rounding: WeightRounding, offset: Value | undefined): void => {
    found.set(fake, rounding);
    if (offset !== undefined && rounding.offset !== undefined) offsets.set(offset, rounding.offset.state);
  };
  for (const entry of module.entries) {
    const facts = new StateFacts(entry, module);
    for (const fake of entry.instructions) {
      if (fake.op.signature.name !== quantFake.name) continue;
      const [x, scale] = fake.operands;
      const [of, by] = [facts.describe(x), facts.describe(scale)];
      if (x === undefined || scale === undefined || of?.weight === undefined || by === undefined) continue;
      const attributes = printAttributes(fake.op.signature.attrs, fake.attrs).join(", ");
      const key = `${of.key} ${by.key} ${attributes}`;
      const known = byKey.get(key);
      if (known !== undefined) {
        add(fake, known, of.offset);
        continue;
      }
      const way = (ways.get(of.weight) ?? 0) + 1;
      ways.set(of.weight, way);
      const [type] = opNamed(quantEncode.name).infer([x.type, scale.type], { ...fake.attrs, layout: "auto" });
      if (type === undefined) throw new Error("quant.encode without a result");
      const owner = way === 1 ? of.weight : `${of.weight}#${way}`;
      const packed = { role: "codes", init: "zeros", decay: false } as const;
      const rounding: WeightRounding = {
        fake,
        steps: facts.stepsTo([x, scale]),
        codes: {
          ...packed,
          name: packedName(owner, "codes"),
          type,
          ...(of.rotation === undefined ? {} : { rotation: of.rotation }),
        },
        scale: { ...packed, name: packedName(owner, "scale"), type: scale.type },
        ...(of.offset === undefined
          ? {}
          : { offset: { value: of.offset, state: { ...packed, name: packedName(owner, "offset"), type: of.offset.type } } }),
      };
      byKey.set(key, rounding);
      add(fake, rounding, of.offset);
    }
  }
  return { all: [...byKey.values()], ofFakes: found, offsets };
}

/** How a value follows from state. */
interface FromState {
  /** Equal for equal computations, in whatever entry. */
  readonly key: string;
  /** The parameter whose elements it has, as they are, rotated, or less a number for each row; absent for what is computed from several values. */
  readonly weight?: string;
  /** Block of the rotation along the last axis. */
  readonly rotation?: number;
  /** What its rows are less, [.., 1]. */
  readonly offset?: Value;
}

/** What of an entry follows from parameters alone. */
class StateFacts {
  readonly #entry: Entry;
  readonly #facts = new Map<Value, FromState>();

  constructor(entry: Entry, module: Module) {
    this.#entry = entry;
    for (const instruction of entry.instructions) {
      const [result, ...more] = instruction.results;
      if (result === undefined || more.length > 0) continue;
      const fact = this.#factOf(instruction, module);
      if (fact !== undefined) this.#facts.set(result, fact);
    }
  }

  describe(value: Value | undefined): FromState | undefined {
    return value === undefined ? undefined : this.#facts.get(value);
  }

  /** What computes some values, all of it. */
  stepsTo(values: readonly Value[]): readonly Instruction[] {
    const needed = new Set(values);
    const steps: Instruction[] = [];
    for (const instruction of this.#entry.instructions.toReversed()) {
      if (!instruction.results.some((result) => needed.has(result))) continue;
      for (const operand of instruction.operands) needed.add(operand);
      steps.push(instruction);
    }
    return steps.reverse();
  }

  #factOf({ op, operands, results, attrs }: Instruction, module: Module): FromState | undefined {
    const { name } = op.signature;
    const types = results.map(({ type }) => printType(type)).join(", ");
    const key = (parts: readonly string[]) =>
      `${types} = ${name}{${printAttributes(op.signature.attrs, attrs).join(", ")}}(${parts.join(", ")})`;
    if (name === stateRead.name) {
      const state = String(attrs["name"]);
      const role = stateNamed(module, state)?.role;
      // A scale that is learned follows from what was measured before the first step too.
      if (role === "calibration") return { key: key([]) };
      return role === "parameter" ? { key: key([]), weight: state } : undefined;
    }
    if (operands.length === 0) return op.lower.kind === "source" ? { key: key([]) } : undefined;
    const facts = operands.map((operand) => this.#facts.get(operand));
    const [first] = facts;
    if (first === undefined || facts.includes(undefined)) return undefined;
    const all = { key: key(facts.map((fact) => fact?.key ?? "")) };
    const [x, offset] = operands;
    if (first.weight !== undefined && first.offset === undefined && name === quantCenter.name && offset !== undefined)
      return { ...all, weight: first.weight, ...(first.rotation === undefined ? {} : { rotation: first.rotation }), offset };
    const isRotation = name === hadamard.name && attrs["axis"] === (x?.type.dims.length ?? 0) - 1;
    if (first.weight === undefined || !isRotation || first.rotation !== undefined || first.offset !== undefined) return all;
    return { ...all, weight: first.weight, rotation: Number(attrs["block"]) };
  }
}
