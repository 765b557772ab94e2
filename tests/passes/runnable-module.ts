// Random modules that can be run: concrete shapes and small numbers, with shared state, or with a loss to train.
import type { Entry, EntryInput, Module, StateDeclaration } from "../../ir/module.ts";
import { codes, elementCount, f32, shapeOf, type Type, tensor, typesEqual } from "../../ir/type.ts";
import { Tape } from "../text/random-module.ts";
import { Drawing, floats, isScalar, rankOf, shapes, wholes } from "./drawing.ts";

export interface RunnableOptions {
  /** Only ops whose results are exact where their operands are: what every adapter must give to the last bit. */
  readonly exact: boolean;
  /** Most instructions. */
  readonly size: number;
}

function randomType(tape: Tape, favourites: readonly (readonly number[])[]): Type {
  const dims = tape.below(4) > 0 ? tape.pick(favourites) : tape.pick(shapes);
  const kind = tape.below(14);
  if (kind === 0) return codes(1 + tape.below(8), tape.pick(["half", "integer"] as const), dims);
  return kind < 9 ? f32(...dims) : tensor(tape.pick(["i32", "i32", "u32", "bool", "b1", "i8", "u8"] as const), dims);
}

/** One module of form `differentiated` with entries that share state. It verifies, and no instruction is dead. */
export function runnableModule(numbers: readonly number[], { exact, size }: RunnableOptions): Module {
  const tape = new Tape(numbers);
  const favourites = [tape.pick(shapes), tape.pick(shapes)];
  const states = Array.from(
    { length: tape.below(4) },
    (_, i): StateDeclaration => ({
      name: `s${i}`,
      type: i > 0 && tape.below(2) === 0 ? f32(...(favourites[0] ?? [])) : randomType(tape, favourites),
      role: "cache",
      init: "zeros",
      decay: false,
    }),
  );
  const entry = (name: string): Entry => {
    const inputs = Array.from(
      { length: 1 + tape.below(4) },
      (_, i): EntryInput => ({ value: { hint: `in${i}`, type: randomType(tape, favourites) }, origin: "caller" }),
    );
    if (tape.below(2) === 0) inputs.push({ value: { hint: "rate", type: f32() }, origin: { host: "rate" } });
    if (tape.below(3) === 0) inputs.push({ value: { hint: "other", type: f32() }, origin: { host: "other" } });
    if (tape.below(6) === 0) inputs.push({ value: { hint: "again", type: f32() }, origin: { host: "rate" } });
    const drawing = new Drawing(
      tape,
      inputs.map((i) => i.value),
      exact,
    );
    for (const state of states) if (tape.below(3) > 0) drawing.emit("state.read", [], { name: state.name, type: state.type });
    const steps = 1 + tape.below(size);
    for (let i = 0; i < steps; i++) drawing.step();
    const { values, builder } = drawing;
    // Mostly deep values, so that most of what was drawn is live.
    const deepest = drawing.deepest().slice(0, 6);
    const outputs = Array.from({ length: 1 + tape.below(3) }, (_, i) => ({
      name: `out${i}`,
      value: tape.pick(tape.below(5) === 0 ? values : deepest),
    }));
    const updates = states.flatMap((s) => {
      const fitting = values.filter((v) => typesEqual(v.type, s.type));
      return fitting.length === 0 || tape.below(3) === 0 ? [] : [{ state: s.name, value: tape.pick(fitting) }];
    });
    return { name, inputs, instructions: builder.instructions, outputs, updates };
  };
  const entries = ["main", "other"].slice(0, 1 + tape.below(2)).map(entry);
  return {
    form: "quantized",
    sources: [],
    host: { rate: { constant: { value: 0.5 } }, other: { constant: { value: 2 } } },
    states,
    ties: [],
    entries,
  };
}

