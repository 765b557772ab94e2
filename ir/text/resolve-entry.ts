// From the statements of one entry to its values and instructions.
import type { Attributes } from "../attribute.ts";
import { isFromResult } from "../attribute.ts";
import type { Marks } from "../marks.ts";
import { markKinds } from "../marks.ts";
import type { Entry, EntryInput, InputOrigin, Instruction, Value } from "../module.ts";
import { didYouMean } from "../nearest.ts";
import type { Op } from "../op.ts";
import { findOp, ops } from "../ops/table.ts";
import type { Location, Source, Span } from "../source.ts";
import { positionAt } from "../source.ts";
import { f32, type Type } from "../type.ts";
import { type ReportProblem, readAttributes } from "./attributes.ts";
import type { ParsedAttribute, ParsedName, ParsedType } from "./cursor.ts";
import { inputAttributes } from "./declarations.ts";
import { SpanTable } from "./spans.ts";
import type { EntrySyntax, InstructionSyntax, LocationSyntax } from "./syntax.ts";

export interface ResolveOptions {
  /** The elements of a constant that the text only refers to, or undefined where they are not to be found. */
  readonly constants?: (sha256: string, data: string) => readonly number[] | undefined;
}

export interface EntryResolution {
  readonly entry: Entry;
  readonly spans: SpanTable;
  readonly gaps: {
    /** Values whose definitions could not be read. */
    readonly assumed: ReadonlySet<Value>;
    /** Values whose types could not be read: their types mean nothing. */
    readonly untyped: ReadonlySet<Value>;
    /** What each output was declared as; only text declares outputs apart from their values. */
    readonly outputTypes: ReadonlyMap<Entry["outputs"][number], Type>;
  };
}

export function resolveEntry(
  syntax: EntrySyntax,
  source: Source,
  sources: readonly string[],
  options: ResolveOptions,
  report: ReportProblem,
): EntryResolution {
  const spans = new SpanTable(source);
  const assumed = new Set<Value>();
  const untyped = new Set<Value>();
  const names = new Map<string, { readonly value: Value; readonly span: Span }>();
  const later = definitions(syntax);

  const define = (name: ParsedName, type: ParsedType): Value => {
    const value: Value = { hint: name.name, type: type.type ?? f32() };
    if (type.type === undefined) untyped.add(value);
    const known = names.get(name.name);
    if (known === undefined) names.set(name.name, { value, span: name.span });
    else {
      const { line } = positionAt(source, known.span.start);
      report("redefined-value", `\`%${name.name}\` is defined twice, first on line ${line}`, name.span, [
        "every name is defined once; choose another",
      ]);
    }
    return value;
  };
  const use = (name: ParsedName): Value | undefined => {
    const known = names.get(name.name);
    if (known !== undefined) return known.value;
    const below = later.get(name.name);
    const help =
      below === undefined
        ? didYouMean(name.name, names.keys(), (n) => `%${n}`)
        : [`it is defined on line ${positionAt(source, below.start).line}, below this use`];
    report("unknown-value", `no value \`%${name.name}\` here`, name.span, help);
    return undefined;
  };
  const place = (subject: object, part: string, { start, end }: Span) => spans.set(subject, part, start, end);

  const inputs = syntax.inputs.map((input): EntryInput => {
    const value = define(input.value, input.type);
    const resolved: EntryInput = { value, origin: readOrigin(input.value, input.attributes, report) };
    place(resolved, "value", input.value.span);
    place(resolved, "type", input.type.span);
    place(resolved, "", input.value.span);
    return resolved;
  });

  const instructions: Instruction[] = [];
  for (const line of syntax.instructions) {
    // Operands first: an instruction cannot use its own results.
    const operands = line.right?.operands.map(use);
    const results = line.results.map(({ value, type }) => define(value, type));
    const given = line.right === undefined ? undefined : readRight(line, line.right, sources, options, report);
    if (given === undefined || operands === undefined || operands.includes(undefined)) {
      for (const result of results) assumed.add(result);
      continue;
    }
    const instruction: Instruction = { ...given, operands: operands.flatMap((v) => v ?? []), results };
    placeInstruction(instruction, line, place);
    instructions.push(instruction);
  }

  const outputs: Entry["outputs"][number][] = [];
  const outputTypes = new Map<Entry["outputs"][number], Type>();
  const returned = syntax.returned?.values;
  if (returned !== undefined && returned.length !== syntax.outputs.length) {
    const declared = syntax.outputs.length;
    report(
      "output-count",
      `\`return\` gives ${returned.length} value${returned.length === 1 ? "" : "s"} for ${declared} output${declared === 1 ? "" : "s"}`,
      syntax.returned?.span ?? syntax.name.span,
    );
  }
  for (const [i, { name, type }] of syntax.outputs.entries()) {
    const written = returned?.[i];
    const value = written === undefined ? undefined : use(written);
    if (written === undefined || value === undefined) continue;
    const output = { name: name.name, value };
    if (type.type !== undefined) outputTypes.set(output, type.type);
    place(output, "", name.span);
    place(output, "type", type.span);
    place(output, "value", written.span);
    outputs.push(output);
  }
  const updates = syntax.updates.flatMap((written) => {
    const value = use(written.value);
    if (value === undefined) return [];
    const update = { state: written.state.name, value };
    place(update, "", written.span);
    place(update, "name", written.state.span);
    place(update, "value", written.value.span);
    return [update];
  });

  const entry: Entry = { name: syntax.name.name, inputs, instructions, outputs, updates };
  place(entry, "", syntax.name.span);
  return { entry, spans, gaps: { assumed, untyped, outputTypes } };
}

