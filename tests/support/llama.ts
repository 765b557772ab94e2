// The Llama for tests: `tiny` on small batches, whose text is the project's own licence.
import { readFileSync } from "node:fs";
import type { Source } from "../../ir/source.ts";
import type { BatchOf } from "./teacher-forced.ts";

/** `models/llama.loom` with batches of `rows` sequences of `length` tokens. */
export function llamaSource(rows: number, length: number): Source {
  const text = readFileSync(new URL("../../models/llama.loom", import.meta.url), "utf8");
  const [written, wanted] = ["batch: int = 8, context: int = 128", `batch: int = ${rows}, context: int = ${length}`];
  if (!text.includes(written)) throw new Error("the model's file has other batches than this test thinks");
  return { path: "models/llama.loom", text: text.replace(written, wanted) };
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
