// Data sources by name: what a recipe's `data ... = mnist()` can name. To add a source, write it in this folder and add it to `dataSources`.
import type { EntryRecord, RunRecord } from "../../ir/artifact.ts";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import { parseType } from "../../ir/parse-type.ts";
import { arrays } from "./arrays.ts";
import { corpus } from "./corpus.ts";
import type { DataSource, Dataset, WantedArray } from "./dataset.ts";
import { mnist } from "./mnist.ts";

export const dataSources: readonly DataSource[] = [mnist, corpus, arrays];

/** A recipe's source, opened for an entry that reads it. Throws a DiagnosticError `unknown-source` that lists the known ones. */
export async function openData(data: RunRecord["data"], entry: Pick<EntryRecord, "inputs">): Promise<Dataset> {
  const source = dataSources.find(({ name }) => name === data.source);
  if (source === undefined) {
    const known = dataSources.map(({ name, summary }) => `\`${name}\`: ${summary}`);
    throw new DiagnosticError([error("unknown-source", `no data source is called \`${data.source}\``, undefined, "", known)]);
  }
  const wanted = data.arrays.map((name): WantedArray => {
    const input = entry.inputs.find((candidate) => candidate.source === "data" && candidate.name === name);
    if (input === undefined) return { name };
    return { name, type: parseType(input.type), ...(input.below === undefined ? {} : { below: input.below }) };
  });
  return source.open(data.args, data.named, wanted);
}
