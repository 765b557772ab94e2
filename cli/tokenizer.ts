// `bitloom tokenizer`: trains a byte-level BPE tokenizer on a corpus's training split.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { Command } from "commander";
import { trainTokenizer } from "../runtime/index.ts";
import { jsonOption, wholeNumber } from "./options.ts";
import type { Output } from "./output.ts";

interface TokenizerFlags {
  readonly vocab: number;
  readonly output: string;
  readonly field: string;
}

export function tokenizerCommand(output: Output): Command {
  return new Command("tokenizer")
    .description("Train a byte-level BPE tokenizer on a corpus, without its held-out part, and write it as a `tokenizer.json`.")
    .argument("<corpus>", "what a recipe's `corpus(...)` takes: `sotu`, `moby-dick`, a text file, a `.jsonl` file or a folder of them")
    .option("--vocab <n>", "number of tokens, the 256 bytes among them", wholeNumber(256), 1024)
    .option("-o, --output <file>", "file to write", "tokenizer.json")
    .option("--field <name>", "the field of JSON lines that holds the text", "text")
    .addOption(jsonOption())
    .action((corpus: string, flags: TokenizerFlags) => makeTokenizer(corpus, flags, output));
}

async function makeTokenizer(corpus: string, { vocab, output: path, field }: TokenizerFlags, output: Output): Promise<void> {
  const started = performance.now();
  const { json, vocabulary, trainingBytes } = await trainTokenizer(corpus, { vocabulary: vocab, field });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, json);
  const seconds = (performance.now() - started) / 1000;
  output.result({ path, vocabulary, trainingBytes, seconds });
  if (vocabulary < vocab) output.note(`no pair of tokens occurs twice after ${vocabulary} tokens, so there are no more`);
  output.say(`wrote ${path}: ${vocabulary} tokens from ${trainingBytes} bytes in ${seconds.toFixed(1)} s`);
}
