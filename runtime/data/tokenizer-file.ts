// Tokenizers from a `tokenizer.json`, through Hugging Face's library for it.
import { isUtf8 } from "node:buffer";
import { readFile } from "node:fs/promises";
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { byteCharacters } from "./bpe.ts";
import { type Decoder, replacement, type Tokenizer, type Tokens } from "./tokenizer.ts";

/**
 * Read a `tokenizer.json`. Throws a DiagnosticError: `no-file` where it is missing, `bad-tokenizer` where it is no tokenizer.
 *
 * Long texts are encoded in pieces that are cut in front of a space (see {@link pieces}). Byte-level tokenizers give the same tokens for them as for
 * the whole; one that puts a space in front of any text puts it in front of every piece.
 */
export async function readTokenizer(path: string): Promise<Tokenizer> {
  const file = await readJson(path);
  const { vocabulary, unknown } = describe(file, path);
  const library = guarded(path, () => new Library(file, {}));
  return {
    name: path,
    vocabulary,
    encode(text, textPath) {
      if (!isUtf8(text))
        throw new DiagnosticError([
          error("not-text", `${textPath} is no text in UTF-8, which \`${path}\` needs`, undefined, "", [
            "`tokenizer = bytes` takes any data",
          ]),
        ]);
      const refuse = (what: string): never => {
        throw new DiagnosticError([error("out-of-vocabulary", `${textPath}: \`${path}\` has no token for ${what}`)]);
      };
      const parts: Tokens[] = [];
      for (const piece of pieces(text)) {
        const missing = guarded(path, () => unknown(piece, library));
        if (missing !== undefined) refuse(JSON.stringify(missing));
        const { ids } = guarded(path, () => library.encode(piece, { add_special_tokens: false }));
        const part = newTokens(vocabulary, ids.length);
        for (const [i, id] of ids.entries()) part[i] = id !== undefined && id < vocabulary ? id : refuse("a part of the text");
        parts.push(part);
      }
      return joined(parts, vocabulary);
    },
    decoder: () => new LibraryDecoder(path, library),
  };
}

/** What we call of the library. Its own declarations lack the file endings that Node's resolution asks for, so it has no types for us. */
interface LibraryInstance {
  encode(text: string, options: { readonly add_special_tokens: false }): { readonly ids: readonly (number | undefined)[] };
  decode(ids: readonly number[], options: { readonly clean_up_tokenization_spaces: false }): string;
  id_to_token(id: number): string | undefined;
  readonly normalizer: ((text: string) => string) | null;
  readonly pre_tokenizer: ((text: string, options: { readonly section_index: number }) => readonly string[]) | null;
}
const Library: new (file: object, config: object) => LibraryInstance = LibraryTokenizer;

/** The library throws errors of many kinds for a file that it does not understand. */
function guarded<T>(path: string, body: () => T): T {
  try {
    return body();
  } catch (problem) {
    return bad(path, problem instanceof Error ? problem.message : String(problem));
  }
}

function bad(path: string, message: string): never {
  throw new DiagnosticError([error("bad-tokenizer", `${path}: ${message}`, undefined, "", ["`bitloom tokenizer CORPUS` makes one"])]);
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (problem) {
    throw new DiagnosticError([
      error("no-file", `cannot read the tokenizer \`${path}\` (${problem instanceof Error ? problem.message : problem})`, undefined, "", [
        "`bitloom tokenizer CORPUS` makes one; `tokenizer = bytes` needs none",
      ]),
    ]);
  }
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (problem) {
    return bad(path, `not JSON (${problem instanceof Error ? problem.message : problem})`);
  }
  return isRecord(file) ? file : bad(path, "not a JSON object");
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

/** More than any tokenizer has; the library makes arrays as long as the largest id. */
const vocabularyLimit = 2 ** 22;

interface Description {
  readonly vocabulary: number;
  /** A character that encoding would leave out without a word. */
  readonly unknown: (text: string, library: LibraryInstance) => string | undefined;
}

function describe(file: Record<string, unknown>, path: string): Description {
  const { model, added_tokens: added } = file;
  if (!isRecord(model)) return bad(path, "it has no `model`");
  // The library takes any other name for that of a model of the past, and reads nonsense.
  const { type } = model;
  if (type !== undefined && type !== "BPE" && type !== "Unigram" && type !== "WordPiece")
    return bad(path, `models of type ${JSON.stringify(type)} are not read, only BPE, Unigram and WordPiece`);
  // Unigram models list their tokens, others map them to ids.
  const { vocab } = model;
  const ids: unknown[] = Array.isArray(vocab)
    ? [...vocab.keys()]
    : isRecord(vocab)
      ? Object.values(vocab)
      : bad(path, "its model has no `vocab`");
  for (const token of Array.isArray(added) ? added : bad(path, "it has no `added_tokens`"))
    ids.push(isRecord(token) ? token["id"] : undefined);
  let vocabulary = 0;
  for (const id of ids) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= vocabularyLimit)
      return bad(path, `${JSON.stringify(id)} is no token id: whole numbers below ${vocabularyLimit}`);
    vocabulary = Math.max(vocabulary, id + 1);
  }
  if (vocabulary === 0) return bad(path, "its vocabulary is empty");
  // Only BPE leaves characters out: where it has neither a token for unknown ones nor tokens for bytes. A full byte alphabet misses none.
  const tokens = new Set(isRecord(vocab) ? Object.keys(vocab) : []);
  const isComplete =
    !("merges" in model) ||
    typeof model["unk_token"] === "string" ||
    model["byte_fallback"] === true ||
    byteCharacters.every((c) => tokens.has(c));
  return { vocabulary, unknown: isComplete ? () => undefined : (text, library) => firstUnknown(text, library, tokens) };
}

