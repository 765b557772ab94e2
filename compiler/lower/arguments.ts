// The arguments of a builtin: bound by position or name, read with the type that the builtin asks for.
import type { AttributeKind } from "../../ir/attribute.ts";
import { Rejection } from "../../ir/diagnostic.ts";
import type { Dim } from "../../ir/dim.ts";
import { floatLiteral, intLiteral, type Literal, list, stringLiteral, word } from "../../ir/literal.ts";
import type { Value } from "../../ir/module.ts";
import { suggest } from "../../ir/nearest.ts";
import type { Span } from "../../ir/source.ts";
import { asDim, constantMeaning, describe, type Meaning } from "./meaning.ts";

/** A builtin was called with the wrong arguments; other rejections are about shapes. */
export class WrongArgument extends Rejection {}

function refuse(message: string, help: readonly string[] = []): never {
  throw new WrongArgument(message, help);
}

/** An argument as evaluated. */
export interface GivenArgument {
  readonly name?: string;
  readonly meaning: Meaning;
  readonly span: Span;
}

/** What a builtin takes, and what it is. */
export interface BuiltinSignature {
  /** In order; those that end in `?` may be left out. */
  readonly parameters: readonly string[];
  readonly summary: string;
}

/** Reads a builtin's arguments; each reader rejects what is missing or of another kind. */
export class Arguments {
  readonly #builtin: string;
  readonly #bound: ReadonlyMap<string, Meaning>;

  constructor(builtin: string, { parameters, summary }: BuiltinSignature, given: readonly GivenArgument[]) {
    const names = parameters.map((p) => p.replace("?", ""));
    const signature = `\`${builtin}\` takes (${names.map((name, i) => (parameters[i] === name ? name : `[${name}]`)).join(", ")})`;
    const help = [signature, `\`${builtin}\`: ${summary}`];
    const bound = new Map<string, Meaning>();
    let position = 0;
    for (const { name = names[position++], meaning } of given) {
      if (name === undefined)
        refuse(`\`${builtin}\` takes ${names.length} argument${names.length === 1 ? "" : "s"}, got ${given.length}`, help);
      if (!names.includes(name)) refuse(`\`${builtin}\` has no argument \`${name}\``, suggest(name, names));
      if (bound.has(name)) refuse(`\`${name}\` is given twice`, help);
      bound.set(name, meaning);
    }
    for (const name of parameters) if (!name.endsWith("?") && !bound.has(name)) refuse(`\`${builtin}\` needs \`${name}\``, help);
    this.#builtin = builtin;
    this.#bound = bound;
  }

  has(name: string): boolean {
    return this.#bound.has(name);
  }

  any(name: string): Meaning {
    return this.#bound.get(name) ?? refuse(`\`${this.#builtin}\` needs \`${name}\``);
  }

  tensor(name: string): Value {
    const meaning = this.any(name);
    return meaning.kind === "tensor" ? meaning.value : this.#refuse(name, "a tensor", meaning);
  }

  /** A list of tensors. */
  tensors(name: string): readonly Value[] {
    const meaning = this.any(name);
    if (meaning.kind !== "list") return this.#refuse(name, "a list of tensors", meaning);
    return meaning.items.map((item) => (item.kind === "tensor" ? item.value : this.#refuse(name, "a list of tensors", item)));
  }

  /** A size, known now or later. */
  dim(name: string): Dim {
    return asDim(this.any(name)) ?? this.#refuse(name, "a size", this.any(name));
  }

  /** A number that is known when the model is compiled. */
  number(name: string): number {
    const meaning = this.any(name);
    const isNumber = meaning.kind === "constant" && (meaning.constant.kind === "float" || meaning.constant.kind === "int");
    return isNumber ? Number(meaning.constant.value) : this.#refuse(name, "a number", meaning);
  }

  int(name: string): number {
    const size = asDim(this.any(name));
    return typeof size === "number" ? size : this.#refuse(name, "an int", this.any(name));
  }

  flag(name: string): boolean {
    if (!this.has(name)) return false;
    const meaning = this.any(name);
    return meaning.kind === "constant" && meaning.constant.kind === "bool"
      ? meaning.constant.value
      : this.#refuse(name, "true or false", meaning);
  }

  /** An axis of a tensor as its non-negative number; negative ones count from the end. */
  axis(name: string, of: Value): number {
    return normalAxis(this.#builtin, this.int(name), of.type.dims.length);
  }

  /** One axis or a list of them, ascending. */
  axes(name: string, of: Value): readonly number[] {
    const meaning = this.any(name);
    const items = meaning.kind === "list" ? meaning.items : [meaning];
    const axes = items.map((item) => {
      const axis = asDim(item);
      return typeof axis === "number"
        ? normalAxis(this.#builtin, axis, of.type.dims.length)
        : this.#refuse(name, "an axis or a list of them", meaning);
    });
    return [...new Set(axes)].sort((a, b) => a - b);
  }

  dims(name: string): readonly Dim[] {
    const meaning = this.any(name);
    if (meaning.kind !== "list") return this.#refuse(name, "a list of sizes", meaning);
    return meaning.items.map((item) => asDim(item) ?? this.#refuse(name, "a list of sizes", item));
  }

  /** An attribute of an op, as its kind reads it. */
  attribute(name: string, kind: AttributeKind<unknown>): unknown {
    const meaning = this.any(name);
    for (const literal of literalsOf(meaning)) {
      try {
        return kind.read(literal);
      } catch (problem) {
        if (!(problem instanceof Rejection)) throw problem;
      }
    }
    return this.#refuse(name, kind.describe, meaning);
  }

  #refuse(name: string, wanted: string, got: Meaning): never {
    return refuse(`\`${this.#builtin}\` takes ${wanted} as \`${name}\`, got ${describe(got)}`);
  }
}

/** What IR text would say for it: nothing for tensors, two things for an integer that was written as digits, which may stand for a float. */
function literalsOf(meaning: Meaning): readonly Literal[] {
  if (meaning.kind === "list") {
    const items = meaning.items.map(literalsOf);
    return items.some((i) => i.length === 0) ? [] : [0, -1].map((at) => list(items.flatMap((i) => i.at(at) ?? [])));
  }
  if (meaning.kind !== "constant") return [];
  const { constant } = meaning;
  switch (constant.kind) {
    case "int":
      return [intLiteral(constant.value), ...(constant.literal === true ? [floatLiteral(constant.value)] : [])];
    case "float":
      return [floatLiteral(constant.value)];
    case "bool":
      return [word(String(constant.value))];
    case "word":
      return [word(constant.value)];
    case "text":
      return [stringLiteral(constant.value)];
    case "list":
      return literalsOf(constantMeaning(constant));
    default:
      return constant satisfies never;
  }
}

function normalAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal >= 0 && normal < rank) return normal;
  return refuse(
    `\`${op}\` along axis ${axis} of a tensor of ${rank} axes`,
    rank === 0 ? [] : [`its axes are 0 to ${rank - 1}, or -${rank} to -1`],
  );
}
