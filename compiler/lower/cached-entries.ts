// The entries that continue a text: `@prefill` takes a chunk of it, `@decode` one token, and both keep keys and values as state.
import { bindEntry } from "../../ir/bind-entry.ts";
import type { Diagnostic } from "../../ir/diagnostic.ts";
import { type Dim, dimsEqual, namesOfDim, symbol } from "../../ir/dim.ts";
import type { Entry, EntryInput, Instruction, StateDeclaration, Value } from "../../ir/module.ts";
import { gather } from "../../ir/ops/indexing.ts";
import { newBuilder } from "../../ir/ops/table.ts";
import { reshape, transpose } from "../../ir/ops/views.ts";
import { type Location, spanOf } from "../../ir/source.ts";
import { printType, type Type, tensor } from "../../ir/type.ts";
import type { Resolved } from "../sema/resolved.ts";
import { EntryContext, type Problems } from "./entry-context.ts";
import { newFrame } from "./frame.ts";
import { runFunction } from "./function.ts";
import { KeyValueCache } from "./key-value-cache.ts";
import { tensorMeaning } from "./meaning.ts";
import { describeMixer, positionMixer } from "./position-wise.ts";
import { inventType } from "./signature-match.ts";

/** How the entries that continue a text are made. */
export interface InferenceOptions {
  /** Positions that the cache holds; default: the length of the recipe's sequences, without a recipe 256. */
  readonly context?: number;
  /** Positions that `@prefill` takes at a time; default: 64, or the context where that is less. */
  readonly chunk?: number;
}

export interface CachedEntries {
  readonly entries: readonly Entry[];
  readonly states: readonly StateDeclaration[];
}

const defaultContext = 256;
const defaultChunk = 64;

/**
 * The entries `@prefill(ids: i32[B, P], first: i32[], last: i32[])` and `@decode(ids: i32[B, 1], first: i32[])`, both with the result
 * `logits: f32[B, vocab]`: `first` is the place of the first id in its sequence, `last` the row of the chunk whose logits are wanted.
 * B is bound from outside or 1. A warning says why a model has none.
 */
export function lowerCached(
  resolved: Resolved,
  { context, chunk }: InferenceOptions,
  sequence: number | undefined,
  problems: Problems,
): CachedEntries {
  const capacity = context ?? sequence ?? defaultContext;
  const lowered = lowerRun(resolved, capacity, problems);
  if (lowered === undefined) return { entries: [], states: [] };
  if ("reason" in lowered) {
    problems.add(leftOut(lowered, resolved));
    return { entries: [], states: [] };
  }
  const { run, length, states } = lowered;
  const entries = [prefill(run, length, Math.min(chunk ?? defaultChunk, capacity)), decode(run, length)];
  return { entries, states };
}

interface Run {
  /** Takes ids i32[B, T] and first i32[], gives logits f32[B, T, vocab]. */
  readonly run: Entry;
  /** The name of T. */
  readonly length: string;
  readonly states: readonly StateDeclaration[];
}

/** Why there is no run, and the instruction that is the reason, where one is. */
interface NoRun {
  readonly reason: string;
  readonly at?: Location;
}