function firstUnknown(text: string, { normalizer, pre_tokenizer: cut }: LibraryInstance, tokens: ReadonlySet<string>): string | undefined {
  const normal = normalizer === null ? text : normalizer(text);
  for (const word of cut === null ? [normal] : cut(normal, { section_index: 0 })) for (const c of word) if (!tokens.has(c)) return c;
  return undefined;
}

/** Bytes of text that the library encodes at once: it holds some hundred bytes for each token. */
const pieceBytes = 2 ** 18;
/** A piece is at most this long: a text may have no spaces. */
const longestPiece = 2 ** 20;

/**
 * A text in pieces. Each begins with a lone space after at least {@link pieceBytes} of the one before: words, as tokenizers cut them, do not reach
 * across its left side, and none puts a second space in front of it but those that always do.
 */
function* pieces(text: Uint8Array): Generator<string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const at = (place: number) => text[place] ?? 0;
  const isLoneSpace = (place: number) => at(place) === 0x20 && at(place - 1) > 0x20 && at(place + 1) > 0x20;
  const isCharacter = (place: number) => (at(place) & 0xc0) !== 0x80;
  for (let begin = 0; begin < text.length; ) {
    let end = Math.min(begin + pieceBytes, text.length);
    while (end < text.length && !isLoneSpace(end) && !(end - begin >= longestPiece && isCharacter(end))) end++;
    yield utf8.decode(text.subarray(begin, end));
    begin = end;
  }
}

/** An array for `count` ids below `vocabulary`. */
function newTokens(vocabulary: number, count: number): Tokens {
  if (vocabulary <= 2 ** 8) return new Uint8Array(count);
  return vocabulary <= 2 ** 16 ? new Uint16Array(count) : new Uint32Array(count);
}

function joined(parts: readonly Tokens[], vocabulary: number): Tokens {
  const all = newTokens(
    vocabulary,
    parts.reduce((n, part) => n + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The library decodes whole lists, so the ids since the last whole character are decoded again with each new one, and one before them: the first
 * token of a list may lose its space. Text is settled but for a replacement character at its end, which the next byte may turn into another one.
 */
class LibraryDecoder implements Decoder {
  readonly #path: string;
  readonly #library: LibraryInstance;
  #window: number[] = [];
  /** Characters of the window's text that were given out. */
  #shown = 0;

  constructor(path: string, library: LibraryInstance) {
    this.#path = path;
    this.#library = library;
  }

  push(id: number): string {
    if (this.#library.id_to_token(id) === undefined) {
      const rest = this.end();
      return rest + replacement;
    }
    this.#window.push(id);
    const text = this.#text(this.#window);
    const settled = text.endsWith(replacement) ? text.slice(0, -1) : text;
    const fresh = settled.slice(this.#shown);
    this.#shown = Math.max(this.#shown, settled.length);
    if (settled === text) {
      this.#window = [id];
      this.#shown = this.#text(this.#window).length;
    }
    return fresh;
  }

  end(): string {
    const rest = this.#window.length === 0 ? "" : this.#text(this.#window).slice(this.#shown);
    this.#window = [];
    this.#shown = 0;
    return rest;
  }

  #text(ids: readonly number[]): string {
    return guarded(this.#path, () => this.#library.decode(ids, { clean_up_tokenization_spaces: false }));
  }
}
