// Text generation: the prompt goes through `prefill` in chunks, then `decode` adds a token at a time.
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { parseType } from "../ir/parse-type.ts";
import { Sampler, type SamplingOptions } from "./sampling.ts";
import type { Session } from "./session.ts";
import { boundShape } from "./values.ts";

export interface GenerateOptions extends SamplingOptions {
  /** Ids of the text to continue, at least one. */
  readonly prompt: ArrayLike<number>;
  /** Tokens to make at most; default: until the context is full. */
  readonly tokens?: number;
  /**
   * What happens when the cache is full: `stop`, the default, ends the text; `slide` goes on from its newest half, which is computed
   * anew as if the text began there.
   */
  readonly atContextEnd?: "stop" | "slide";
  /** Abort to end the text after the token under way. */
  readonly signal?: AbortSignal;
}

export interface Generation {
  readonly ended: "tokens" | "context" | "aborted";
  /** Tokens made. */
  readonly tokens: number;
  /** How often the text began again from its newest half. */
  readonly slides: number;
  /** Wall time of the prompt and of all else, in milliseconds. */
  readonly promptMs: number;
  readonly decodeMs: number;
}

/** Positions of the session's cache: the most tokens that one of its texts sees. Throws a DiagnosticError `no-entry` where it has none. */
export const contextOf = (session: Session): number => shapesOf(session).capacity;

/**
 * Continue a text: yields ids as they come, and returns how it ended. The session's artifact is compiled with `inference` and one row
 * (`B = 1`). Throws a DiagnosticError: `no-entry` without the entries `prefill` and `decode`, `bad-prompt` for an empty prompt, ids that the
 * model has no logits for, or one that is longer than the context where that may not slide, `bad-sampling`, and `not-finite`.
 *
 * Equal sessions, prompts and options give equal tokens; adapters may differ in the last bits of logits, and so in a token now and then.
 */
export async function* generate(session: Session, options: GenerateOptions): AsyncGenerator<number, Generation, undefined> {
  const { tokens: most = Number.POSITIVE_INFINITY, atContextEnd = "stop", signal } = options;
  const run = new CachedRun(session);
  const sampler = new Sampler(options);
  const text = checkedPrompt(options.prompt, run, atContextEnd);
  const started = performance.now();
  let logits = await run.restart(newest(text, run.capacity, text.length <= run.capacity));
  const decoding = performance.now();
  let [tokens, slides] = [0, 0];
  let ended: Generation["ended"] = "tokens";
  for (;;) {
    if (tokens >= most) break;
    if (signal?.aborted === true) {
      ended = "aborted";
      break;
    }
    const token = sampler.next(logits);
    tokens++;
    text.push(token);
    yield token;
    if (tokens >= most) break;
    if (run.position < run.capacity) logits = await run.add(token);
    else if (atContextEnd === "stop") {
      ended = "context";
      break;
    } else {
      logits = await run.restart(newest(text, run.capacity, false));
      slides++;
    }
  }
  return { ended, tokens, slides, promptMs: decoding - started, decodeMs: performance.now() - decoding };
}

/** The end of a text with which a cache begins: all of it, or half a cache, so that as much again fits behind it. */
const newest = (text: readonly number[], capacity: number, whole: boolean): readonly number[] =>
  whole ? text : text.slice(-Math.max(1, Math.floor(capacity / 2)));

function checkedPrompt(prompt: ArrayLike<number>, { vocabulary, capacity }: CachedRun, atContextEnd: "stop" | "slide"): number[] {
  const bad = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-prompt", message, undefined, "", help)]);
  };
  const ids = Array.from(prompt);
  if (ids.length === 0) bad("a prompt has one token at least");
  const stray = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (stray !== undefined) bad(`the prompt has the token ${stray}, the model knows 0 to ${vocabulary - 1}`);
  if (ids.length > capacity && atContextEnd === "stop")
    bad(`the prompt has ${ids.length} tokens, the context holds ${capacity}`, ["compile with a larger context, or let it slide"]);
  return ids;
}

interface Shapes {
  readonly capacity: number;
  readonly chunk: number;
  readonly vocabulary: number;
}

function shapesOf({ artifact: { manifest } }: Session): Shapes {
  const { prefill, decode } = manifest.entries;
  const cache = manifest.state.find(({ role }) => role === "cache");
  const refuse = (message: string): never => {
    throw new DiagnosticError([
      error("no-entry", message, undefined, "", ["compile with `inference`, which makes the entries `prefill` and `decode`"]),
    ]);
  };
  if (prefill === undefined || decode === undefined) return refuse("the artifact has no entries that continue a text");
  const shape = (type: string | undefined) => (type === undefined ? [] : boundShape(parseType(type)));
  const [rows, chunk = 1] = shape(prefill.inputs[0]?.type);
  if (rows !== 1) return refuse(`the artifact continues ${rows} texts at a time, not one`);
  // Keys lie as [.., positions, heads, channels].
  return { capacity: shape(cache?.type).at(-3) ?? Number.MAX_SAFE_INTEGER, chunk, vocabulary: shape(decode.outputs[0]?.type).at(-1) ?? 0 };
}

/** The entries of one session, and where its text stands. */
class CachedRun {
  readonly capacity: number;
  readonly vocabulary: number;
  readonly #chunk: number;
  readonly #session: Session;
  #position = 0;

  constructor(session: Session) {
    const { capacity, chunk, vocabulary } = shapesOf(session);
    this.#session = session;
    this.capacity = capacity;
    this.vocabulary = vocabulary;
    this.#chunk = chunk;
  }

  /** Tokens in the cache. */
  get position(): number {
    return this.#position;
  }

  /** Begin with these tokens; answers the logits of what follows the last one. What the cache held before is never seen again. */
  async restart(ids: readonly number[]): Promise<ArrayLike<number>> {
    let logits: ArrayLike<number> = [];
    for (let first = 0; first < ids.length; first += this.#chunk) {
      const part = ids.slice(first, first + this.#chunk);
      // The rest of the chunk holds any token: nobody sees its keys before they are replaced.
      const chunk = new Int32Array(this.#chunk);
      chunk.set(part);
      logits = await this.#run("prefill", chunk, first, { last: Int32Array.of(part.length - 1) });
    }
    this.#position = ids.length;
    return logits;
  }

  /** Add a token; answers the logits of what follows it. */
  async add(id: number): Promise<ArrayLike<number>> {
    const logits = await this.#run("decode", Int32Array.of(id), this.#position);
    this.#position++;
    return logits;
  }

  async #run(entry: string, ids: Int32Array, first: number, more: Readonly<Record<string, Int32Array>> = {}): Promise<ArrayLike<number>> {
    const { logits } = await this.#session.run(entry, { ids, first: Int32Array.of(first), ...more });
    if (logits === undefined) throw new Error(`${entry} gives no logits`);
    return logits;
  }
}
