// IR text as it is written: statements with spans, before names are resolved (resolve.ts does that).
import type { Diagnostic } from "../diagnostic.ts";
import type { Source, Span } from "../source.ts";
import { Cursor, describe, type ParsedAttribute, type ParsedName, type ParsedType } from "./cursor.ts";

export interface ModuleSyntax {
  /** Where the version stands, or should. */
  readonly version: Span;
  readonly form?: ParsedName;
  readonly precision?: ParsedName;
  readonly headChunk?: number | "none";
  readonly sources: readonly ParsedName[];
  readonly hosts: readonly HostSyntax[];
  readonly training?: { readonly attributes: readonly ParsedAttribute[]; readonly span: Span };
  readonly states: readonly StateSyntax[];
  readonly ties: readonly { readonly path: ParsedName; readonly state: ParsedName }[];
  readonly entries: readonly EntrySyntax[];
}

/** The rule is an attribute of the host scalar's name, so that it reads like one. */
export interface HostSyntax {
  readonly name: ParsedName;
  readonly rule: ParsedAttribute;
}

export interface StateSyntax {
  readonly name: ParsedName;
  readonly type: ParsedType;
  readonly attributes: readonly ParsedAttribute[];
  readonly span: Span;
}

export interface EntrySyntax {
  readonly name: ParsedName;
  readonly inputs: readonly { readonly value: ParsedName; readonly type: ParsedType; readonly attributes: readonly ParsedAttribute[] }[];
  readonly outputs: readonly { readonly name: ParsedName; readonly type: ParsedType }[];
  readonly instructions: readonly InstructionSyntax[];
  /** `values` is absent where the line could not be read. */
  readonly returned: { readonly values?: readonly ParsedName[]; readonly span: Span } | undefined;
  readonly updates: readonly { readonly state: ParsedName; readonly value: ParsedName; readonly span: Span }[];
}

export interface InstructionSyntax {
  readonly results: readonly { readonly value: ParsedName; readonly type: ParsedType }[];
  /** Absent where the right side could not be read. The results are known all the same, so that their uses are no further errors. */
  readonly right?: {
    readonly op: ParsedName;
    readonly operands: readonly ParsedName[];
    readonly attributes: readonly ParsedAttribute[];
    readonly location?: LocationSyntax;
  };
  readonly span: Span;
}

/** `loc s0:21:15 of "layers.3.attn"`. */
export interface LocationSyntax {
  readonly source: ParsedName;
  readonly line: number;
  readonly column: number;
  readonly instance?: string;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] };

const statements = ["form", "source", "host", "precision", "head_chunk", "training", "state", "tie", "entry"] as const;

/** Read all statements. Problems cost a statement each. */
export function parseSyntax(source: Source): { readonly syntax: ModuleSyntax; readonly diagnostics: readonly Diagnostic[] } {
  const cursor = new Cursor(source);
  cursor.skipLines();
  const module: Mutable<ModuleSyntax> = { version: cursor.spanOf(cursor.token), sources: [], hosts: [], states: [], ties: [], entries: [] };
  if (!cursor.sees("word", "loomir")) cursor.report("syntax", "IR text begins with the line `loomir 1`", module.version);
  else
    cursor.statement(() => {
      cursor.next();
      if (cursor.token.text !== "1")
        cursor.fail(`this version of IR text is not known: ${describe(cursor.token)}`, ["the version is `loomir 1`"]);
      cursor.next();
      cursor.endLine();
    });
  for (cursor.skipLines(); !cursor.sees("end"); cursor.skipLines()) cursor.statement(() => readStatement(cursor, module));
  return { syntax: module, diagnostics: cursor.diagnostics };
}

