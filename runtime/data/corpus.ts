// Text as data: windows of a corpus's tokens.
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { printType } from "../../ir/type.ts";
import { boundShape } from "../values.ts";
import { readCorpus } from "./corpus-text.ts";
import type { Argument, Arguments, DataSource, TokenCorpus, WantedArray } from "./dataset.ts";
import { bytes, type Tokenizer, type Tokens } from "./tokenizer.ts";
import { readTokenizer } from "./tokenizer-file.ts";
import { windows } from "./windows.ts";

export const corpus: DataSource = {
  name: "corpus",
  summary:
    'windows i32[length] of a text\'s tokens: `corpus("sotu")`, `corpus("moby-dick")`, or the path of a text file, a `.jsonl` file or a folder of them; `tokenizer = bytes` or the path of a `tokenizer.json`, `field = "text"` for JSON lines; the last 5 % of the bytes are held out',
  async open(args, named, wanted) {
    const call = readCall(args, named);
    const length = windowLength(wanted);
    const tokenizer = await openTokenizer(call.tokenizer);
    const { training, heldOut } = splitText(await readCorpus(call.name, call.field));
    const tokens: TokenCorpus = {
      tokenizer,
      training: tokenizer.encode(training, call.name),
      heldOut: tokenizer.encode(heldOut, call.name),
      heldOutBytes: heldOut.length,
    };
    for (const part of [tokens.training, tokens.heldOut]) requireBelow(wanted[0]?.below, part, tokenizer, call.name);
    return windows(tokens, length, call.name);
  },
};

/** The tokenizer of a call of `corpus`, with the call's named arguments as the artifact holds them. */
export const corpusTokenizer = (named: Arguments): Promise<Tokenizer> => openTokenizer(readCall([""], named).tokenizer);

/**
 * A corpus's bytes, divided: the last 5 % are held out, the cut moved on to where a character begins, so that it is the same under every tokenizer.
 */
export function splitText(text: Uint8Array): { readonly training: Uint8Array; readonly heldOut: Uint8Array } {
  let cut = Math.floor((text.length * 19) / 20);
  // UTF-8 continues a character with at most three bytes of 10xxxxxx.
  for (let i = 0; i < 3 && ((text[cut] ?? 0) & 0xc0) === 0x80; i++) cut++;
  return { training: text.subarray(0, cut), heldOut: text.subarray(cut) };
}

const openTokenizer = async (name: string): Promise<Tokenizer> => (name === bytes.name ? bytes : readTokenizer(name));

interface Call {
  readonly name: string;
  readonly tokenizer: string;
  readonly field: string;
}

function readCall(args: readonly Argument[], named: Arguments): Call {
  const bad = (message: string): never => {
    const help = ['write `corpus("sotu")` or `corpus("path", tokenizer = "tokenizer.json", field = "text")`'];
    throw new DiagnosticError([error("bad-source", message, undefined, "", help)]);
  };
  const text = (what: string, value: Argument): string => (typeof value === "string" ? value : bad(`${what} is a text, not ${value}`));
  const call = { tokenizer: bytes.name, field: "text" };
  for (const [name, value] of Object.entries(named)) {
    if (name !== "tokenizer" && name !== "field") return bad(`\`corpus\` has no argument \`${name}\`; it has \`tokenizer\` and \`field\``);
    call[name] = text(`\`${name}\``, value);
  }
  const [name] = args;
  if (name === undefined || args.length > 1) return bad(`\`corpus\` takes one name or path, got ${args.length}`);
  return { ...call, name: text("the corpus", name) };
}

/** Tokens that the model has no row for would train it on nothing, without a word. */
function requireBelow(limit: number | undefined, tokens: Tokens, { name, vocabulary }: Tokenizer, path: string): void {
  if (limit === undefined || vocabulary <= limit) return;
  const beyond = tokens.find((token) => token >= limit);
  if (beyond === undefined) return;
  throw new DiagnosticError([
    error("out-of-vocabulary", `\`${path}\` has the token ${beyond}, but the model's table of tokens has ${limit} rows`, undefined, "", [
      `the tokenizer \`${name}\` has ${vocabulary} tokens: give the model as many, as in \`--set model.vocab=${vocabulary}\``,
    ]),
  ]);
}

/** Tokens in a window, as the recipe's one array says. */
function windowLength(wanted: readonly WantedArray[]): number {
  const [array] = wanted;
  const { type } = array ?? {};
  const [, length] = type?.kind === "tensor" && type.scalar === "i32" && type.dims.length === 2 ? boundShape(type) : [];
  if (wanted.length === 1 && length !== undefined && length >= 2) return length;
  const asked = wanted.map(({ name, type: asked }) => (asked === undefined ? name : `${name}: ${printType(asked)}`)).join(", ");
  throw new DiagnosticError([
    error(
      "data-shape",
      `\`corpus\` yields one array i32[batch, length] with a length of 2 or more; the recipe asks for ${asked || "none"}`,
      undefined,
      "",
      ["write `data tokens: i32[8, 129] = corpus(...)`: 8 windows of 128 tokens, each with the next one as its target"],
    ),
  ]);
}
