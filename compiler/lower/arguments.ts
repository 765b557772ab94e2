// The arguments of a builtin: bound by position or name, read with the type that the builtin asks for.
import { reject } from "../../ir/diagnostic.ts";
import type { Dim } from "../../ir/dim.ts";
import type { Value } from "../../ir/module.ts";
import type { Span } from "../../ir/source.ts";
import { type Scalar, scalars } from "../../ir/type.ts";
import { suggest } from "../sema/suggest.ts";
import { asDim, describe, type Meaning } from "./meaning.ts";

/** An argument as evaluated. */
export interface GivenArgument {
  readonly name?: string;
  readonly meaning: Meaning;
  readonly span: Span;
}

/** Reads a builtin's arguments; each reader rejects what is missing or of another kind. */
export class Arguments {
  readonly #builtin: string;
  readonly #bound: ReadonlyMap<string, Meaning>;

  /** Names that end in `?` may be left out. */
  constructor(builtin: string, parameters: readonly string[], given: readonly GivenArgument[]) {
    const names = parameters.map((p) => p.replace("?", ""));
    const signature = `\`${builtin}\` takes (${names.map((name, i) => (parameters[i] === name ? name : `[${name}]`)).join(", ")})`;
    const bound = new Map<string, Meaning>();
    let position = 0;
    for (const { name = names[position++], meaning } of given) {
      if (name === undefined) reject(`\`${builtin}\` takes ${names.length} arguments, got ${given.length}`, [signature]);
      if (!names.includes(name)) reject(`\`${builtin}\` has no argument \`${name}\``, suggest(name, names));
      if (bound.has(name)) reject(`\`${name}\` is given twice`, [signature]);
      bound.set(name, meaning);
    }
    for (const name of parameters) if (!name.endsWith("?") && !bound.has(name)) reject(`\`${builtin}\` needs \`${name}\``, [signature]);
    this.#builtin = builtin;
    this.#bound = bound;
  }

  has(name: string): boolean {
    return this.#bound.has(name);
  }

  any(name: string): Meaning {
    return this.#bound.get(name) ?? reject(`\`${this.#builtin}\` needs \`${name}\``);
  }

  tensor(name: string): Value {
    const meaning = this.any(name);
    return meaning.kind === "tensor" ? meaning.value : this.#refuse(name, "a tensor", meaning);
  }

  int(name: string): number {
    const size = asDim(this.any(name));
    return typeof size === "number" ? size : this.#refuse(name, "an int", this.any(name));
  }

  float(name: string): number {
    const meaning = this.any(name);
    if (meaning.kind === "constant" && (meaning.constant.kind === "float" || (meaning.constant.kind === "int" && meaning.constant.literal === true))) return meaning.constant.value;
    return this.#refuse(name, "a float", meaning);
  }

  flag(name: string): boolean {
    if (!this.has(name)) return false;
    const meaning = this.any(name);
    return meaning.kind === "constant" && meaning.constant.kind === "bool" ? meaning.constant.value : this.#refuse(name, "true or false", meaning);
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
      return typeof axis === "number" ? normalAxis(this.#builtin, axis, of.type.dims.length) : this.#refuse(name, "an axis or a list of them", meaning);
    });
    return [...new Set(axes)].sort((a, b) => a - b);
  }

  dims(name: string): readonly Dim[] {
    const meaning = this.any(name);
    if (meaning.kind !== "list") return this.#refuse(name, "a list of sizes", meaning);
    return meaning.items.map((item) => asDim(item) ?? this.#refuse(name, "a list of sizes", item));
  }

  scalar(name: string): Scalar {
    const meaning = this.any(name);
    const word = meaning.kind === "constant" && meaning.constant.kind === "word" ? meaning.constant.value : undefined;
    return scalars.find((s) => s === word) ?? this.#refuse(name, `one of ${scalars.join(", ")}`, meaning);
  }

  #refuse(name: string, wanted: string, got: Meaning): never {
    return reject(`\`${this.#builtin}\` takes ${wanted} as \`${name}\`, got ${describe(got)}`);
  }
}

export function normalAxis(op: string, axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  return normal >= 0 && normal < rank ? normal : reject(`\`${op}\` along axis ${axis} of a tensor of ${rank} axes`);
}
