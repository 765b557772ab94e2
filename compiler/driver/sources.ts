// Sources on disk: what `use` finds, with the standard library behind the user's own files.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Source } from "../../ir/source.ts";
import type { LoadSource } from "../sema/files.ts";

/** Reads files from disk as their paths say; a path without a folder that is not there is looked up in the standard library (`std.loom`). */
export const loadFromDisk: LoadSource = (path) => {
  if (existsSync(path)) return { path, text: readFileSync(path, "utf8") };
  return path.includes("/") ? undefined : loadFromLibrary(path);
};

/** Path under which diagnostics and artifacts show a source of the standard library. */
const libraryPath = (name: string) => `models/${name}`;

function loadFromLibrary(name: string): Source | undefined {
  const folder = libraryFolder();
  const file = folder === undefined ? undefined : join(folder, name);
  return file !== undefined && existsSync(file) ? { path: libraryPath(name), text: readFileSync(file, "utf8") } : undefined;
}

/** `models/` lies above this file, in the sources as in the built package. */
function libraryFolder(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "models", "std.loom"))) return join(folder, "models");
    if (folder === dirname(folder)) return undefined;
  }
}
