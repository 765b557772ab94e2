// Literals of IR text: the one form in which attributes, marks and settings are printed and read.

/** A parsed literal. Integers and floats differ (`1` and `1.0`); a word is a bare name such as `quest`, `auto`, `true`. */
export type Literal =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "word"; readonly value: string }
  | { readonly kind: "list"; readonly items: readonly Literal[] }
  | {
      readonly kind: "call";
      readonly name: string;
      readonly positional: readonly Literal[];
      readonly named: readonly (readonly [string, Literal])[];
    };

export const intLiteral = (value: number): Literal => ({ kind: "int", value });
export const floatLiteral = (value: number): Literal => ({ kind: "float", value });
export const stringLiteral = (value: string): Literal => ({ kind: "string", value });
export const word = (value: string): Literal => ({ kind: "word", value });
export const list = (items: readonly Literal[]): Literal => ({ kind: "list", items });

export function call(name: string, named: Readonly<Record<string, Literal>>, positional: readonly Literal[] = []): Literal {
  return { kind: "call", name, positional, named: Object.entries(named) };
}

/** Shortest text that reads back to the same f64 and is seen to be a float: `0.5`, `1.0`, `1e-8`, `inf`, `nan`. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text.replace("e+", "e") : `${text}.0`;
}

export function printLiteral(literal: Literal): string {
  switch (literal.kind) {
    case "int":
      return String(literal.value);
    case "float":
      return printFloat(literal.value);
    case "string":
      return JSON.stringify(literal.value);
    case "word":
      return literal.value;
    case "list":
      return `[${literal.items.map(printLiteral).join(", ")}]`;
    case "call": {
      const args = [...literal.positional.map(printLiteral), ...literal.named.map(([name, value]) => `${name} = ${printLiteral(value)}`)];
      return `${literal.name}(${args.join(", ")})`;
    }
    default:
      return literal satisfies never;
  }
}
