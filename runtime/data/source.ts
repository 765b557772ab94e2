// Data sources by name: what a recipe's `data ... = mnist()` can name. To add a source, write it in this folder and add it to `dataSources`.
import { DiagnosticError, error } from "../../ir/diagnostic.ts";
import type { Argument, DataSource, Dataset } from "./dataset.ts";
import { mnist } from "./mnist.ts";

export const dataSources: readonly DataSource[] = [mnist];

/** A recipe's source, opened. Throws a DiagnosticError `unknown-source` that lists the known ones. */
export async function openData(call: {
  readonly source: string;
  readonly args: readonly Argument[];
  readonly named: Readonly<Record<string, Argument>>;
}): Promise<Dataset> {
  const source = dataSources.find(({ name }) => name === call.source);
  if (source === undefined) {
    const known = dataSources.map(({ name, summary }) => `\`${name}\`: ${summary}`);
    throw new DiagnosticError([error("unknown-source", `no data source is called \`${call.source}\``, undefined, "", known)]);
  }
  return source.open(call.args, call.named);
}