function readStatement(cursor: Cursor, module: Mutable<ModuleSyntax>): void {
  const first = cursor.token;
  const keyword = statements.find((s) => first.kind === "word" && s === first.text);
  if (keyword === undefined) {
    return cursor.fail(`expected a statement, got ${describe(first)}`, [`statements begin with ${statements.join(", ")}`]);
  }
  cursor.next();
  switch (keyword) {
    case "form":
      module.form = cursor.word("the name of a form");
      break;
    case "source": {
      const index = cursor.accept("word");
      const expected = `s${module.sources.length}`;
      if (index !== undefined && index.text !== expected) {
        cursor.report("syntax", `this is source \`${expected}\`, not \`${index.text}\``, cursor.spanOf(index), [
          "sources are numbered in their order",
        ]);
      }
      module.sources.push(cursor.string("a path"));
      break;
    }
    case "host": {
      const name = cursor.string("the host scalar's name");
      cursor.expect("mark", "=");
      const value = cursor.token;
      const literal = cursor.literal();
      module.hosts.push({ name, rule: { ...name, literal, valueSpan: cursor.spanFrom(value) } });
      break;
    }
    case "precision":
      module.precision = cursor.word("`f16`");
      if (module.precision.name !== "f16")
        cursor.report(
          "syntax",
          `activations are stored as f16 or, without this line, as f32; got \`${module.precision.name}\``,
          module.precision.span,
        );
      break;
    case "head_chunk": {
      const value = cursor.token;
      const literal = cursor.literal();
      const isNone = literal.kind === "word" && literal.value === "none";
      if (isNone || (literal.kind === "int" && literal.value > 0)) module.headChunk = isNone ? "none" : Number(literal.value);
      else cursor.report("syntax", "a chunk of the head has a number of rows above 0, or `none`", cursor.spanFrom(value));
      break;
    }
    case "training":
      if (!cursor.sees("mark", "{")) cursor.expect("mark", "{");
      module.training = { attributes: cursor.braces(), span: cursor.spanFrom(first) };
      break;
    case "state": {
      const name = cursor.string("the state's name");
      cursor.expect("mark", ":");
      const type = cursor.type();
      const attributes = cursor.braces();
      module.states.push({ name, type, attributes, span: cursor.spanFrom(first) });
      break;
    }
    case "tie": {
      const path = cursor.string("a path");
      cursor.expect("mark", "=");
      module.ties.push({ path, state: cursor.string("the state's name") });
      break;
    }
    case "entry": {
      const entry = readHeader(cursor);
      if (entry === undefined) return skipBody(cursor);
      module.entries.push(entry);
      return readBody(cursor, entry);
    }
    default:
      keyword satisfies never;
  }
  cursor.endLine();
}

/** `@train(%x: f32[8]) -> (loss: f32[]) {`, or undefined where that could not be read. */
function readHeader(cursor: Cursor): Mutable<EntrySyntax> | undefined {
  return cursor.statement(() => {
    const name = cursor.expect("entry");
    cursor.expect("mark", "(", "the inputs in `(` and `)`");
    const inputs = cursor.items(
      ")",
      () => {
        const value = cursor.value();
        cursor.expect("mark", ":");
        return { value, type: cursor.type(), attributes: cursor.braces() };
      },
      "lines",
    );
    cursor.skipLines();
    cursor.expect("mark", "->", "`->` and the outputs");
    cursor.expect("mark", "(", "the outputs in `(` and `)`");
    const outputs = cursor.items(
      ")",
      () => {
        const output = cursor.word("an output's name");
        cursor.expect("mark", ":");
        return { name: output, type: cursor.type() };
      },
      "lines",
    );
    cursor.expect("mark", "{");
    cursor.endLine();
    const at = { name: name.text.slice(1), span: cursor.spanOf(name) };
    return { name: at, inputs: [...inputs], outputs: [...outputs], instructions: [], returned: undefined, updates: [] };
  });
}

/** A body whose header could not be read says nothing more. */
function skipBody(cursor: Cursor): void {
  while (!cursor.sees("end") && !cursor.sees("word", "entry") && !cursor.sees("mark", "}")) cursor.skipLine();
  if (cursor.sees("mark", "}")) cursor.skipLine();
}

