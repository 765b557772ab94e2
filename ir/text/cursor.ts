// Walks the tokens of IR text: expectations with messages, literals, types, attribute braces. Problems stop one statement only.

import { type Diagnostic, error, Rejection } from "../diagnostic.ts";
import type { DiagnosticCode } from "../errors/table.ts";
import { floatLiteral, intLiteral, type Literal, list, stringLiteral, word } from "../literal.ts";
import { parseType } from "../parse-type.ts";
import { type Source, type Span, span } from "../source.ts";
import type { Type } from "../type.ts";
import { lex, type Token, type TokenKind } from "./lexer.ts";

/** Ends the statement at hand; whoever reads statements catches it and goes on with the next line. */
class Stop extends Error {}

export interface ParsedName {
  readonly name: string;
  readonly span: Span;
}

export interface ParsedAttribute extends ParsedName {
  readonly literal: Literal;
  readonly valueSpan: Span;
}

export interface ParsedType {
  /** Absent where the text is no type; that has been reported. */
  readonly type?: Type;
  readonly span: Span;
}

const kindNames: Readonly<Record<TokenKind, string>> = {
  word: "a name",
  value: "a value (`%x`)",
  entry: "an entry's name (`@train`)",
  int: "an integer",
  i32: "an integer constant",
  float: "a float",
  string: "a string",
  mark: "a mark",
  line: "the end of the line",
  end: "the end of the text",
};

export class Cursor {
  readonly source: Source;
  readonly diagnostics: Diagnostic[];
  readonly #tokens: readonly Token[];
  /** Offsets of what is no token. */
  readonly #junk: readonly number[];
  #at = 0;

  constructor(source: Source) {
    this.source = source;
    const { tokens, diagnostics } = lex(source);
    this.#tokens = tokens;
    this.diagnostics = [...diagnostics];
    this.#junk = diagnostics.map((d) => d.primary?.span.start ?? 0);
  }

  /** Tokens are read one ahead; `line` counts as one unless it is skipped. */
  get token(): Token {
    return this.#tokens[this.#at] ?? { kind: "end", text: "", start: this.source.text.length, end: this.source.text.length };
  }

  /** The token `ahead` places on, on this line or not. */
  peek(ahead: number): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  next(): Token {
    const { token } = this;
    if (token.kind !== "end") this.#at++;
    return token;
  }

  sees(kind: TokenKind, text?: string): boolean {
    return this.token.kind === kind && (text === undefined || this.token.text === text);
  }

  accept(kind: TokenKind, text?: string): Token | undefined {
    return this.sees(kind, text) ? this.next() : undefined;
  }

