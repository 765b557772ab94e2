// Attribute kinds: what an op's attribute may be, how it prints, and how it is read back.
import { Rejection, reject } from "./diagnostic.ts";
import { floatLiteral, intLiteral, type Literal, list, printLiteral, stringLiteral, word } from "./literal.ts";
import { didYouMean, suggest } from "./nearest.ts";
import { printType, type Scalar, scalars, type Type } from "./type.ts";

/**
 * A kind of attribute with values of type T. `read` rejects with a message that starts after the attribute's name
 * ("must be an integer, got ...").
 */
export interface AttributeKind<T> {
  readonly describe: string;
  write(value: T): Literal;
  read(literal: Literal): T;
  /** Left out of the text when it has this value. */
  readonly fallback?: T;
  /** What the language has a way of its own to say: see {@link axis} and {@link reducedAxes}. */
  readonly means?: "axis" | "reduced axes";
}

/** Declared attributes of an op or mark, in printing order. */
export type AttributeSpec = Readonly<Record<string, AttributeKind<unknown>>>;

/** The values that a specification asks for; attributes with a fallback may be left out. */
export type AttributesOf<A extends AttributeSpec> = { readonly [K in keyof A]: A[K] extends AttributeKind<infer T> ? T : never };

type Optional<A extends AttributeSpec> = { [K in keyof A]: A[K] extends { readonly optional: true } ? K : never }[keyof A];
/** What a builder call must give: attributes with a fallback are optional. */
export type GivenAttributes<A extends AttributeSpec> = Omit<AttributesOf<A>, Optional<A>> & Partial<Pick<AttributesOf<A>, Optional<A>>>;

/** Attributes without their static types, as instructions carry them. */
export type Attributes = Readonly<Record<string, unknown>>;

function kind<T>(describe: string, write: (value: T) => Literal, read: (literal: Literal) => T | undefined): AttributeKind<T> {
  return {
    describe,
    write,
    read: (literal) => {
      const value = read(literal);
      return value === undefined ? reject(`must be ${describe}, got \`${printLiteral(literal)}\``) : value;
    },
  };
}

export const int = kind<number>("an integer", intLiteral, (l) => (l.kind === "int" ? l.value : undefined));
export const float = kind<number>("a float", floatLiteral, (l) => {
  if (l.kind === "float") return l.value;
  return l.kind === "word" && (l.value === "inf" || l.value === "nan") ? Number(l.value === "inf" ? Infinity : NaN) : undefined;
});
export const bool = kind<boolean>(
  "true or false",
  (v) => word(String(v)),
  (l) => (l.kind === "word" && (l.value === "true" || l.value === "false") ? l.value === "true" : undefined),
);
export const text = kind<string>("a string", stringLiteral, (l) => (l.kind === "string" ? l.value : undefined));

export function oneOf<const T extends string>(...names: readonly T[]): AttributeKind<T> {
  const describe = names.length === 1 ? `\`${names.join("")}\`` : `one of ${names.join(", ")}`;
  return {
    describe,
    write: word,
    read: (l) => names.find((n) => l.kind === "word" && n === l.value) ?? rejectWord(describe, l, names),
  };
}

function rejectWord(describe: string, literal: Literal, names: readonly string[]): never {
  return reject(`must be ${describe}, got \`${printLiteral(literal)}\``, literal.kind === "word" ? didYouMean(literal.value, names) : []);
}

export const scalarType: AttributeKind<Scalar> = oneOf(...scalars);

/**
 * The type of the op's one result, where no rule can infer it (`state.read`, `constant`, `reshape`). It stands in the text as the
 * result's type, so it is not printed among the attributes, and the parser fills it in from there.
 */
export const resultType: AttributeKind<Type> & { readonly fromResult: true } = {
  describe: "the result's type",
  fromResult: true,
  write: (type) => word(printType(type)),
  read: () => reject("is written as the result's type"),
};

export const isFromResult = (kindOf: AttributeKind<unknown>): boolean => "fromResult" in kindOf;

/** A word from a set that is known only at run time (a table's keys), such as a quantizer's name. */
export function nameIn(describe: string, names: () => readonly string[]): AttributeKind<string> {
  return {
    describe,
    write: word,
    read(l) {
      if (l.kind === "word" && names().includes(l.value)) return l.value;
      return reject(`must be ${describe}, got \`${printLiteral(l)}\``, l.kind === "word" ? suggest(l.value, names()) : []);
    },
  };
}

export function listOf<T>(item: AttributeKind<T>): AttributeKind<readonly T[]> {
  return {
    describe: `a list, each ${item.describe}`,
    write: (values) => list(values.map((v) => item.write(v))),
    read: (l) => (l.kind === "list" ? l.items.map((i) => readItem(item, i)) : reject(`must be a list, got \`${printLiteral(l)}\``)),
  };
}

/** Two values of one kind: `[[1], [1]]`. */
export function pairOf<T>(item: AttributeKind<T>): AttributeKind<readonly [T, T]> {
  return {
    describe: `a pair, each ${item.describe}`,
    write: ([a, b]) => list([item.write(a), item.write(b)]),
    read(l) {
      const [a, b, ...more] = l.kind === "list" ? l.items : [];
      if (a === undefined || b === undefined || more.length > 0) return reject(`must be ${this.describe}, got \`${printLiteral(l)}\``);
      return [item.read(a), item.read(b)];
    },
  };
}

function readItem<T>(item: AttributeKind<T>, literal: Literal): T {
  try {
    return item.read(literal);
  } catch (problem) {
    if (!(problem instanceof Rejection)) throw problem;
    return reject(`has an item that ${problem.message}`, problem.help);
  }
}

export const ints = listOf(int);
export const floats = listOf(float);
/** An axis of the first operand. Models may count it from the end, and leave it out: the last one. */
export const axis: AttributeKind<number> = { ...int, means: "axis" };
/** Axes of the first operand, ascending, that the result no longer has. In models all by default, and `keep` leaves them with size 1. */
export const reducedAxes: AttributeKind<readonly number[]> = { ...ints, means: "reduced axes" };

/** The first kind that reads the literal; `write` asks the predicate which one a value belongs to. */
export function either<A, B>(a: AttributeKind<A>, b: AttributeKind<B>, isA: (value: A | B) => value is A): AttributeKind<A | B> {
  return {
    describe: `${a.describe} or ${b.describe}`,
    write: (value) => (isA(value) ? a.write(value) : b.write(value)),
    read: (literal) => {
      try {
        return a.read(literal);
      } catch {
        return b.read(literal);
      }
    },
  };
}

export function withDefault<T>(inner: AttributeKind<T>, fallback: T): AttributeKind<T> & { readonly optional: true } {
  return { ...inner, fallback, optional: true };
}

/** Print declared attributes in their order, leaving out those at their fallback. */
export function printAttributes(spec: AttributeSpec, values: Attributes): readonly string[] {
  return Object.entries(spec).flatMap(([name, kindOf]) => {
    if (isFromResult(kindOf)) return [];
    const literal = printLiteral(kindOf.write(values[name]));
    if ("fallback" in kindOf && literal === printLiteral(kindOf.write(kindOf.fallback))) return [];
    return [`${name} = ${literal}`];
  });
}