function readBody(cursor: Cursor, entry: Mutable<EntrySyntax>): void {
  for (cursor.skipLines(); !cursor.sees("mark", "}"); cursor.skipLines()) {
    // A lost `}`: what follows is the module's again.
    if (cursor.sees("end") || cursor.sees("word", "entry")) {
      cursor.report("syntax", `entry \`@${entry.name.name}\` has no \`}\``, entry.name.span);
      return;
    }
    cursor.statement(() => readLine(cursor, entry));
  }
  if (entry.returned === undefined) cursor.report("syntax", `entry \`@${entry.name.name}\` has no \`return\``, cursor.spanOf(cursor.token));
  cursor.next();
  cursor.endLine();
}

function readLine(cursor: Cursor, entry: Mutable<EntrySyntax>): void {
  const first = cursor.token;
  if (entry.returned !== undefined && !cursor.sees("word", "update"))
    cursor.fail(`only \`update\` may follow \`return\`, got ${describe(first)}`);
  if (cursor.accept("word", "return") !== undefined) {
    entry.returned = { span: cursor.spanFrom(first) };
    const values: ParsedName[] = [];
    if (cursor.sees("value")) {
      do values.push(cursor.value());
      while (cursor.accept("mark", ",") !== undefined);
    }
    const span = cursor.spanFrom(first);
    cursor.endLine();
    entry.returned = { values, span };
    return;
  }
  if (cursor.accept("word", "update") !== undefined) {
    if (entry.returned === undefined) cursor.fail("`update` stands after `return`");
    do {
      const start = cursor.token;
      const state = cursor.string("the state's name");
      cursor.expect("mark", "=");
      const value = cursor.value();
      entry.updates.push({ state, value, span: cursor.spanFrom(start) });
    } while (cursor.accept("mark", ",") !== undefined);
    return cursor.endLine();
  }
  if (!cursor.sees("value")) cursor.fail(`expected an instruction, \`return\`, \`update\` or \`}\`, got ${describe(first)}`);
  const results: { value: ParsedName; type: ParsedType }[] = [];
  let right: InstructionSyntax["right"];
  try {
    do {
      const value = cursor.value();
      const result = { value, type: { span: value.span } as ParsedType };
      results.push(result);
      cursor.expect("mark", ":", `\`:\` and the type of \`%${value.name}\``);
      result.type = cursor.type();
    } while (cursor.accept("mark", ",") !== undefined);
    cursor.expect("mark", "=");
    right = readRight(cursor);
    if (!cursor.sees("line") && !cursor.sees("end")) cursor.fail(`unexpected ${describe(cursor.token)} after an instruction`);
  } finally {
    entry.instructions.push({ results, ...(right === undefined ? {} : { right }), span: cursor.spanFrom(first) });
  }
  cursor.endLine();
}

function readRight(cursor: Cursor): InstructionSyntax["right"] {
  const op = cursor.word("an op");
  const operands: ParsedName[] = [];
  if (cursor.sees("value")) {
    do operands.push(cursor.value());
    while (cursor.accept("mark", ",") !== undefined);
  }
  const attributes = cursor.braces();
  if (cursor.accept("word", "loc") === undefined) return { op, operands, attributes };
  const source = cursor.word("a source, such as `s0`");
  cursor.expect("mark", ":");
  const line = Number(cursor.expect("int", undefined, "a line").text);
  cursor.expect("mark", ":");
  const column = Number(cursor.expect("int", undefined, "a column").text);
  return { op, operands, attributes, location: { source, line, column, ...readInstance(cursor) } };
}

/** `of "layers.3.attn"` behind a location: the instance that it belongs to. */
export function readInstance(cursor: Cursor): { readonly instance?: string } {
  return cursor.accept("word", "of") === undefined ? {} : { instance: cursor.string("the path of an instance").name };
}
