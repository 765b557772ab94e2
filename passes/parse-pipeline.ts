// Pipelines as text: `canonicalize, insert-quant, cleanup`, on the command line and in the first comment of a crash reproducer.
import type { Report } from "../ir/diagnostic.ts";
import { didYouMean } from "../ir/nearest.ts";
import type { Source } from "../ir/source.ts";
import { readAttributes } from "../ir/text/attributes.ts";
import { Cursor } from "../ir/text/cursor.ts";
import type { PipelineStep } from "./pass.ts";
import { findPass, passes } from "./registry.ts";

/** The steps that a text names (see `printPipeline`), or what is wrong with it. */
export function parsePipeline(source: Source): Report<readonly PipelineStep[]> {
  const cursor = new Cursor(source);
  const steps: PipelineStep[] = [];
  cursor.statement(() => {
    do steps.push(...readStep(cursor));
    while (cursor.accept("mark", ",") !== undefined);
    cursor.endLine();
  });
  const { diagnostics } = cursor;
  return diagnostics.length > 0 ? { diagnostics } : { value: steps, diagnostics };
}

function readStep(cursor: Cursor): readonly PipelineStep[] {
  const first = cursor.token;
  let name = cursor.word("the name of a pass").name;
  // A pass has dashes in its name, a word of IR text has none.
  while (cursor.accept("mark", "-") !== undefined) name += `-${cursor.word("the rest of the name").name}`;
  const at = cursor.spanFrom(first);
  const given = cursor.braces();
  const pass = findPass(name);
  if (pass === undefined) {
    const names = passes.map((p) => p.name);
    cursor.report("unknown-pass", `there is no pass \`${name}\``, at, [...didYouMean(name, names), `the passes are ${names.join(", ")}`]);
    return [];
  }
  const options = readAttributes(pass.options, given, { name, at }, (code, message, place, help) =>
    cursor.report(code, message, place, help),
  );
  return options === undefined ? [] : [{ pass, options }];
}

const comment = "// pipeline: ";

/** The first line of a crash reproducer. */
export const pipelineComment = (pipeline: string): string => `${comment}${pipeline}\n`;

/** The pipeline that a file's first line asks for, where it does. */
export function pipelineOfComment({ path, text }: Source): Source | undefined {
  const [line = ""] = text.split("\n", 1);
  return line.startsWith(comment) ? { path, text: line.slice(comment.length) } : undefined;
}
