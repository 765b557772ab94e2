// Reads kernel plans as print-plan.ts writes them.
import { hasErrors, type Report } from "../diagnostic.ts";
import type {
  BindingUse,
  BufferRole,
  Dispatch,
  EntryPort,
  Family,
  KernelPlan,
  Placement,
  PlanEntry,
  Schedule,
  Slab,
  Target,
  VirtualBuffer,
} from "../plan.ts";
import type { Location, Source } from "../source.ts";
import { f32, type Type } from "../type.ts";
import { type ReportProblem, readAttributes } from "./attributes.ts";
import { Cursor, describe, type ParsedAttribute, type ParsedName } from "./cursor.ts";
import { readProblem, skipProblem } from "./parse-problem.ts";
import { families, framesOf, scheduleAttributes, scheduleFrom, targetAttributes, targetFrom } from "./plan-records.ts";
import { readInstance } from "./syntax.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer I)[] ? I[] : T[K] };

const accesses: readonly BindingUse["access"][] = ["read", "write", "update"];

interface PlanSyntax {
  target?: Target | undefined;
  readonly slabs: Slab[];
  readonly entries: PlanEntry[];
  readonly places: Record<string, Record<string, Placement>>;
  peak?: { readonly peakBytes: number; readonly lowerBoundBytes: number };
}

/** The plan of a text; no value where there is an error. The plan verifier checks what it says. */
export function parsePlan(source: Source): Report<KernelPlan> {
  const cursor = new Cursor(source);
  const plan: PlanSyntax = { slabs: [], entries: [], places: {} };
  cursor.skipLines();
  const first = cursor.token;
  cursor.statement(() => {
    plan.target = readTarget(cursor);
    cursor.endLine();
  });
  for (cursor.skipLines(); !cursor.sees("end"); cursor.skipLines()) cursor.statement(() => readStatement(cursor, plan));
  const { diagnostics } = cursor;
  const { target, slabs, entries, places, peak } = plan;
  if (peak === undefined && slabs.length > 0) cursor.report("syntax", "a plan with slabs says its `peak`", cursor.spanOf(first));
  if (hasErrors(diagnostics) || target === undefined) return { diagnostics };
  const memory = peak === undefined ? {} : { memory: { slabs, places, ...peak } };
  return { value: { target, entries, ...memory }, diagnostics };
}

/** A schedule as plans write it between braces: `frame = broadcast, rows = 4`. */
export function parseSchedule(family: Family, text: string): Report<Schedule> {
  const cursor = new Cursor({ path: "schedule", text: `{${text}}` });
  const at = cursor.spanOf(cursor.token);
  const value = cursor.statement(() => {
    const schedule = readSchedule(cursor, family, cursor.braces(), { name: family, span: at });
    if (!cursor.sees("end")) cursor.fail(`a schedule, then ${describe(cursor.token)}`);
    return schedule;
  });
  const { diagnostics } = cursor;
  return value === undefined || hasErrors(diagnostics) ? { diagnostics } : { value, diagnostics };
}

const reporter =
  (cursor: Cursor): ReportProblem =>
  (code, message, at, help) =>
    cursor.report(code, message, at, help);

function readTarget(cursor: Cursor): Target | undefined {
  cursor.expect("word", "plan", "`plan 1 target NAME` at the beginning");
  cursor.expect("int", "1", "the version 1");
  cursor.expect("word", "target");
  const { name, span } = cursor.word("the target's name");
  const read = readAttributes(targetAttributes, cursor.braces(), { name: `target ${name}`, at: span }, reporter(cursor));
  return read === undefined ? undefined : targetFrom(name, read);
}

function readStatement(cursor: Cursor, plan: PlanSyntax): void {
  if (cursor.accept("word", "slab") !== undefined) {
    const { name } = cursor.word("the slab's name");
    plan.slabs.push({ name, bytes: number(cursor, "its bytes") });
  } else if (cursor.accept("word", "entry") !== undefined) {
    const name = cursor.expect("entry").text.slice(1);
    cursor.expect("mark", "{");
    cursor.endLine();
    const places: Record<string, Placement> = {};
    plan.entries.push(readEntry(cursor, name, places));
    plan.places[name] = places;
  } else if (cursor.accept("word", "peak") !== undefined) {
    const peakBytes = number(cursor, "bytes");
    cursor.expect("word", "lower");
    cursor.expect("mark", "-");
    cursor.expect("word", "bound");
    plan.peak = { peakBytes, lowerBoundBytes: number(cursor, "bytes") };
  } else cursor.fail(`expected \`slab\`, \`entry\` or \`peak\`, got ${describe(cursor.token)}`);
  cursor.endLine();
}

