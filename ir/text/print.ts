// Prints modules as canonical IR text: `print(parse(text)) === text` for every text that this printer wrote.
import { printAttributes } from "../attribute.ts";
import { printLiteral } from "../literal.ts";
import { printMarks } from "../marks.ts";
import { type Entry, type Instruction, type Module, type StateDeclaration, type Value, valueNames } from "../module.ts";
import type { Location, Source } from "../source.ts";
import { printType, type Type } from "../type.ts";
import { hostRule, printOrigin, printStateAttributes, printTraining } from "./declarations.ts";
import { type ModuleSpans, SpanTable } from "./spans.ts";

/** Constants with more elements than this may stand outside the text. */
export const longestInlineConstant = 64;

/** Where the elements of a long constant went: `constant {sha256 = "...", data = "constants.safetensors"}`. */
export interface ConstantReference {
  readonly sha256: string;
  readonly data: string;
}

export interface PrintOptions {
  /** End each instruction that knows its place with ` loc s0:21:15`. */
  readonly locations?: boolean;
  /** Takes the elements of a long constant and says where they are kept; without it all elements stand in the text. */
  readonly constants?: (values: readonly number[], type: Type) => ConstantReference;
  /** Names of an entry's values; {@link valueNames} by default. */
  readonly names?: (entry: Entry) => ReadonlyMap<Value, string>;
  /** Leave out all other instructions; what is left is for reading, it does not parse. */
  readonly only?: (instruction: Instruction, entry: Entry) => boolean;
}

export function printModule(module: Module, options: PrintOptions = {}): string {
  return printWithSpans(module, "", options).source.text;
}

/** One entry as it stands in its module's text, without locations. */
export function printEntry(entry: Entry): string {
  const writer = new Writer();
  writeEntry(writer, entry, [], {});
  return writer.text;
}

/** One instruction without indentation; names come from {@link valueNames} of its entry. */
export function printInstruction(instruction: Instruction, names: ReadonlyMap<Value, string>): string {
  const writer = new Writer();
  writeInstruction(writer, instruction, names, [], {});
  return writer.text;
}

/** The text as a source of the given path, and where each part of the module stands in it. */
export function printWithSpans(
  module: Module,
  path: string,
  options: PrintOptions = {},
): { readonly source: Source; readonly spans: ModuleSpans } {
  const writer = new Writer();
  writeHeader(writer, module);
  const marksOf = new Map<Entry, readonly Mark[]>();
  const ofModule = writer.takeMarks();
  for (const entry of module.entries) {
    writer.add("\n");
    writeEntry(writer, entry, module.sources, options);
    marksOf.set(entry, writer.takeMarks());
  }
  const source: Source = { path, text: writer.text };
  const table = (marks: readonly Mark[]) => {
    const spans = new SpanTable(source);
    for (const { subject, part, start, end } of marks) spans.set(subject, part, start, end);
    return spans;
  };
  const entries = new Map([...marksOf].map(([entry, marks]) => [entry, table(marks)]));
  return { source, spans: { module: table(ofModule), entries } };
}

interface Mark {
  readonly subject: object;
  readonly part: string;
  readonly start: number;
  readonly end: number;
}

/** Text that remembers where things stand in it. */
class Writer {
  text = "";
  #marks: Mark[] = [];

  add(text: string): void {
    this.text += text;
  }

  /** Write by `write` and remember it as a part of a subject. */
  mark(subject: object, part: string, write: string | (() => void)): void {
    const start = this.text.length;
    if (typeof write === "string") this.add(write);
    else write();
    this.#marks.push({ subject, part, start, end: this.text.length });
  }

  /** Each item by `write`, with commas between them. */
  list<T>(items: readonly T[], write: (item: T, index: number) => void): void {
    for (const [i, item] of items.entries()) {
      if (i > 0) this.add(", ");
      write(item, i);
    }
  }

  takeMarks(): readonly Mark[] {
    const marks = this.#marks;
    this.#marks = [];
    return marks;
  }
}

const quote = (text: string): string => JSON.stringify(text);
const braces = (attributes: readonly string[]): string => (attributes.length === 0 ? "" : ` {${attributes.join(", ")}}`);

function writeHeader(w: Writer, module: Module): void {
  w.add("loomir 1\n");
  w.mark(module, "form", `form ${module.form}`);
  w.add("\n");
  for (const [i, path] of module.sources.entries()) w.add(`source s${i} ${quote(path)}\n`);
  for (const [name, rule] of Object.entries(module.host)) {
    w.add(`host ${quote(name)} = ${printLiteral(hostRule.write(rule))}\n`);
  }
  if (module.precision !== undefined) w.add(`precision ${module.precision}\n`);
  if (module.headChunk !== undefined) w.add(`head_chunk ${module.headChunk}\n`);
  if (module.training !== undefined) {
    w.mark(module.training, "", `training${braces(printTraining(module.training))}`);
    w.add("\n");
  }
  for (const state of module.states) writeState(w, state);
  for (const tie of module.ties) {
    w.mark(tie, "", () => {
      w.add("tie ");
      w.mark(tie, "name", quote(tie.path));
      w.add(" = ");
      w.mark(tie, "value", quote(tie.state));
    });
    w.add("\n");
  }
}