/** The model's function on a run of positions of any number; undefined after a problem that is reported. */
function lowerRun(resolved: Resolved, capacity: number, problems: Problems): Run | NoRun | undefined {
  const { model } = resolved;
  const declaration = model.functions.get("");
  const [input, ...more] = declaration?.inputs ?? [];
  if (declaration === undefined || input === undefined || more.length > 0) return { reason: "the model has no function of one input" };
  const frame = newFrame(model, model.constants, 0);
  const type = inventType(input.type, frame.sizes);
  const shape = type?.kind === "tensor" && type.scalar === "i32" ? type.dims : [];
  const [batch, positions, ...axes] = shape;
  const length = loneName(positions);
  if (batch === undefined || length === undefined || axes.length > 0)
    return { reason: `its input \`${input.name.text}\` is not i32[B, T], rows of ids of any length` };
  const rows = loneName(batch) === undefined ? batch : (resolved.dims.get(loneName(batch) ?? "") ?? 1);
  for (const [name, size] of resolved.dims) if (name !== length) frame.sizes.dims.set(name, size);
  const name = loneName(batch);
  if (name !== undefined) frame.sizes.dims.set(name, rows);

  const ids: Value = { hint: "ids", type: tensor("i32", [rows, symbol(length)]) };
  const first: Value = { hint: "first", type: tensor("i32", []) };
  const cache = new KeyValueCache({ length, capacity, first });
  const cx = new EntryContext(resolved, problems, cache);
  frame.locals.declare(input.name.text, { meaning: tensorMeaning(ids), mutable: false, at: input.name.span });
  const result = runFunction(cx, frame, model.module.name.text, declaration, "logits");
  if (result.kind !== "tensor") return undefined;
  const { instructions } = cx.builder;
  const mixer = positionMixer(instructions, length);
  if (mixer !== undefined) return { reason: reasonOf(mixer), ...(mixer.at === undefined ? {} : { at: mixer.at }) };
  if (!isLogits(result.value.type, ids.type)) return { reason: `its result is ${printType(result.value.type)}, not f32[B, T, vocab]` };
  const inputs: readonly EntryInput[] = [ids, first].map((value) => ({ value, origin: "caller" }));
  const outputs = [{ name: "logits", value: result.value }];
  return { run: { name: "run", inputs, instructions, outputs, updates: cache.updates }, length, states: cache.states };
}

const reasonOf = (mixer: Instruction): string =>
  mixer.op.signature.name === "attention"
    ? "its `attention` is not causal, and sees what is yet to come"
    : `${describeMixer(mixer)} joins the positions of a sequence`;

/** The name that a size is, where it is one and nothing else. */
function loneName(dim: Dim | undefined): string | undefined {
  const [name] = dim === undefined ? [] : namesOfDim(dim);
  return dim !== undefined && name !== undefined && dimsEqual(dim, symbol(name)) ? name : undefined;
}

function isLogits(result: Type, ids: Type): boolean {
  const [vocab, ...more] = result.dims.slice(2);
  const sameRows = ids.dims.every((dim, axis) => dimsEqual(dim, result.dims[axis] ?? -1));
  return result.kind === "tensor" && result.scalar === "f32" && typeof vocab === "number" && more.length === 0 && sameRows;
}

function prefill(run: Entry, length: string, chunk: number): Entry {
  const bound = bindEntry(run, new Map([[length, chunk]]));
  const last: Value = { hint: "last", type: tensor("i32", []) };
  const b = newBuilder();
  const logits = logitsOf(bound);
  const rows = b.emit(transpose, [logits], { permutation: [1, 0, 2] }, { hint: "rows" });
  const row = b.emit(gather, [rows, last], {}, { hint: "logits" });
  const inputs: readonly EntryInput[] = [...bound.inputs, { value: last, origin: "caller" }];
  return { ...bound, name: "prefill", inputs, ...ending(bound, b.instructions, row) };
}

function decode(run: Entry, length: string): Entry {
  const bound = bindEntry(run, new Map([[length, 1]]));
  const b = newBuilder();
  const logits = logitsOf(bound);
  const [batch = 1, , vocab = 1] = logits.type.dims;
  const row = b.emit(reshape, [logits], { type: tensor("f32", [batch, vocab]) }, { hint: "logits" });
  return { ...bound, name: "decode", ...ending(bound, b.instructions, row) };
}

const logitsOf = ({ outputs: [output] }: Entry): Value => output?.value ?? noLogits();

const ending = ({ instructions }: Entry, further: Entry["instructions"], logits: Value): Pick<Entry, "instructions" | "outputs"> => ({
  instructions: [...instructions, ...further],
  outputs: [{ name: "logits", value: logits }],
});

function noLogits(): never {
  throw new Error("a run without logits");
}

function leftOut({ reason, at }: NoRun, { model, sources }: Resolved): Diagnostic {
  const span = (at === undefined ? undefined : spanOf(at, sources)) ?? model.module.name.span;
  return {
    severity: "warning",
    code: "no-cache",
    message: `\`@prefill\` and \`@decode\` are left out: ${reason}`,
    primary: { span, message: "" },
    help: ["they need a model of ids i32[B, T] with the result f32[B, T, vocab] in which positions meet in causal `attention` alone"],
  };
}
