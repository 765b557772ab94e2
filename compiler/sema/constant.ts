// Values known when a model is compiled: what module parameters, `const` and settings hold, and how they combine.
import { reject } from "../../ir/diagnostic.ts";
import { printFloat } from "../../ir/literal.ts";
import type { BinaryOperator } from "../syntax/ast-expression.ts";

/** `literal` marks an integer that was written as digits: it alone may stand for a float. */
export type Constant =
  | { readonly kind: "int"; readonly value: number; readonly literal?: boolean }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "word"; readonly value: string }
  | { readonly kind: "list"; readonly items: readonly Constant[] };

/** Types that a parameter of a module or a policy can have. */
export const parameterTypes = ["int", "float", "bool", "text", "bits"] as const;
export type ParameterType = (typeof parameterTypes)[number];

export const intConstant = (value: number): Constant => ({ kind: "int", value });

export function printConstant(constant: Constant): string {
  switch (constant.kind) {
    case "int":
    case "bool":
    case "word":
      return String(constant.value);
    case "float":
      return printFloat(constant.value);
    case "text":
      return JSON.stringify(constant.value);
    case "list":
      return `[${constant.items.map(printConstant).join(", ")}]`;
    default:
      return constant satisfies never;
  }
}

/** `the int 4`, for messages. */
export function describeConstant(constant: Constant): string {
  return `the ${constant.kind} \`${printConstant(constant)}\``;
}

/** The constant as a parameter of that type, or undefined where it does not fit. */
export function asParameter(constant: Constant, type: ParameterType): Constant | undefined {
  switch (type) {
    case "int":
      return constant.kind === "int" ? intConstant(constant.value) : undefined;
    case "float":
      return asFloat(constant);
    case "bool":
    case "text":
      return constant.kind === type ? constant : undefined;
    case "bits":
      if (constant.kind === "word") return constant.value === "none" ? constant : undefined;
      return constant.kind === "int" && constant.value >= 1 && constant.value <= 8 ? intConstant(constant.value) : undefined;
    default:
      return type satisfies never;
  }
}

function asFloat(constant: Constant): Constant | undefined {
  if (constant.kind === "int" && constant.literal === true) return { kind: "float", value: constant.value };
  return constant.kind === "float" ? constant : undefined;
}

/** Rejects what does not combine. */
export function combine(operator: BinaryOperator, a: Constant, b: Constant): Constant {
  if (operator === "==" || operator === "!=") return { kind: "bool", value: equal(a, b) === (operator === "==") };
  if (a.kind === "int" && b.kind === "int") return combineInts(operator, a.value, b.value, a.literal === true && b.literal === true);
  const left = asFloat(a);
  const right = asFloat(b);
  if (left?.kind === "float" && right?.kind === "float") return combineFloats(operator, left.value, right.value);
  const mixed = (a.kind === "int" && b.kind === "float") || (a.kind === "float" && b.kind === "int");
  return reject(
    `\`${operator}\` does not take ${describeConstant(a)} and ${describeConstant(b)}`,
    mixed ? ["an int becomes a float by `float(...)`"] : [],
  );
}

function equal(a: Constant, b: Constant): boolean {
  if (a.kind === "list" && b.kind === "list")
    return a.items.length === b.items.length && a.items.every((item, i) => item !== undefined && equal(item, b.items[i] ?? item));
  if (a.kind === "list" || b.kind === "list") return reject(`\`==\` does not take ${describeConstant(a)} and ${describeConstant(b)}`);
  // A word such as `none` may stand where a number could: then they differ.
  const comparable = a.kind === b.kind || a.kind === "word" || b.kind === "word" || (asFloat(a) !== undefined && asFloat(b) !== undefined);
  if (!comparable) return reject(`\`==\` does not take ${describeConstant(a)} and ${describeConstant(b)}`);
  return a.value === b.value;
}

