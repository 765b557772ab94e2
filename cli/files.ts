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
  if (existsSync(path) && statSync(path).isFile()) return { path, text: readFileSync(path, "utf8") };
  throw new DiagnosticError([error("unknown-file", `there is no file \`${path}\``, undefined, "", nearFiles(path))]);
}

function nearFiles(path: string): readonly string[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [`there is no folder \`${folder}\` either`];
  const models = readdirSync(folder).filter((name) => /\.loom(ir)?$/.test(name));
  const near = didYouMean(basename(path), models, (name) => join(folder, name));
  return near.length > 0 || models.length === 0
    ? near
    : [`${folder === "." ? "this folder" : `\`${folder}\``} has ${models.map((name) => `\`${name}\``).join(", ")}`];
}
