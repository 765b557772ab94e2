// chunk-head: softmax-cross-entropy together with the contraction in front of it, in chunks of rows, so that the logits of a batch and their
// gradient never exist at once. What a chunk computes is its logits, their statistics and loss terms, the gradient of logits, its rows of the
// gradient towards what came in, and its summand of the weights' gradient. It knows neither op: whatever hangs on a contraction and looks
// at rows one by one can run so (passes/row-region.ts), and a row statistic along the contraction's own axis is what tells a head.
//
// On the primitive form, since there each op is a kernel, a view or pointwise, with few rules for rows in all; forward and backward share the
// softmax's parts and are one region; and quantized heads are contractions of codes. Earlier, forward and backward would have to be kept
// together by hand: a gradient made of chunks keeps all their logits until the backward pass.
import { either, int, oneOf, withDefault } from "../ir/attribute.ts";
import { printBytes } from "../ir/byte-size.ts";
import { type Entry, type Instruction, mapEntries, type Value, valueNames } from "../ir/module.ts";
import { bufferBytes } from "../ir/packing.ts";
import { concreteShape, elementCount, shapeOf } from "../ir/type.ts";
import { inChunks } from "./emit-chunks.ts";
import { type EntryFacts, factsOf } from "./grouping.ts";
import { definePass, type PassContext } from "./pass.ts";
import { regionOf } from "./row-region.ts";
import { isContraction, leadOf, widthOf } from "./row-rules.ts";

/** `auto`: by size. `none`: never. A number: chunks of so many rows, whatever the size. */
export type HeadChunk = "auto" | "none" | number;

const headChunk = withDefault(
  either(oneOf("auto", "none"), int, (v) => v === "auto" || v === "none"),
  "auto" as HeadChunk,
);

/** From so many bytes of logits on. Below, chunks save little, and the kernels of small models stay as they are. */
const worthwhileBytes = 32 * 2 ** 20;
/**
 * Bytes of a chunk's logits: they and their gradient take no more than the head's weights, which every chunk reads, and writes as gradients
 * (so that this traffic stays small beside the products); but within these bounds, since large weights may not be bound whole.
 */
const leastChunk = 8 * 2 ** 20;
const largestChunk = 64 * 2 ** 20;
/** Rows of a chunk are a multiple of this, so that a range of 4-byte values begins where a binding may. */
const rowUnit = 64;

export const chunkHead = definePass({
  name: "chunk-head",
  summary: "Run a large contraction and the softmax-cross-entropy behind it in chunks of rows, forward and backward together.",
  needs: "primitive",
  leaves: "primitive",
  options: { rows: headChunk, bytes: withDefault(int, worthwhileBytes) },
  run(module, { rows, bytes }, cx) {
    const asked = rows === "auto" ? (module.headChunk ?? "auto") : rows;
    if (asked === "none") return module;
    const chunker = new Chunker({ asked, bytes }, cx);
    return mapEntries(module, (entry) => chunker.run(entry));
  },
});

interface Settings {
  readonly asked: "auto" | number;
  /** Of logits that are worth chunks. */
  readonly bytes: number;
}

class Chunker {
  readonly #settings: Settings;
  readonly #cx: PassContext;

  constructor(settings: Settings, cx: PassContext) {
    this.#settings = settings;
    this.#cx = cx;
  }

  run(entry: Entry): Entry {
    // Sizes that are still names are no chunks' concern: to-plan says which name to bind.
    if (entry.instructions.some(({ results }) => results.some(({ type }) => concreteShape(type) === undefined))) return entry;
    const facts = factsOf(entry);
    const names = valueNames(entry);
    const nameOf = (value: Value) => `%${names.get(value) ?? value.hint}`;
    const contractions = entry.instructions.filter(isContraction);
    const bytesOf = ({ results: [result] }: Instruction) => (result === undefined ? 0 : bufferBytes(result.type));
    const largest = contractions.reduce((most, root) => Math.max(most, bytesOf(root)), 0);
    for (const root of contractions) {
      const head = this.#headOf(root, facts, nameOf, bytesOf(root) === largest);
      if (head === undefined) continue;
      this.#cx.count("heads");
      this.#cx.count("chunks", Math.ceil(head.region.rows / head.size));
      // One head an entry has; a second one is found in what is left.
      return this.run(inChunks(entry, head.region, head.size, facts));
    }
    return entry;
  }

  /** `isLargest`: of an entry's contractions, so that it is worth a word where it stays whole. */
  #headOf(root: Instruction, facts: EntryFacts, nameOf: (value: Value) => string, isLargest: boolean) {
    const [logits] = root.results;
    if (logits === undefined) return undefined;
    const rows = elementCount(shapeOf(logits.type).slice(0, -1));
    const size = this.#sizeFor(root, logits, rows);
    if (size === undefined || size >= rows || leadOf(logits.type, rows) !== logits.type.dims.length - 1) return undefined;
    if (!leadsToStatistic(logits, rows, facts)) return undefined;
    const region = regionOf(root, rows, facts, nameOf);
    if (typeof region !== "string") return { region, size };
    if (isLargest) this.#cx.count(`whole (${printBytes(bufferBytes(logits.type))}): ${region}`);
    return undefined;
  }

  /** Rows of a chunk; undefined where it is not worth one. */
  #sizeFor({ operands: [x] }: Instruction, logits: Value, rows: number): number | undefined {
    const { asked, bytes } = this.#settings;
    if (asked !== "auto") return asked;
    const whole = bufferBytes(logits.type);
    if (whole < bytes || x === undefined) return undefined;
    const weights = (whole / rows) * widthOf(x.type, rows);
    const aim = Math.min(largestChunk, Math.max(leastChunk, weights / 2));
    const most = Math.max(rowUnit, rowUnit * Math.floor(aim / (whole / rows) / rowUnit));
    const even = Math.ceil(rows / Math.ceil(rows / most));
    return rowUnit * Math.ceil(even / rowUnit);
  }
}

/** Whether rows are looked at as wholes, element by element up to there: for a softmax's sum, or the largest logit's place. */
function leadsToStatistic(logits: Value, rows: number, { users }: EntryFacts): boolean {
  const seen = new Set<Value>();
  const stack = [logits];
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    for (const user of users(value)) {
      const [result] = user.results;
      const { lower } = user.op;
      if (result === undefined || leadOf(result.type, rows) === undefined) continue;
      if (lower.kind === "kernel" && lower.family === "reduce" && widthOf(result.type, rows) === 1) return true;
      if (lower.kind === "pointwise" || lower.kind === "view") stack.push(result);
    }
  }
  return false;
}