  /** The token asked for, or a diagnostic that ends the statement. `what` says what it is for. */
  expect(kind: TokenKind, text?: string, what?: string): Token {
    return (
      this.accept(kind, text) ??
      this.fail(`expected ${what ?? (text === undefined ? kindNames[kind] : `\`${text}\``)}, got ${describe(this.token)}`)
    );
  }

  /** Report at the token at hand and end the statement. */
  fail(message: string, help: readonly string[] = [], code: DiagnosticCode = "syntax"): never {
    // On a line with junk the junk is the problem, and it has been reported.
    const { text } = this.source;
    const { start } = this.token;
    const lineStart = text.lastIndexOf("\n", start - 1);
    const lineEnd = text.indexOf("\n", start);
    if (!this.#junk.some((at) => at > lineStart && (lineEnd < 0 || at < lineEnd)))
      this.report(code, message, this.spanOf(this.token), help);
    throw new Stop();
  }

  report(code: DiagnosticCode, message: string, at: Span, help: readonly string[] = [], label = ""): void {
    this.diagnostics.push(error(code, message, at, label, help));
  }

  spanOf(token: Token): Span {
    return span(this.source, token.start, token.end);
  }

  /** From a token to the last one read. */
  spanFrom(first: Token): Span {
    const last = this.#tokens[this.#at - 1];
    return span(this.source, first.start, last === undefined || last.end < first.end ? first.end : last.end);
  }

  /** Where the statement at hand ends without an error, or the rest of its line is skipped. Answers undefined in that case. */
  statement<T>(read: () => T): T | undefined {
    const before = this.#at;
    try {
      return read();
    } catch (problem) {
      if (!(problem instanceof Stop)) throw problem;
      if (this.#at === before && !this.sees("line")) this.next();
      this.skipLine();
      return undefined;
    }
  }

  /** To the end of the line, and past it. */
  skipLine(): void {
    while (!this.sees("line") && !this.sees("end")) this.next();
    this.accept("line");
  }

  skipLines(): void {
    while (this.accept("line") !== undefined);
  }

  /** Nothing more may stand on this line. */
  endLine(): void {
    if (this.sees("end")) return;
    if (this.accept("line") === undefined) this.fail(`unexpected ${describe(this.token)} at the end of a statement`);
  }

  /** Items up to `close`, with commas between them. With `lines`, line ends may stand between them. */
  items<T>(close: string, item: () => T, lines: "one line" | "lines" = "one line"): readonly T[] {
    const found: T[] = [];
    const skip = () => lines === "lines" && this.skipLines();
    skip();
    while (this.accept("mark", close) === undefined) {
      found.push(item());
      skip();
      if (this.accept("mark", ",") === undefined && !this.sees("mark", close)) {
        this.fail(`expected \`,\` or \`${close}\`, got ${describe(this.token)}`);
      }
      skip();
    }
    return found;
  }

  string(what: string): ParsedName {
    const token = this.expect("string", undefined, `${what} in quotes`);
    return { name: this.#unquote(token), span: this.spanOf(token) };
  }

  /** `%x`, without the sign in `name`. */
  value(): ParsedName {
    const token = this.expect("value");
    return { name: token.text.slice(1), span: this.spanOf(token) };
  }

  word(what: string): ParsedName {
    const token = this.expect("word", undefined, what);
    return { name: token.text, span: this.spanOf(token) };
  }

  /** A type is read from the text between its first word and its closing bracket. */
  type(): ParsedType {
    const first = this.expect("word", undefined, "a type, such as `f32[8, 4]`");
    if (this.sees("mark", "[")) {
      let depth = 0;
      do {
        if (this.sees("line") || this.sees("end")) this.fail("this type has no `]`");
        if (this.sees("mark", "[")) depth++;
        if (this.sees("mark", "]")) depth--;
        this.next();
      } while (depth > 0);
    }
    const at = this.spanFrom(first);
    try {
      return { type: parseType(this.source.text.slice(at.start, at.end)), span: at };
    } catch (problem) {
      if (!(problem instanceof Rejection)) throw problem;
      this.report("bad-type", problem.message, at, problem.help);
      return { span: at };
    }
  }

  /** `{name = literal, ...}`, or nothing. A name that stands twice is reported, and the first one counts. */
  braces(): readonly ParsedAttribute[] {
    if (this.accept("mark", "{") === undefined) return [];
    const found: ParsedAttribute[] = [];
    for (const attribute of this.items("}", () => this.#attribute())) {
      if (found.some((a) => a.name === attribute.name))
        this.report("duplicate-attribute", `\`${attribute.name}\` is given twice`, attribute.span);
      else found.push(attribute);
    }
    return found;
  }

  literal(): Literal {
    const token = this.next();
    switch (token.kind) {
      case "int":
        return intLiteral(Number(token.text));
      case "float":
        return floatLiteral(Number(token.text));
      case "string":
        return stringLiteral(this.#unquote(token));
      case "word":
        return this.accept("mark", "(") === undefined ? word(token.text) : this.#call(token.text);
      case "mark":
        if (token.text === "[") return list(this.items("]", () => this.literal()));
        if (token.text === "-") return this.#negative();
        break;
      case "value":
      case "i32":
      case "entry":
      case "line":
      case "end":
        break;
      default:
        return token.kind satisfies never;
    }
    if (token.kind !== "end") this.#at--;
    return this.fail(`expected a number, a string, a word or a list, got ${describe(token)}`);
  }

  #attribute(): ParsedAttribute {
    const { name, span: at } = this.word("an attribute's name");
    this.expect("mark", "=", `\`=\` after \`${name}\``);
    const first = this.token;
    const literal = this.literal();
    return { name, span: at, literal, valueSpan: this.spanFrom(first) };
  }

  #negative(): Literal {
    const int = this.accept("int");
    if (int !== undefined) return intLiteral(0 - Number(int.text));
    const float = this.accept("float");
    if (float !== undefined) return floatLiteral(-Number(float.text));
    if (this.accept("word", "inf") !== undefined) return floatLiteral(-Infinity);
    return this.fail(`expected a number after \`-\`, got ${describe(this.token)}`);
  }

  #call(name: string): Literal {
    const positional: Literal[] = [];
    const named: (readonly [string, Literal])[] = [];
    this.items(")", () => {
      const key = this.token;
      if (key.kind === "word" && this.peek(1)?.text === "=") {
        this.next();
        this.next();
        if (named.some(([k]) => k === key.text)) this.report("duplicate-attribute", `\`${key.text}\` is given twice`, this.spanOf(key));
        named.push([key.text, this.literal()]);
      } else {
        if (named.length > 0) this.fail("a value without a name stands before those with names");
        positional.push(this.literal());
      }
    });
    return { kind: "call", name, positional, named };
  }

  #unquote(token: Token): string {
    try {
      return JSON.parse(token.text) as string;
    } catch {
      this.report("syntax", `${token.text} has an escape that means nothing`, this.spanOf(token), ["strings are quoted as in JSON"]);
      return token.text.slice(1, -1);
    }
  }
}

export function describe(token: Token): string {
  return token.kind === "line" || token.kind === "end" ? kindNames[token.kind] : `\`${token.text}\``;
}