function readEntry(cursor: Cursor, name: string, places: Record<string, Placement>): PlanEntry {
  const entry: Mutable<PlanEntry> = { name, buffers: [], dispatches: [], inputs: [], outputs: [], constants: [] };
  for (cursor.skipLines(); !cursor.sees("mark", "}"); cursor.skipLines()) {
    if (cursor.sees("end")) return cursor.fail(`entry \`@${name}\` has no \`}\``);
    cursor.statement(() => readLine(cursor, entry, places));
  }
  cursor.next();
  return entry;
}

function readLine(cursor: Cursor, entry: Mutable<PlanEntry>, places: Record<string, Placement>): void {
  const keyword = cursor.word("`input`, `output`, `buffer`, `constant`, `dispatch` or `}`");
  switch (keyword.name) {
    case "input":
      entry.inputs.push(readPort(cursor));
      break;
    case "output":
      entry.outputs.push(readPort(cursor));
      break;
    case "buffer": {
      const buffer = readBuffer(cursor);
      entry.buffers.push(buffer);
      if (cursor.accept("word", "at") === undefined) break;
      const slab = cursor.word("a slab").name;
      cursor.expect("mark", "+");
      places[buffer.name] = { slab, offset: number(cursor, "an offset in bytes") };
      break;
    }
    case "constant": {
      const { name } = bufferName(cursor);
      cursor.expect("mark", "=");
      cursor.expect("mark", "[");
      const values = cursor.items("]", () => {
        const literal = cursor.literal();
        if (literal.kind === "float") return literal.value;
        if (literal.kind === "word" && (literal.value === "inf" || literal.value === "nan"))
          return literal.value === "inf" ? Infinity : Number.NaN;
        return cursor.fail("the elements of a constant are floats");
      });
      entry.constants.push({ buffer: name, values });
      break;
    }
    case "dispatch":
      return readDispatch(cursor, entry);
    default:
      cursor.report("syntax", `\`${keyword.name}\` is no statement of a plan's entry`, keyword.span);
      return cursor.skipLine();
  }
  cursor.endLine();
}

function bufferName(cursor: Cursor): ParsedName {
  if (cursor.sees("string")) return cursor.string("a buffer");
  const { name, span } = cursor.value();
  return { name: `%${name}`, span };
}

const number = (cursor: Cursor, what: string): number => Number(cursor.expect("int", undefined, what).text);
const typeOf = (cursor: Cursor): Type => cursor.type().type ?? f32();

function readPort(cursor: Cursor): EntryPort {
  const { name } = cursor.string("a name");
  cursor.expect("mark", ":");
  const type = typeOf(cursor);
  cursor.expect("mark", "=");
  const buffer = bufferName(cursor).name;
  return { name, type, buffer, byteOffset: cursor.accept("mark", "+") === undefined ? 0 : number(cursor, "an offset in bytes") };
}

function readBuffer(cursor: Cursor): VirtualBuffer {
  const { name } = bufferName(cursor);
  cursor.expect("mark", ":");
  const type = typeOf(cursor);
  return { name, type, bytes: number(cursor, "its bytes"), role: readRole(cursor) };
}

function readRole(cursor: Cursor): BufferRole {
  const { name } = cursor.word("a buffer's role");
  switch (name) {
    case "state":
      return { kind: "state", name: cursor.string("the state's name").name };
    case "gradient":
      return { kind: "gradient", state: cursor.string("the state's name").name };
    case "constant":
    case "host":
    case "temporary":
      return { kind: name };
    default:
      return cursor.fail(`\`${name}\` is no role of a buffer`, ["the roles are state, gradient, constant, host, temporary"]);
  }
}

type DispatchHeader = Omit<Dispatch, "problem" | "schedule"> & {
  readonly kind: Family;
  readonly family: ParsedName;
  readonly outer: readonly number[];
  readonly inner: readonly number[];
  /** Absent after a report. */
  readonly schedule?: Schedule;
};

