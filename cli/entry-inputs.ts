// The inputs of an entry that the command line runs: what was given by name, checked against what the entry takes.
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { type Dim, dimsEqual, namesOfDim, symbol } from "../ir/dim.ts";
import { type Entry, type EntryInput, valueNames } from "../ir/module.ts";
import { printType, shapeOf, type Type } from "../ir/type.ts";
import { type GivenTensor, type Numbers, numbersOf } from "./tensor-values.ts";

/** A tensor of an entry's input or output. */
export interface NamedTensor {
  readonly name: string;
  readonly type: Type;
  readonly numbers: Numbers;
}

/** A scalar that the host computes each step, where nobody gives it. */
export const isHost = ({ origin }: EntryInput): boolean => origin !== "caller" && "host" in origin;

/** Names of an entry's inputs as callers know them. */
export function inputNames(entry: Entry): readonly (readonly [string, EntryInput])[] {
  const names = valueNames(entry);
  return entry.inputs.map((input) => {
    const { origin, value } = input;
    return [origin !== "caller" && "host" in origin ? origin.host : (names.get(value) ?? value.hint), input];
  });
}

/** What the shapes of the inputs say about sizes that are names. */
export function sizesFrom(entry: Entry, given: ReadonlyMap<string, GivenTensor>): ReadonlyMap<string, Dim> {
  const sizes = new Map<string, Dim>();
  for (const [name, { value }] of inputNames(entry)) {
    const { shape = [] } = given.get(name) ?? {};
    for (const [axis, dim] of value.type.dims.entries()) {
      const [size, lone] = [shape[axis], namesOfDim(dim)[0]];
      if (size !== undefined && lone !== undefined && dimsEqual(dim, symbol(lone)) && !sizes.has(lone)) sizes.set(lone, size);
    }
  }
  return sizes;
}

/** Every tensor that the entry takes; host scalars that are not given follow their rule. */
export function inputsOf(entry: Entry, given: ReadonlyMap<string, GivenTensor>): readonly NamedTensor[] {
  const refuse = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-input", `@${entry.name}: ${message}`, undefined, "", help)]);
  };
  const wanted = inputNames(entry);
  const list = wanted.map(([name, { value }]) => `\`${name}: ${printType(value.type)}\``).join(", ") || "none";
  for (const name of given.keys())
    if (!wanted.some(([known]) => known === name)) refuse(`no input \`${name}\``, [`its inputs are ${list}`]);
  return wanted.flatMap(([name, input]): readonly NamedTensor[] => {
    const { type } = input.value;
    const tensor = given.get(name);
    if (tensor === undefined) return isHost(input) ? [] : refuse(`the input \`${name}\` is missing`, [`its inputs are ${list}`]);
    const unbound = type.dims.flatMap(namesOfDim)[0];
    if (unbound !== undefined)
      return refuse(`the size \`${unbound}\` of ${printType(type)} is not known`, [`bind it: \`--set ${unbound}=1\``]);
    const shape = shapeOf(type);
    if (tensor.shape.join() !== shape.join())
      refuse(`\`${name}\` is ${printType(type)}, ${tensor.at} has the shape [${tensor.shape.join(", ")}]`);
    return [{ name, type, numbers: numbersOf(tensor, type) }];
  });
}