/** Elements of a tensor of this type, one number each, from a seed. */
export function numbersFor(type: Type, seed: number): number[] {
  const at = (i: number, list: readonly number[]) =>
    list[Math.abs(Math.imul(seed + 1, 40503) + Math.imul(i + 1, 2654435 + 97 * seed)) % list.length] ?? 0;
  const count = elementCount(shapeOf(type));
  const each = (of: (i: number) => number) => Array.from({ length: count }, (_, i) => of(i));
  if (type.kind === "codes") return each((i) => (Math.abs(Math.imul(i + seed + 1, 7919)) % 2 ** type.bits) - 2 ** (type.bits - 1));
  if (type.scalar === "bool" || type.scalar === "b1") return each((i) => at(i, [0, 1, 1, 0, 0, 1, 1]));
  return each((i) => at(i, type.scalar === "f32" ? floats : type.scalar === "u32" || type.scalar === "u8" ? wholes.map(Math.abs) : wholes));
}

/** A module with a loss over up to four parameters, of form `quantized`: what `differentiate` takes. */
export function trainableModule(numbers: readonly number[], size: number): Module {
  const tape = new Tape(numbers);
  const favourites = [tape.pick(shapes), tape.pick(shapes)];
  const shape = () => (tape.below(3) > 0 ? tape.pick(favourites) : tape.pick(shapes));
  const states = Array.from(
    { length: 1 + tape.below(4) },
    (_, i): StateDeclaration => ({
      name: `w${i}`,
      type: f32(...shape()),
      role: "parameter",
      init: "zeros",
      decay: tape.below(2) === 0,
    }),
  );
  const inputs: readonly EntryInput[] = [
    { value: { hint: "x", type: f32(...shape()) }, origin: "caller" },
    { value: { hint: "ids", type: tensor("i32", tape.pick([[], [3], [4], [2, 3]])) }, origin: "caller" },
  ];
  const drawing = new Drawing(
    tape,
    inputs.map((i) => i.value),
    true,
  );
  for (const state of states) drawing.emit("state.read", [], { name: state.name, type: state.type });
  const reads = drawing.values.slice(inputs.length);
  const steps = 1 + tape.below(size);
  for (let i = 0; i < steps; i++) drawing.step();
  const terms = [
    ...reads.filter(() => tape.below(4) === 0),
    ...drawing
      .deepest()
      .filter((v) => isScalar(v, "f32"))
      .slice(0, 2),
  ].map((value) => {
    drawing.emit(tape.pick(["sum", "mean"]), [value], { axes: value.type.dims.map((_, axis) => axis) });
    return drawing.values.at(-1) ?? value;
  });
  const [first, ...others] = terms.filter((t) => rankOf(t) === 0);
  for (const other of others) {
    const last = drawing.values.at(-1);
    drawing.emit("add", [last !== undefined && rankOf(last) === 0 && isScalar(last, "f32") ? last : (first ?? other), other]);
  }
  const loss = drawing.values.filter((v) => rankOf(v) === 0 && isScalar(v, "f32")).at(-1);
  if (loss === undefined) throw new Error("no loss was drawn");
  const outputs = [{ name: "loss", value: loss }, ...(tape.below(3) === 0 ? [{ name: "other", value: tape.pick(drawing.values) }] : [])];
  return {
    form: "quantized",
    sources: [],
    // Off the grid of the weights, so that no step ends on a kink (0, or a clamp's bound), where rounding would decide the next gradient.
    host: { lr: { constant: { value: 0.173 } } },
    training: {
      optimizer: tape.pick([
        { kind: "adamw", beta1: 0.9, beta2: 0.95, eps: 1e-8, decay: 0.1 },
        { kind: "sgd", momentum: 0, decay: 0.1 },
        { kind: "sgd", momentum: 0.9, decay: 0 },
      ] as const),
      learningRate: "lr",
      ...(tape.below(2) === 0 ? {} : { clipNorm: 0.5 }),
    },
    states,
    ties: [],
    entries: [{ name: "train", inputs, instructions: drawing.builder.instructions, outputs, updates: [] }],
  };
}
