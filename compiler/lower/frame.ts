// The names that a function body sees while it is lowered: its locals, then what its module declares, then the language.
import type { Dim } from "../../ir/dim.ts";
import type { Span } from "../../ir/source.ts";
import { scalars } from "../../ir/type.ts";
import { type Constant, constantFunctionNames } from "../sema/constant.ts";
import type { Instance } from "../sema/resolved.ts";
import { builtins } from "./builtins.ts";
import type { EntryContext } from "./entry-context.ts";
import { constantMeaning, dimMeaning, failed, type Meaning } from "./meaning.ts";
import type { SizeScope } from "./signature-match.ts";

/** A `let`, a `var`, an input or the name of a `for`. */
export interface Local {
  meaning: Meaning;
  readonly mutable: boolean;
  readonly at: Span;
}

/** Locals of a block; inner blocks see those of outer ones. */
export class Locals {
  readonly #names = new Map<string, Local>();
  readonly #outer: Locals | undefined;

  constructor(outer?: Locals) {
    this.#outer = outer;
  }

  find(name: string): Local | undefined {
    return this.#names.get(name) ?? this.#outer?.find(name);
  }

  /** The local that has the name already in this very block, if there is one. */
  declare(name: string, local: Local): Local | undefined {
    const known = this.#names.get(name);
    this.#names.set(name, local);
    return known;
  }

  names(): readonly string[] {
    return [...this.#names.keys(), ...(this.#outer?.names() ?? [])];
  }
}

/** One call of a function. In a recipe's `loss` there is no instance: `model` is a local. */
export interface Frame {
  readonly instance?: Instance;
  readonly sizes: SizeScope;
  readonly locals: Locals;
  /** How many calls are open: a function that calls itself is stopped. */
  readonly depth: number;
}

export function newFrame(instance: Instance | undefined, constants: ReadonlyMap<string, Constant>, depth: number): Frame {
  return {
    ...(instance === undefined ? {} : { instance }),
    sizes: { constants, dims: new Map<string, Dim>(), leading: undefined },
    locals: new Locals(),
    depth,
  };
}

/** What a name means here; an unknown one is reported by the caller. */
export function lookUp(cx: EntryContext, frame: Frame, name: string, at: Span): Meaning | undefined {
  const local = frame.locals.find(name);
  if (local !== undefined) return local.meaning;
  const { instance } = frame;
  if (instance !== undefined) {
    const member = memberOf(cx, instance, name, at);
    if (member !== undefined) return member;
  }
  const constant = frame.sizes.constants.get(name);
  if (constant !== undefined) return constantMeaning(constant);
  const dim = frame.sizes.dims.get(name);
  if (dim !== undefined) return dimMeaning(dim);
  if (builtins.has(name) || constantFunctionNames.includes(name)) return { kind: "builtin", name };
  // Names of scalar types stand for themselves: `cast(x, f32)`.
  if (name === "none" || scalars.some((scalar) => scalar === name)) return { kind: "constant", constant: { kind: "word", value: name } };
  return undefined;
}

/** A weight, a submodule or a named function of an instance. */
export function memberOf(cx: EntryContext, instance: Instance, name: string, at: Span): Meaning | undefined {
  const weight = instance.weights.get(name);
  if (weight !== undefined) return cx.read(instance, weight, at);
  const child = instance.children.get(name);
  if (child !== undefined) return child;
  const declaration = name === "" ? undefined : instance.functions.get(name);
  if (declaration !== undefined) return { kind: "function", instance, declaration };
  const condition = instance.absent.get(name);
  if (condition === undefined) return undefined;
  cx.report(
    "absent",
    `\`${name}\` does not exist here`,
    at,
    `this instance is made without it`,
    [`guard it with the condition that \`when\` names: \`if condition then ${name} else ...\``],
    [
      { span: condition.span, message: "this is false here" },
      { span: instance.declaredAt, message: "the instance is made here" },
    ],
  );
  return failed;
}

/** All names that {@link lookUp} knows, for suggestions. */
export function namesIn(frame: Frame): readonly string[] {
  const { instance } = frame;
  const members = instance === undefined ? [] : [...instance.weights.keys(), ...instance.children.keys(), ...instance.functions.keys()];
  return [...frame.locals.names(), ...members, ...frame.sizes.constants.keys(), ...frame.sizes.dims.keys(), ...builtins.keys(), ...scalars];
}
