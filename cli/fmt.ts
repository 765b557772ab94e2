// `bitloom fmt`: brings model files into their one form.
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { format } from "../compiler/index.ts";
import { type Diagnostic, DiagnosticError, error, hasErrors } from "../ir/diagnostic.ts";
import type { Source } from "../ir/source.ts";
import { readSource } from "./files.ts";
import { jsonOption } from "./options.ts";
import type { Output } from "./output.ts";

interface FmtFlags {
  readonly check?: true;
}

export function fmtCommand(output: Output): Command {
  return new Command("fmt")
    .description("Format model files in place. Comments stay where they are; a file with syntax errors is left alone.")
    .argument("<files...>", "model files (.loom), or folders with some; `-` formats the standard input to the standard output")
    .option("--check", "change nothing; fail where a file is not formatted")
    .addOption(jsonOption())
    .action((paths: readonly string[], flags: FmtFlags) => formatFiles(paths, flags, output));
}

async function formatFiles(paths: readonly string[], flags: FmtFlags, output: Output): Promise<void> {
  const sources: Source[] = [];
  const problems: Diagnostic[] = [];
  for (const path of paths.flatMap(modelFiles)) {
    try {
      sources.push(await readModel(path));
    } catch (problem) {
      if (!(problem instanceof DiagnosticError)) throw problem;
      problems.push(...problem.diagnostics);
    }
  }
  const changed: string[] = [];
  for (const source of sources) {
    const { value: text, diagnostics } = format(source);
    problems.push(...diagnostics);
    if (text === undefined) continue;
    if (text !== source.text) changed.push(source.path);
    if (flags.check) problems.push(...notFormatted(source, text));
    else if (source.path === stdin) giveBack(text, output);
    else if (text !== source.text) writeFileSync(source.path, text);
  }
  if (hasErrors(problems)) {
    // What was formatted in spite of the errors is said too.
    for (const path of flags.check ? [] : changed) output.note(`formatted ${path}`);
    throw new DiagnosticError(problems);
  }
  if (sources.some(({ path }) => path === stdin) && !flags.check) return;
  output.result({ files: sources.map(({ path }) => ({ path, changed: changed.includes(path) })) });
  for (const path of changed) output.say(`formatted ${path}`);
  const rest = sources.length - changed.length;
  if (rest > 0) output.say(`${rest} ${rest === 1 ? "file is" : "files are"} formatted already`);
}

const stdin = "<stdin>";

/** The model files that a word of the command line means: itself, or all below it where it is a folder. */
function modelFiles(path: string): readonly string[] {
  if (!existsSync(path) || !statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".loom") && !name.split(/[\\/]/).includes("node_modules"))
    .sort()
    .map((name) => join(path, name));
}

async function readModel(path: string): Promise<Source> {
  if (path !== "-" && !path.endsWith(".loom"))
    throw new DiagnosticError([
      error("wrong-file", `\`${path}\` is no model file`, undefined, "", [
        "models end in `.loom`; IR text has one form already, which `bitloom ir FILE.loomir` prints",
      ]),
    ]);
  return readSource(path);
}

function giveBack(text: string, output: Output): void {
  if (output.isJson) output.result({ text });
  else if (text !== "") output.raw(text);
}

/** At the first line that would change. */
function notFormatted(source: Source, text: string): readonly Diagnostic[] {
  if (text === source.text) return [];
  const [before, after] = [source.text.split("\n"), text.split("\n")];
  const at = before.findIndex((line, i) => line !== after[i]);
  const line = at < 0 ? before.length - 1 : at;
  const start = before.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
  const span = { source, start, end: start + (before[line]?.length ?? 0) };
  const help = source.path === stdin ? [] : [`run \`bitloom fmt ${source.path}\``];
  return [error("not-formatted", "this file is not formatted", span, "this is the first line that would change", help)];
}