function combineInts(operator: BinaryOperator, a: number, b: number, literal: boolean): Constant {
  const int = (value: number): Constant => {
    if (!Number.isSafeInteger(value)) return reject(`\`${a} ${operator} ${b}\` is too large for an int`);
    return { kind: "int", value, ...(literal ? { literal } : {}) };
  };
  switch (operator) {
    case "/":
      if (b === 0) return reject("division by zero");
      if (a % b !== 0) return reject(`\`${a} / ${b}\` is not an integer`, ["`/` on ints must be exact"]);
      return int(a / b);
    case "%":
      return b === 0 ? reject("division by zero") : int(((a % b) + b) % b);
    case "+":
      return int(a + b);
    case "-":
      return int(a - b);
    case "*":
      return int(a * b);
    default:
      return { kind: "bool", value: compare(operator, a, b) };
  }
}

function combineFloats(operator: BinaryOperator, a: number, b: number): Constant {
  switch (operator) {
    case "+":
      return { kind: "float", value: a + b };
    case "-":
      return { kind: "float", value: a - b };
    case "*":
      return { kind: "float", value: a * b };
    case "/":
      return b === 0 ? reject("division by zero") : { kind: "float", value: a / b };
    case "%":
      return reject("`%` takes ints");
    default:
      return { kind: "bool", value: compare(operator, a, b) };
  }
}

function compare(operator: "==" | "!=" | "<" | "<=" | ">" | ">=", a: number, b: number): boolean {
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      return operator satisfies never;
  }
}

export function negate(a: Constant): Constant {
  if (a.kind === "int" || a.kind === "float") return { ...a, value: -a.value };
  return reject(`\`-\` does not take ${describeConstant(a)}`);
}

const floatOf = (name: string, a: Constant | undefined): number => {
  const value = a === undefined ? undefined : asFloat(a);
  if (value?.kind === "float") return value.value;
  return reject(
    `\`${name}\` takes a float${a === undefined ? "" : `, got ${describeConstant(a)}`}`,
    a?.kind === "int" ? ["an int becomes a float by `float(...)`"] : [],
  );
};

/** Functions of constants, by name. */
const functions: Readonly<Record<string, { readonly count: number; call(args: readonly Constant[]): Constant }>> = {
  float: {
    count: 1,
    call: ([a]) => (a?.kind === "int" || a?.kind === "float" ? { kind: "float", value: a.value } : reject("`float` takes an int")),
  },
  sqrt: { count: 1, call: ([a]) => ({ kind: "float", value: Math.sqrt(floatOf("sqrt", a)) }) },
  exp: { count: 1, call: ([a]) => ({ kind: "float", value: Math.exp(floatOf("exp", a)) }) },
  log: { count: 1, call: ([a]) => ({ kind: "float", value: Math.log(floatOf("log", a)) }) },
  quotient: { count: 2, call: ([a, b]) => quotient(a, b) },
  min: { count: 2, call: (args) => extreme("min", args) },
  max: { count: 2, call: (args) => extreme("max", args) },
};

/** The whole number of times that b goes into a, cut towards minus infinity as `%` has it: a = b quotient(a, b) + a % b. */
function quotient(a: Constant | undefined, b: Constant | undefined): Constant {
  if (a?.kind !== "int" || b?.kind !== "int") return reject("`quotient` takes two ints");
  return b.value === 0 ? reject("division by zero") : { kind: "int", value: Math.floor(a.value / b.value) };
}

function extreme(name: "min" | "max", [a, b]: readonly Constant[]): Constant {
  if (a === undefined || b === undefined) return reject(`\`${name}\` takes two numbers`);
  const less = combine("<", a, b);
  return (less.kind === "bool" && less.value) === (name === "min") ? a : b;
}

export const constantFunctionNames: readonly string[] = Object.keys(functions);

/** Call a function of constants. Rejects wrong arguments; undefined where there is no such function. */
export function callConstantFunction(name: string, args: readonly Constant[]): Constant | undefined {
  const found = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (found === undefined) return undefined;
  if (args.length !== found.count)
    return reject(`\`${name}\` takes ${found.count} argument${found.count === 1 ? "" : "s"}, got ${args.length}`);
  return found.call(args);
}