function readDispatch(cursor: Cursor, entry: Mutable<PlanEntry>): void {
  const header = cursor.statement(() => readDispatchHeader(cursor, entry.dispatches.length));
  if (header === undefined) return skipProblem(cursor);
  const { kind, family, outer, inner, schedule, ...rest } = header;
  const problem = readProblem(cursor, kind, outer, inner, family.span);
  if (problem !== undefined && schedule !== undefined) entry.dispatches.push({ problem, schedule, ...rest });
}

function readDispatchHeader(cursor: Cursor, place: number): DispatchHeader {
  const index = cursor.expect("int", undefined, "the dispatch's number");
  if (Number(index.text) !== place) {
    cursor.report("syntax", `this is dispatch ${place}, not ${index.text}`, cursor.spanOf(index), [
      "dispatches are numbered in their order",
    ]);
  }
  const family = cursor.word("a family of kernels");
  const kind =
    families.find((f) => f === family.name) ?? cursor.fail(`no family \`${family.name}\``, [`the families are ${families.join(", ")}`]);
  const outer = sizes(cursor);
  const between = kind === "dot" || kind === "attention" ? "of" : kind === "reduce" ? "over" : undefined;
  if (between !== undefined) cursor.expect("word", between);
  const inner = between === undefined ? [] : sizes(cursor);
  const schedule = readSchedule(cursor, kind, cursor.braces(), family);
  const bind = cursor.accept("word", "bind") === undefined ? [] : separated(cursor, () => readBinding(cursor));
  const serves = cursor.accept("word", "serves") === undefined ? [] : separated(cursor, () => bufferName(cursor).name);
  const remat = cursor.accept("word", "remat") === undefined ? {} : { remat: cursor.string("the path of an instance").name };
  const recompute = cursor.accept("word", "recompute") === undefined ? {} : { recompute: number(cursor, "the number of a recomputation") };
  const at = cursor.accept("word", "loc") === undefined ? {} : { at: readLocation(cursor) };
  cursor.endLine();
  return { kind, family, outer, inner, ...(schedule === undefined ? {} : { schedule }), bind, serves, ...remat, ...recompute, ...at };
}

function separated<T>(cursor: Cursor, item: () => T): readonly T[] {
  const found = [item()];
  while (cursor.accept("mark", ",") !== undefined) found.push(item());
  return found;
}

function sizes(cursor: Cursor): readonly number[] {
  cursor.expect("mark", "[", "sizes, such as `[8, 32]`");
  return cursor.items("]", () => number(cursor, "a size"));
}

function readSchedule(cursor: Cursor, family: Family, given: readonly ParsedAttribute[], { span }: ParsedName): Schedule | undefined {
  const frames = framesOf(family);
  const named = given.find((a) => a.name === "frame");
  const word = named?.literal.kind === "word" ? named.literal.value : "";
  // With a frame that does not exist the first one is assumed, and the attribute `frame` is what gets reported.
  const frame = frames.find((f) => f === word) ?? frames[0] ?? "";
  const read = readAttributes(scheduleAttributes(family, frame), given, { name: `${family} schedule`, at: span }, reporter(cursor));
  return read === undefined ? undefined : scheduleFrom(family, frame, read);
}

function readBinding(cursor: Cursor): BindingUse {
  const word = cursor.word("`read`, `write` or `update`").name;
  const access = accesses.find((a) => a === word) ?? cursor.fail(`a binding is ${accesses.join(", ")}, got \`${word}\``);
  const buffer = bufferName(cursor).name;
  const part =
    cursor.accept("word", "part") === undefined
      ? {}
      : { part: { offset: number(cursor, "the first byte"), bytes: number(cursor, "a number of bytes") } };
  const through = cursor.accept("word", "to") === undefined ? {} : { through: bufferName(cursor).name };
  const over = cursor.accept("word", "over") === undefined ? {} : { over: bufferName(cursor).name };
  return { buffer, ...part, ...through, ...over, access };
}

function readLocation(cursor: Cursor): Location {
  const path = cursor.string("a path").name;
  cursor.expect("mark", ":");
  const line = number(cursor, "a line");
  cursor.expect("mark", ":");
  return { path, line, column: number(cursor, "a column"), ...readInstance(cursor) };
}
