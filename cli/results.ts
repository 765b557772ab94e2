// Results that commands about experiments are given: a file, or the published losses.
import { Option } from "commander";
import { questResults } from "../experiments/published.ts";
import { parseResults } from "../experiments/results-table.ts";
import type { ResultRow } from "../experiments/scaling-law.ts";
import { unwrap } from "../ir/diagnostic.ts";
import { readSource } from "./files.ts";

export const publishedOption = () =>
  new Option("--published", "in place of a file, the 104 losses that QuEST's authors published (C4, 30 to 800 million parameters)");

/** The rows; undefined where neither or both are named. Throws a DiagnosticError `bad-results` or `unknown-file`. */
export async function resultsGiven(files: readonly string[], isPublished: boolean): Promise<readonly ResultRow[] | undefined> {
  const [file] = files;
  if (isPublished) return file === undefined ? questResults.rows : undefined;
  return file === undefined || files.length > 1 ? undefined : unwrap(parseResults(await readSource(file)));
}