/** Every name that the entry defines somewhere, for help on uses that come too early. */
function definitions(syntax: EntrySyntax): ReadonlyMap<string, Span> {
  const found = new Map<string, Span>();
  for (const { results } of syntax.instructions)
    for (const { value } of results) if (!found.has(value.name)) found.set(value.name, value.span);
  return found;
}

function readOrigin(name: ParsedName, attributes: readonly ParsedAttribute[], report: ReportProblem): InputOrigin {
  const read = readAttributes(inputAttributes, attributes, { name: `%${name.name}`, at: name.span }, report) ?? {};
  const data = read["data"] as string | undefined;
  const host = read["host"] as string | undefined;
  if (data !== undefined && host !== undefined)
    report("bad-attribute", "an input comes from `data` or from `host`, not from both", name.span);
  return data !== undefined ? { data } : host !== undefined ? { host } : "caller";
}

type Right = NonNullable<InstructionSyntax["right"]>;

/** Op, attributes, marks and location; undefined after a report. */
function readRight(
  { results }: InstructionSyntax,
  right: Right,
  sources: readonly string[],
  options: ResolveOptions,
  report: ReportProblem,
): Pick<Instruction, "op" | "attrs" | "marks" | "at"> | undefined {
  const op = findOp(right.op.name);
  if (op === undefined) {
    report(
      "unknown-op",
      `no op \`${right.op.name}\``,
      right.op.span,
      didYouMean(
        right.op.name,
        ops.map((o) => o.signature.name),
      ),
    );
    return undefined;
  }
  const { signature } = op;
  const isMark = ({ name }: ParsedAttribute) => Object.hasOwn(markKinds, name) && !Object.hasOwn(signature.attrs, name);
  const attributes = withConstant(
    op,
    right.attributes.filter((a) => !isMark(a)),
    options,
    report,
  );
  const own =
    attributes &&
    readAttributes(signature.attrs, attributes, { name: signature.name, at: right.op.span, others: Object.keys(markKinds) }, report);
  const optional = Object.fromEntries(Object.entries(markKinds).map(([name, kind]) => [name, { ...kind, optional: true }]));
  const marks = readAttributes(optional, right.attributes.filter(isMark), { name: signature.name, at: right.op.span }, report);
  const at = right.location === undefined ? {} : readLocation(right.location, sources, report);
  const type = results[0]?.type.type;
  const fromResult = Object.entries(signature.attrs).filter(([, kind]) => isFromResult(kind));
  // Without a type the instruction means nothing; that has been reported where the type stands.
  if (own === undefined || marks === undefined || (fromResult.length > 0 && type === undefined)) return undefined;
  const values: Attributes = { ...own, ...Object.fromEntries(fromResult.map(([name]) => [name, type])) };
  const attrs = Object.fromEntries(Object.keys(signature.attrs).map((name) => [name, values[name]]));
  return { op, attrs, marks: marks as Marks, ...at };
}

/** A constant's elements from beside the text, in the place of `sha256` and `data`. */
function withConstant(
  op: Op,
  given: readonly ParsedAttribute[],
  options: ResolveOptions,
  report: ReportProblem,
): readonly ParsedAttribute[] | undefined {
  if (op.signature.name !== "constant") return given;
  const sha256 = given.find((a) => a.name === "sha256");
  const data = given.find((a) => a.name === "data");
  if (sha256 === undefined || data === undefined) return given;
  const values =
    sha256.literal.kind === "string" && data.literal.kind === "string"
      ? options.constants?.(sha256.literal.value, data.literal.value)
      : undefined;
  if (values === undefined) {
    report("missing-constant", "the elements of this constant are not to be found", sha256.valueSpan, [
      "they stand in the file that the dump wrote beside its text",
    ]);
    return undefined;
  }
  const items = values.map((value) => ({ kind: "float", value }) as const);
  return [...given.filter((a) => a !== sha256 && a !== data), { ...sha256, name: "values", literal: { kind: "list", items } }];
}

function readLocation(
  { source, line, column, instance }: LocationSyntax,
  sources: readonly string[],
  report: ReportProblem,
): { readonly at?: Location } {
  const index = /^s([0-9]+)$/.exec(source.name)?.[1];
  const path = index === undefined ? undefined : sources[Number(index)];
  if (path === undefined) {
    const known = sources.length === 0 ? "the module names none" : `there are ${sources.map((_, i) => `s${i}`).join(", ")}`;
    report("unknown-source", `no source \`${source.name}\`; ${known}`, source.span);
    return {};
  }
  return { at: { path, line, column, ...(instance === undefined ? {} : { instance }) } };
}

function placeInstruction(
  instruction: Instruction,
  line: InstructionSyntax,
  place: (subject: object, part: string, at: Span) => void,
): void {
  place(instruction, "", line.span);
  for (const [i, { value, type }] of line.results.entries()) {
    place(instruction, `result ${i}`, value.span);
    place(instruction, `type ${i}`, type.span);
  }
  if (line.right === undefined) return;
  place(instruction, "op", line.right.op.span);
  for (const [i, operand] of line.right.operands.entries()) place(instruction, `operand ${i}`, operand.span);
  for (const { name, span: at, valueSpan } of line.right.attributes) place(instruction, `attr ${name}`, { ...at, end: valueSpan.end });
}