function writeState(w: Writer, state: StateDeclaration): void {
  w.mark(state, "", () => {
    w.add("state ");
    w.mark(state, "name", quote(state.name));
    w.add(": ");
    w.mark(state, "type", printType(state.type));
    w.add(braces(printStateAttributes(state)));
  });
  w.add("\n");
}

/** A header longer than this breaks before its outputs. */
const widestHeader = 120;

function writeEntry(w: Writer, entry: Entry, sources: readonly string[], options: PrintOptions): void {
  const names = options.names?.(entry) ?? valueNames(entry);
  const nameOf = (value: Value) => `%${names.get(value) ?? `${value.hint}_undefined`}`;
  const lineStart = w.text.length;
  w.add("entry ");
  w.mark(entry, "", `@${entry.name}`);
  w.add("(");
  w.list(entry.inputs, (input) =>
    w.mark(input, "", () => {
      w.mark(input, "value", nameOf(input.value));
      w.add(": ");
      w.mark(input, "type", printType(input.value.type));
      w.add(braces(printOrigin(input.origin)));
    }),
  );
  w.add(")");
  const outputs = entry.outputs.map(({ name, value }) => [`${name}: `, printType(value.type)] as const);
  const width = w.text.length - lineStart + outputs.reduce((n, [name, type]) => n + name.length + type.length + 2, 0) + " -> () {".length;
  w.add(width > widestHeader ? "\n    -> (" : " -> (");
  w.list(entry.outputs, (output, i) =>
    w.mark(output, "", () => {
      w.add(outputs[i]?.[0] ?? "");
      w.mark(output, "type", outputs[i]?.[1] ?? "");
    }),
  );
  w.add(") {\n");
  for (const instruction of entry.instructions) {
    if (options.only?.(instruction, entry) === false) continue;
    w.add("  ");
    w.mark(instruction, "", () => writeInstruction(w, instruction, names, sources, options));
    w.add("\n");
  }
  w.add("  ");
  w.mark(entry.outputs, "", "return");
  if (entry.outputs.length > 0) w.add(" ");
  w.list(entry.outputs, (output) => w.mark(output, "value", nameOf(output.value)));
  w.add("\n");
  if (entry.updates.length > 0) {
    w.add("  update ");
    w.list(entry.updates, (update) =>
      w.mark(update, "", () => {
        w.mark(update, "name", quote(update.state));
        w.add(" = ");
        w.mark(update, "value", nameOf(update.value));
      }),
    );
    w.add("\n");
  }
  w.add("}\n");
}

function writeInstruction(
  w: Writer,
  instruction: Instruction,
  names: ReadonlyMap<Value, string>,
  sources: readonly string[],
  options: PrintOptions,
): void {
  const { op, operands, results, marks, at } = instruction;
  const nameOf = (value: Value) => `%${names.get(value) ?? `${value.hint}_undefined`}`;
  w.list(results, (result, i) => {
    w.mark(instruction, `result ${i}`, nameOf(result));
    w.add(": ");
    w.mark(instruction, `type ${i}`, printType(result.type));
  });
  w.add(" = ");
  w.mark(instruction, "op", op.signature.name);
  if (operands.length > 0) w.add(" ");
  w.list(operands, (operand, i) => w.mark(instruction, `operand ${i}`, nameOf(operand)));
  const inBraces = [...attributesOf(instruction, options), ...printMarks(marks)];
  if (inBraces.length > 0) {
    w.add(" {");
    w.list(inBraces, (text) => w.mark(instruction, `attr ${text.slice(0, text.indexOf(" "))}`, text));
    w.add("}");
  }
  const source = at === undefined ? -1 : sources.indexOf(at.path);
  if (options.locations === true && at !== undefined && source >= 0) w.add(` loc s${source}:${at.line}:${at.column}${printInstance(at)}`);
}

/** ` of "layers.3.attn"` behind a location, where the instance is known. */
export const printInstance = ({ instance }: Location): string => (instance === undefined ? "" : ` of ${quote(instance)}`);

function attributesOf({ op, attrs, results }: Instruction, options: PrintOptions): readonly string[] {
  const values = attrs["values"];
  const type = results[0]?.type;
  if (options.constants === undefined || op.signature.name !== "constant" || type === undefined)
    return printAttributes(op.signature.attrs, attrs);
  if (!Array.isArray(values) || values.length <= longestInlineConstant) return printAttributes(op.signature.attrs, attrs);
  const { sha256, data } = options.constants(values, type);
  return [`sha256 = ${quote(sha256)}`, `data = ${quote(data)}`];
}
