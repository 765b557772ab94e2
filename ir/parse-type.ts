// Reads types as `printType` writes them: `f32[8, 128]`, `f32[2*B*T + 1]`, `q4[256, 512; grid = half]`.
import { reject } from "./diagnostic.ts";
import { addDims, type Dim, multiplyDims, subtractDims, symbol } from "./dim.ts";
import { type CodeLayout, codeLayouts, codes, grids, scalars, type Type, tensor } from "./type.ts";

/** The type that is the whole of `text`. Throws a Rejection. */
export function parseType(text: string): Type {
  const { type, end } = readType(text, 0);
  if (text.slice(end).trim() !== "") reject(`unexpected \`${text.slice(end).trim()}\` after the type \`${text.slice(0, end).trim()}\``);
  return type;
}

/** The type that begins at `at` (after white space), and the offset behind it. Throws a Rejection. */
export function readType(text: string, at: number): { readonly type: Type; readonly end: number } {
  const cursor = new Cursor(text, at);
  const name = cursor.take(/[A-Za-z_][A-Za-z0-9_]*/y) ?? reject(`expected a type, got \`${cursor.rest()}\``);
  const width = /^q([1-9])$/.exec(name)?.[1];
  const scalar = scalars.find((s) => s === name);
  if (width === undefined && scalar === undefined)
    reject(`unknown type \`${name}\``, [`the scalar types are ${scalars.join(", ")}; codes are q1 to q9`]);
  cursor.expect("[");
  const dims: Dim[] = [];
  if (!cursor.sees("]") && !cursor.sees(";")) {
    do dims.push(readDim(cursor));
    while (cursor.accept(","));
  }
  if (scalar !== undefined) {
    cursor.expect("]");
    return { type: tensor(scalar, dims), end: cursor.at };
  }
  cursor.expect(";");
  cursor.expect("grid");
  cursor.expect("=");
  const gridName = cursor.take(/[a-z0-9_]+/y) ?? reject(`expected a grid, got \`${cursor.rest()}\``);
  const grid = grids.find((g) => g === gridName) ?? reject(`unknown grid \`${gridName}\``, [`the grids are ${grids.join(", ")}`]);
  const layout = cursor.accept(",") ? readLayout(cursor) : undefined;
  cursor.expect("]");
  return { type: codes(Number(width), grid, dims, layout), end: cursor.at };
}

function readLayout(cursor: Cursor): CodeLayout {
  cursor.expect("layout");
  cursor.expect("=");
  const name = cursor.take(/[a-z]+/y) ?? reject(`expected a layout, got \`${cursor.rest()}\``);
  return codeLayouts.find((l) => l === name) ?? reject(`unknown layout \`${name}\``, [`the layouts are ${codeLayouts.join(", ")}`]);
}

function readDim(cursor: Cursor): Dim {
  let dim = cursor.accept("-") ? multiplyDims(readProduct(cursor), -1) : readProduct(cursor);
  for (;;) {
    if (cursor.accept("+")) dim = addDims(dim, readProduct(cursor));
    else if (cursor.accept("-")) dim = subtractDims(dim, readProduct(cursor));
    else return dim;
  }
}

function readProduct(cursor: Cursor): Dim {
  let dim = readFactor(cursor);
  while (cursor.accept("*")) dim = multiplyDims(dim, readFactor(cursor));
  return dim;
}

function readFactor(cursor: Cursor): Dim {
  const digits = cursor.take(/[0-9]+/y);
  if (digits !== undefined) return Number(digits);
  return symbol(cursor.take(/[A-Za-z_][A-Za-z0-9_]*/y) ?? reject(`expected a dimension, got \`${cursor.rest()}\``));
}

class Cursor {
  readonly #text: string;
  at: number;

  constructor(text: string, at: number) {
    this.#text = text;
    this.at = at;
    this.#skip();
  }

  /** A sticky pattern at this place, or undefined. White space after it is skipped. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#step(found.length);
    return found;
  }

  sees(token: string): boolean {
    return this.#text.startsWith(token, this.at);
  }

  accept(token: string): boolean {
    if (!this.sees(token)) return false;
    this.#step(token.length);
    return true;
  }

  expect(token: string): void {
    if (!this.accept(token)) reject(`expected \`${token}\` in a type, got ${this.rest() === "" ? "its end" : `\`${this.rest()}\``}`);
  }

  /** What is left, shortened for messages. */
  rest(): string {
    const rest = this.#text.slice(this.at).trimEnd();
    return rest.length > 20 ? `${rest.slice(0, 20)}...` : rest;
  }

  #step(length: number): void {
    this.at += length;
    this.#skip();
  }

  #skip(): void {
    while (/\s/.test(this.#text[this.at] ?? "")) this.at++;
  }
}
