// The Llama for tests: `tiny` on small batches, whose text is the project's own licence.
import { readFileSync } from "node:fs";
import type { Source } from "../../ir/source.ts";
import type { BatchOf } from "./teacher-forced.ts";

/** `models/llama.loom` with batches of `rows` sequences of `length` tokens. */
export function llamaSource(rows: number, length: number): Source {
  const text = readFileSync(new URL("../../models/llama.loom", import.meta.url), "utf8");
  const shrunk = text
    .replaceAll("i32[8, 129]", `i32[${rows}, ${length + 1}]`)
    .replaceAll("0..128]", `0..${length}]`)
    .replaceAll("1..129]", `1..${length + 1}]`);
  if (!shrunk.includes(`0..${length}]`)) throw new Error("the model's file has other batches than this test thinks");
  return { path: "models/llama.loom", text: shrunk };
}

/** Consecutive pieces of real text as bytes, `rows` of them a step. */
export function textBatches(rows: number, length: number): BatchOf {
  const bytes = readFileSync(new URL("../../LICENSE", import.meta.url));
  return (step) => {
    const tokens = new Int32Array(rows * (length + 1));
    for (let i = 0; i < tokens.length; i++) tokens[i] = bytes[(step * tokens.length + i) % bytes.length] ?? 0;
    return { tokens };
  };
}
