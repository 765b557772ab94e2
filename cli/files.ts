// Files that the command line is given: a missing one is a diagnostic that names the nearest file there is.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { DiagnosticError, error } from "../ir/diagnostic.ts";
import { didYouMean } from "../ir/nearest.ts";
import type { Source } from "../ir/source.ts";

/** The source at a path, or from the standard input for `-`. Throws a DiagnosticError `unknown-file`. */
export async function readSource(path: string): Promise<Source> {
  if (path === "-") return { path: "<stdin>", text: await text(process.stdin) };
  const stat = statSync(path, { throwIfNoEntry: false });
  // Some editors put a byte order mark in front of UTF-8.
  if (stat?.isFile() === true) return { path, text: readFileSync(path, "utf8").replace(/^\uFEFF/, "") };
  const [message, help] =
    stat?.isDirectory() === true ? [`\`${path}\` is a folder`, filesIn(path)] : [`there is no file \`${path}\``, nearFiles(path)];
  throw new DiagnosticError([error("unknown-file", message, undefined, "", help)]);
}

const models = /\.loom(ir)?$/;
const tables = /\.jsonl?$/;

function filesIn(folder: string): readonly string[] {
  const names = readdirSync(folder).filter((name) => models.test(name) || tables.test(name));
  return names.length === 0 ? [] : [`it holds ${list(names)}`];
}

/** Files of the same kind whose names are near, else all of that kind. */
function nearFiles(path: string): readonly string[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [`there is no folder \`${folder}\` either`];
  const kind = tables.test(path) ? tables : models;
  const names = readdirSync(folder).filter((name) => kind.test(name));
  const near = didYouMean(basename(path), names, (name) => join(folder, name));
  return near.length > 0 || names.length === 0 ? near : [`${folder === "." ? "this folder" : `\`${folder}\``} has ${list(names)}`];
}

/** As many names as are read; the rest is a number. */
const mostNames = 8;
const list = (names: readonly string[]): string => {
  const shown = names.slice(0, mostNames).map((name) => `\`${name}\``);
  return `${shown.join(", ")}${names.length > mostNames ? ` and ${names.length - mostNames} more` : ""}`;
};
