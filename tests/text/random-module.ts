// Random modules for property tests: any op of the table, on whatever operands and attributes it accepts.
import type { AttributeKind, Attributes } from "../../ir/attribute.ts";
import { isFromResult } from "../../ir/attribute.ts";
import { Rejection } from "../../ir/diagnostic.ts";
import type { Dim } from "../../ir/dim.ts";
import { symbol } from "../../ir/dim.ts";
import { floatLiteral, intLiteral, type Literal, list, stringLiteral, word } from "../../ir/literal.ts";
import type { Entry, Instruction, Module, StateDeclaration, Value } from "../../ir/module.ts";
import { variadicName } from "../../ir/op.ts";
import { newBuilder, ops } from "../../ir/ops/table.ts";
import { codes, f32, type Type, tensor } from "../../ir/type.ts";

/** Numbers that decide everything; where they run out, a generator goes on from their sum. */
export class Tape {
  readonly #numbers: readonly number[];
  #at = 0;
  #state: number;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
    this.#state = numbers.reduce((a, b) => a + b, 1) >>> 0;
  }

  below(bound: number): number {
    return (this.#numbers[this.#at++] ?? this.#next()) % bound;
  }

  /** Numerical Recipes' linear congruential generator, without its poor low bits. */
  #next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state >>> 8;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}

const sizes: readonly Dim[] = [4, 4, 4, 1, 8, symbol("B")];
/** Shapes that many ops take at once; the others are drawn. */
const shapes: readonly (readonly Dim[])[] = [[], [], [4], [4, 4], [4, 4], [4, 1]];

function randomType(tape: Tape): Type {
  const dims = tape.below(3) > 0 ? tape.pick(shapes) : Array.from({ length: tape.below(4) }, () => tape.pick(sizes));
  const kind = tape.below(12);
  if (kind === 0) return codes(1 + tape.below(8), tape.pick(["half", "integer"] as const), dims);
  return kind < 8 ? f32(...dims) : tensor(tape.pick(["i32", "u32", "bool", "b1", "f16"] as const), dims);
}

const numbers = [0, 1, 2, 4, 8, 3];
const scalars: readonly Literal[] = [
  ...numbers.map(intLiteral),
  ...[0, 1, -0.5, 1e-8, 0.1, 3e20, Infinity, -Infinity, Number.NaN, -0].map(floatLiteral),
  ...["quest", "row", "trust", "auto", "planes", "f32", "i32", "bool", "true", "half", "cos", "element"].map(word),
  stringLiteral("w"),
  stringLiteral('a "quoted" \\ name'),
];
const literals: readonly Literal[] = [
  ...scalars,
  list([]),
  ...scalars.map((l) => list([l])),
  list([0, 1].map(intLiteral)),
  list([1, 0].map(intLiteral)),
  list([1, 2].map(intLiteral)),
  list([0, 2, 1].map(intLiteral)),
  list([list([intLiteral(1)]), list([intLiteral(1)])]),
  list([list([intLiteral(1)]), list([intLiteral(0)])]),
  list([list([]), list([])]),
  list([list([intLiteral(0)]), list([intLiteral(0)])]),
];

const readable = new Map<AttributeKind<unknown>, readonly unknown[]>();

/** Values that a kind accepts, found by trying. */
function valuesOf(kind: AttributeKind<unknown>): readonly unknown[] {
  const known = readable.get(kind);
  if (known !== undefined) return known;
  const values = literals.flatMap((literal) => {
    try {
      return [kind.read(literal)];
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
      return [];
    }
  });
  readable.set(kind, values);
  return values;
}

const hints = ["x", "x1", "x_1", "y.z", "h", "0", "x2"];
const forms = ["surface", "quantized", "differentiated", "primitive"] as const;

/** A module that verifies, whatever the numbers are. */
export function randomModule(seed: readonly number[]): Module {
  const tape = new Tape(seed);
  const form = tape.pick(forms);
  const states = Array.from({ length: tape.below(3) }, (_, i): StateDeclaration => {
    const role = tape.pick(["parameter", "optimizer", "cache"] as const);
    return {
      name: ["w", 'a "quoted" \\ name'][i] ?? `s${i}`,
      type: randomType(tape),
      role,
      init: tape.pick(["zeros", { normal: [0, 0.02] }] as const),
      decay: role === "parameter" && tape.below(2) === 1,
    };
  });
  const sources = ["models/a.loom", "models/b.loom"].slice(0, tape.below(3));
  const host = tape.below(2) === 0 ? {} : { lr: { constant: { value: 0.5 } } };
  const usable = ops.filter(
    (op) =>
      op.signature.forms.includes(form) &&
      !(form === "primitive" && op.lower.kind === "expand") &&
      (op.signature.name !== "state.read" || states.length > 0),
  );
  const entry = (name: string): Entry => {
    const inputs = Array.from({ length: 1 + tape.below(4) }, (_, i) => ({
      value: { hint: tape.pick(hints), type: randomType(tape) },
      origin: tape.below(2) === 0 ? ("caller" as const) : { data: `d${i}` },
    }));
    if ("lr" in host) inputs.push({ value: { hint: "lr", type: f32() }, origin: { host: "lr" } as never });
    const values: Value[] = inputs.map((i) => i.value);
    const builder = newBuilder();
    const steps = tape.below(30);
    for (let attempt = 0; attempt < 40 * steps && builder.instructions.length < steps; attempt++) {
      const op = tape.pick(usable);
      const { signature } = op;
      const count = variadicName(signature.operands) === undefined ? signature.operands.length : 1 + tape.below(3);
      const operands = Array.from({ length: count }, () => tape.pick(values));
      const attrs: Record<string, unknown> = {};
      for (const [key, kind] of Object.entries(signature.attrs))
        attrs[key] = isFromResult(kind) ? resultType(signature.name, tape, states, attrs) : tape.pick(valuesOf(kind));
      try {
        builder.at =
          sources.length === 0 || tape.below(2) === 0
            ? undefined
            : {
                path: tape.pick(sources),
                line: 1 + tape.below(50),
                column: 1 + tape.below(50),
                ...(tape.below(2) === 0 ? {} : { instance: "layers.0.attn" }),
              };
        const marks = {
          ...(tape.below(4) === 0 ? { site: "layers.0.wq" } : {}),
          ...(tape.below(6) === 0 ? { remat: `layers.${tape.below(3)}` } : {}),
        };
        values.push(...builder.emitOp(op, operands, attrs as Attributes, { hint: tape.pick(hints), marks }));
      } catch (problem) {
        if (!(problem instanceof Rejection)) throw problem;
      }
    }
    const instructions: readonly Instruction[] = builder.instructions;
    const outputs = Array.from({ length: tape.below(3) }, (_, i) => ({ name: `out${i}`, value: tape.pick(values) }));
    const updates = states.flatMap((s) => {
      const value = values.find((v) => JSON.stringify(v.type) === JSON.stringify(s.type));
      return value === undefined || tape.below(2) === 0 ? [] : [{ state: s.name, value }];
    });
    return { name, inputs, instructions, outputs, updates };
  };
  const entries = ["main", "other"].slice(0, tape.below(3)).map(entry);
  return { form, sources, host, states, ties: states.length > 0 && tape.below(2) === 0 ? [{ path: "tied", state: "w" }] : [], entries };
}

function resultType(op: string, tape: Tape, states: readonly StateDeclaration[], attrs: Record<string, unknown>): Type {
  const [state] = states;
  if (op !== "state.read" || state === undefined) return randomType(tape);
  attrs["name"] = state.name;
  return state.type;
}
